//! What other nodes ask this one to do.

use std::sync::{Arc, Weak};
use std::time::Duration;

use eio_cluster::{Handler, Incoming, Reply};

use crate::packet::Body;
use crate::parser::Encoded;
use crate::server::answers::Answers;
use crate::server::cluster::message::{Address, Message, Packet, read};
use crate::server::cluster::{ServerSideEvent, answers, fetch};
use crate::server::delivery;
use crate::server::rooms::Target;
use crate::server::shared::Shared;
use crate::server::socket::Socket;
use crate::server::space::Space;
use crate::sync::spawn;
use crate::targets;

/// Takes the messages of other nodes.
pub(super) struct Receiver {
    server: Weak<Shared>,
}

/// Why a message of another node was refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] postcard::Error),
    #[error("its packet is of the parser {theirs:?}: expected {ours:?}")]
    OtherParser { theirs: String, ours: String },
    #[error("its packet is no event")]
    NoEvent,
    #[error("it asks for no answer: expected a question")]
    NoQuestion,
}

impl Receiver {
    pub(super) fn new(server: Weak<Shared>) -> Self {
        Self { server }
    }
}

impl Handler for Receiver {
    fn handle(&self, message: Incoming<'_>) {
        let Some(server) = self.server.upgrade() else { return };
        let node = message.from;
        let Err(error) = handle(&server, message) else { return };
        if server.far.refuse() {
            tracing::warn!(target: targets::CLUSTER, node, %error, "a message of another node is refused, and others like it");
        }
    }
}

fn handle(server: &Arc<Shared>, incoming: Incoming<'_>) -> Result<(), Refused> {
    let Incoming { from, payload, reply, .. } = incoming;
    let message = match read(&payload) {
        Ok(message) => message,
        Err(error) => {
            reply.into_iter().for_each(Reply::refuse);
            return Err(error.into());
        }
    };
    let asked = || reply.ok_or(Refused::NoQuestion);
    match message {
        Message::Emit { to, packet, is_volatile } => {
            let encoded = encoded(server, packet)?;
            let Some((space, target)) = addressed(server, &to) else { return Ok(()) };
            emit(server, &space, &target, encoded, is_volatile)?;
        }
        Message::Change { to, change } => {
            if let Some((space, target)) = addressed(server, &to) {
                change.apply(&space.select(&target));
            }
        }
        Message::ServerSide { name, args } => {
            if let Some(on_server_side) = &server.far.settings.on_server_side {
                on_server_side(ServerSideEvent {
                    node: from.to_owned(),
                    name: name.to_owned(),
                    args: args.args(),
                });
            }
        }
        Message::Sockets(to) => {
            let reply = asked()?;
            if let Some((space, target)) = addressed(server, &to) {
                spawn(fetch::tell_sockets(Arc::clone(server), space, target, reply));
            }
        }
        Message::Rooms(to) => {
            let reply = asked()?;
            if let Some((space, target)) = addressed(server, &to) {
                spawn(fetch::tell_rooms(space, target, reply));
            }
        }
        Message::Ask { to, packet, id, timeout_ms, is_volatile } => {
            let reply = asked()?;
            let encoded = match encoded(server, packet) {
                Ok(encoded) => encoded,
                Err(error) => {
                    answers::tell_refused(reply);
                    return Err(error);
                }
            };
            // Also nobody is an answer.
            let sockets =
                addressed(server, &to).map(|(space, target)| space.select(&target)).unwrap_or_default();
            ask(sockets, id, &encoded, is_volatile, Duration::from_millis(timeout_ms), reply);
        }
    }
    Ok(())
}

/// Returns the namespace that a message is for, if there is one of the name here.
fn addressed(server: &Shared, to: &Address<'_>) -> Option<(Arc<Space>, Target)> {
    Some((server.space(to.namespace)?, to.target()))
}

/// Returns a packet as it goes to clients of this node.
fn encoded(server: &Shared, packet: Packet<'_>) -> Result<Encoded, Refused> {
    let ours = server.parser.name();
    if packet.parser != ours {
        return Err(Refused::OtherParser { theirs: packet.parser.to_owned(), ours: ours.to_owned() });
    }
    packet.encoded().ok_or(Refused::NoEvent)
}

/// Hands an event to the sockets of this node.
fn emit(
    server: &Shared,
    space: &Arc<Space>,
    target: &Target,
    encoded: Encoded,
    is_volatile: bool,
) -> Result<(), Refused> {
    if is_volatile {
        delivery::send_volatile(&space.select(target), &encoded);
    } else if space.has_history() {
        // It gets an offset of this node, because its place in the history is that in which it comes here.
        let mut decoder = server.parser.decoder();
        let mut packets =
            encoded.into_messages().filter_map(|message| decoder.decode(message).ok().flatten());
        let Some(Body::Event { name, args, id: None }) = packets.next().map(|packet| packet.body) else {
            return Err(Refused::NoEvent);
        };
        space.emit_to_all(target, name, args).map_err(|_| Refused::NoEvent)?;
    } else {
        delivery::send(&space.select(target), &encoded);
    }
    Ok(())
}

/// Sends an event to sockets of this node, and tells what they answer.
fn ask(sockets: Vec<Socket>, id: u64, encoded: &Encoded, is_volatile: bool, timeout: Duration, reply: Reply) {
    let mut answers = Answers::new(timeout);
    for socket in &sockets {
        answers.ask(socket.clone(), id, encoded, is_volatile);
    }
    spawn(answers::tell(sockets, answers, reply));
}
