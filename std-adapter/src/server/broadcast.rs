//! Sends one message, or several as one unit, to many sessions.

use std::sync::Arc;

use crate::server::Server;
use crate::server::audience::Audience;
use crate::server::sessions::Session;
use crate::server::socket::Sender;
use crate::session::batch::NotPosted;
use crate::session::send::SendErrorKind;
use crate::wire::message::Message;
use crate::wire::outgoing::{Outgoing, PreparedMessage};

/// The result of sending a message, or a batch, to many sessions. Each addressed session counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// The number of sessions that get the message, or all messages of the batch.
    pub sent: usize,
    /// The number of sessions whose outbox is full.
    pub full: usize,
    /// The number of sessions on a transport that cannot carry the message, or one of the batch: see
    /// [`SendErrorKind::Separator`].
    pub uncarried: usize,
    /// The number of sessions that are closing, have just ended, or whose peer has been silent past its deadline.
    pub closed: usize,
}

impl Server {
    /// Sends one message to every session and encodes it once. Returns how many sessions get it, and how many do not,
    /// by reason.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), eio_tokio::BuildError> {
    /// use eio_tokio::{Broadcast, Server};
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let Broadcast { sent, full, .. } = server.broadcast("news");
    /// assert_eq!((sent, full), (0, 0)); // no session is open
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self, message: impl Into<Message>) -> Broadcast {
        self.send_to(&Audience::all(), message)
    }

    /// Sends one message to an audience, such as the members of a group, and encodes it once. Each session gets it at most
    /// once. Returns how many sessions get it, and how many do not, by reason.
    ///
    /// The message is in the outbox of every receiver when the method returns. It never waits: a session whose outbox is
    /// full does not get the message, is counted, and delays no other. Sessions that join or leave meanwhile may get it or
    /// not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), eio_tokio::BuildError> {
    /// use eio_tokio::{Audience, Server};
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let audience = Audience::group("news").and_group("sport").except_group("muted");
    /// assert_eq!(server.send_to(&audience, "goal").sent, 0); // nobody has joined
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_to(&self, audience: &Audience, message: impl Into<Message>) -> Broadcast {
        self.send_batch_to(audience, [message])
    }

    /// Sends one message to these sessions and encodes it once, as [`send_to`](Self::send_to) does. A session that comes
    /// twice gets it twice.
    ///
    /// ```
    /// use eio_tokio::{Broadcast, Sender, Server};
    ///
    /// /// Tells those who speak revision 4.
    /// fn tell(server: &Server, news: &str) -> Broadcast {
    ///     let sessions = server.sessions();
    ///     let is_new = |session: &&Sender| session.revision() == eio_tokio::Revision::V4;
    ///     server.broadcast_to(sessions.iter().filter(is_new), news)
    /// }
    /// # let server = Server::builder(|_socket| async {}).build()?;
    /// # assert_eq!(tell(&server, "news"), Broadcast::default());
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    pub fn broadcast_to<'s>(
        &self,
        sessions: impl IntoIterator<Item = &'s Sender>,
        message: impl Into<Message>,
    ) -> Broadcast {
        self.broadcast_batch_to(sessions, [message])
    }

    /// Sends several messages as one unit to an audience, and encodes each once. A session gets all of them, with none of
    /// another sender in between, or none: see [`Socket::send_batch`](crate::Socket::send_batch). Returns how many
    /// sessions get them, and how many do not, by reason. In all else it does as [`send_to`](Self::send_to) does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), eio_tokio::BuildError> {
    /// use eio_tokio::{Audience, Message, Server};
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let picture = [Message::text("sunset"), Message::binary(vec![0xff, 0xd8, 0xff])];
    /// assert_eq!(server.send_batch_to(&Audience::group("gallery"), picture).sent, 0); // nobody has joined
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_batch_to(
        &self,
        audience: &Audience,
        messages: impl IntoIterator<Item = impl Into<Message>>,
    ) -> Broadcast {
        let messages = prepare(messages);
        let sessions = self.shared.sessions.registry().audience(audience);
        send_to_all(sessions.iter().map(|session| &**session), &messages)
    }

    /// Sends several messages as one unit to these sessions, and encodes each once, as
    /// [`send_batch_to`](Self::send_batch_to) does. A session that comes twice gets them twice.
    ///
    /// ```
    /// use eio_tokio::{Broadcast, Message, Server};
    ///
    /// /// Shows a picture to the first ones that have come.
    /// fn show(server: &Server, name: &str, picture: &[u8]) -> Broadcast {
    ///     let sessions = server.sessions();
    ///     server.broadcast_batch_to(sessions.iter().take(3), [Message::from(name), picture.into()])
    /// }
    /// # let server = Server::builder(|_socket| async {}).build()?;
    /// # assert_eq!(show(&server, "sunset", &[0xff, 0xd8, 0xff]), Broadcast::default());
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    pub fn broadcast_batch_to<'s>(
        &self,
        sessions: impl IntoIterator<Item = &'s Sender>,
        messages: impl IntoIterator<Item = impl Into<Message>>,
    ) -> Broadcast {
        send_to_all(sessions.into_iter().map(Sender::shared), &prepare(messages))
    }

    /// Returns the sessions that are members of a group, in no particular order.
    ///
    /// ```
    /// let server = eio_tokio::Server::builder(|_socket| async {}).build()?;
    /// assert!(server.members("news").is_empty());
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn members(&self, group: &str) -> Vec<Sender> {
        let members = self.shared.sessions.registry().members(group);
        members.into_iter().map(Sender::new).collect()
    }

    /// Returns how many sessions are members of a group.
    ///
    /// ```
    /// let server = eio_tokio::Server::builder(|_socket| async {}).build()?;
    /// assert_eq!(server.member_count("news"), 0);
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn member_count(&self, group: &str) -> usize {
        self.shared.sessions.registry().member_count(group)
    }
}

