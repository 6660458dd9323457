//! Sends one message to many sessions.

use std::sync::Arc;

use crate::server::Server;
use crate::server::audience::Audience;
use crate::server::sessions::Session;
use crate::server::socket::Sender;
use crate::session::send::{SendErrorKind, TrySendError};
use crate::wire::message::Message;
use crate::wire::outgoing::{Outgoing, PreparedMessage};

/// The result of sending a message to many sessions. Each addressed session counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// The number of sessions that get the message.
    pub sent: usize,
    /// The number of sessions whose outbox is full.
    pub full: usize,
    /// The number of sessions on a transport that cannot carry the message: see
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
        let sessions = self.shared.sessions.registry().audience(audience);
        send_to_all(sessions.iter().map(|session| &**session), message.into())
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
        send_to_all(sessions.into_iter().map(Sender::shared), message.into())
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
}

/// Encodes a message once and puts it into the outboxes of all sessions.
fn send_to_all<'s>(sessions: impl Iterator<Item = &'s Session>, message: Message) -> Broadcast {
    let prepared = Arc::new(PreparedMessage::new(message));
    let mut broadcast = Broadcast::default();
    for session in sessions {
        broadcast.count(session.try_send(Outgoing::Prepared(Arc::clone(&prepared))));
    }
    broadcast
}

impl Broadcast {
    /// One session more.
    pub(crate) fn count(&mut self, result: Result<(), TrySendError>) {
        *match result {
            Ok(()) => &mut self.sent,
            Err(TrySendError::Full(_)) => &mut self.full,
            Err(TrySendError::Refused(error)) => match error.kind {
                SendErrorKind::Separator { .. } => &mut self.uncarried,
                _ => &mut self.closed,
            },
        } += 1;
    }
}