/// Encodes each message of a batch once.
fn prepare(messages: impl IntoIterator<Item = impl Into<Message>>) -> Vec<Arc<PreparedMessage>> {
    messages.into_iter().map(|message| Arc::new(PreparedMessage::new(message.into()))).collect()
}

/// Puts a batch into the outboxes of all sessions.
fn send_to_all<'s>(
    sessions: impl Iterator<Item = &'s Session>,
    messages: &[Arc<PreparedMessage>],
) -> Broadcast {
    let mut broadcast = Broadcast::default();
    // Each session takes what is in it, and leaves its memory for the next one.
    let mut batch = Vec::with_capacity(messages.len());
    for session in sessions {
        batch.clear();
        batch.extend(messages.iter().map(|prepared| Outgoing::Prepared(Arc::clone(prepared))));
        broadcast.count(&session.post_batch(&mut batch));
    }
    broadcast
}

impl Broadcast {
    /// Counts one more session.
    fn count(&mut self, posted: &Result<(), NotPosted>) {
        *match posted {
            Ok(()) => &mut self.sent,
            Err(NotPosted::Full) => &mut self.full,
            Err(NotPosted::Refused { kind: SendErrorKind::Separator { .. }, .. }) => &mut self.uncarried,
            Err(NotPosted::Refused { .. }) => &mut self.closed,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use eio_core::Revision;
    use eio_core::handshake::Transport;
    use http::Extensions;

    use super::*;
    use crate::server::sessions::ServerContext;
    use crate::wire::session_id::SessionId;

    /// A session of this server, without a task.
    fn session(server: &Server) -> Sender {
        let context = ServerContext {
            id: SessionId::random(None).unwrap(),
            revision: Revision::V4,
            base64_only: false,
            peer: None,
            extensions: Extensions::new(),
            server: Arc::clone(&server.shared),
        };
        Sender::new(context.start(None, Transport::WebSocket).shared)
    }

    #[test]
    fn all_receivers_share_the_frames_of_a_batch_which_are_encoded_once() {
        let server = Server::builder(|_| async {}).build().unwrap();
        let sessions = [session(&server), session(&server)];
        assert_eq!(server.broadcast_batch_to(&sessions, ["one", "two"]).sent, 2);
        let [first, second] = sessions.map(|session| {
            let outgoing = session.shared().lock().mail.take_outgoing(usize::MAX);
            outgoing
                .into_iter()
                .map(|outgoing| match outgoing {
                    Outgoing::Prepared(prepared) => prepared,
                    Outgoing::Message(message) => panic!("{message:?} is not encoded"),
                })
                .collect::<Vec<_>>()
        });
        assert_eq!(first.len(), 2);
        assert!(first.iter().zip(&second).all(|(first, second)| Arc::ptr_eq(first, second)));
        assert_eq!(first[1].frame().unwrap().as_ref(), b"\x81\x044two");
    }
}
