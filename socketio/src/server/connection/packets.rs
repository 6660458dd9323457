//! What the client's packets do.

use core::task::Context;

use bytestring::ByteString;
use eio_tokio::Message;

use crate::args::RawArgs;
use crate::packet::{Body, Packet};
use crate::server::connection::Connection;
use crate::server::context::Input;
use crate::server::disconnect::{Reason, Unexpected};
use crate::server::recovery::{Before, Trail};
use crate::server::refusal::Refusal;
use crate::server::running::Task;
use crate::server::socket::{Socket, Stage};
use crate::server::socket_id::SocketId;
use crate::targets::{self, shown};

/// How many bytes of auth data a client may join with.
const MAX_AUTH: usize = 64 * 1024;

impl Connection {
    /// Opens `/` for a client of Socket.IO 2, which does not ask for it.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) {
        if self.link.is_old() {
            self.join(&"/".into(), RawArgs::none(), cx);
        }
    }

    /// Handles a message of the client.
    pub(super) fn receive(&mut self, message: Message, cx: &mut Context<'_>) {
        if self.is_deaf() {
            return;
        }
        match self.decoder.decode(message) {
            Ok(None) => {}
            Ok(Some(packet)) => self.handle(packet, cx),
            Err(error) => self.close_because(Reason::InvalidPacket(error)),
        }
    }

    /// Closes the connection because of what the client sent. Its sockets end with their session.
    fn close_because(&mut self, reason: Reason) {
        tracing::debug!(target: targets::CONNECTION, sid = %self.link.sender.id().short(), %reason, "the connection is closed");
        self.closing = Some(reason);
        self.engine.close();
    }

    /// Returns whether the connection closes, so that nothing that comes is handled any more.
    fn is_deaf(&self) -> bool {
        self.closing.is_some() || self.is_leaving
    }

    /// Handles the request to join that waited until another thread has ended the socket before.
    pub(super) fn handle_held(&mut self, cx: &mut Context<'_>) {
        if let Some(packet) = self.held.take()
            && !self.is_deaf()
        {
            self.handle(*packet, cx);
        }
    }

    fn handle(&mut self, packet: Packet, cx: &mut Context<'_>) {
        let (namespace, auth) = self.address(&packet);
        let mut present = self.sockets.iter().filter(|socket| *socket.namespace() == namespace);
        let socket = present.find_map(|socket| Some((socket.clone(), socket.stage()?)));
        if socket.is_none() {
            // A handler of an earlier packet may just have disconnected it.
            self.tell_ends(cx);
        }
        match (packet.body, socket) {
            (Body::Connect(_), Some(_)) => {
                self.close_because(Reason::UnexpectedPacket(Unexpected::JoinedTwice));
            }
            // The other thread wakes this task once it has told the client.
            (body @ Body::Connect(_), None) if self.is_ending(&namespace) => {
                self.held = Some(Box::new(Packet { body, ..packet }));
            }
            (Body::Connect(data), None) => self.join(&namespace, auth.unwrap_or(data), cx),
            (Body::ConnectError(_), _) => {
                self.close_because(Reason::UnexpectedPacket(Unexpected::ConnectError));
            }
            (body, Some((socket, Stage::Joined))) => self.handle_joined(&socket, body, cx),
            // The packet crossed the server's disconnect on the way.
            (_, None) if self.left.contains(&namespace) || self.is_ending(&namespace) => {}
            _ => self.close_because(Reason::UnexpectedPacket(Unexpected::NotJoined)),
        }
    }

    /// Returns whether another thread is about to end the client's socket in a namespace.
    fn is_ending(&self, namespace: &ByteString) -> bool {
        self.sockets.iter().any(|socket| socket.namespace() == namespace && socket.stage().is_none())
    }

    /// Returns the namespace of a packet. A client of Socket.IO 2 has its credentials in the query of the namespace.
    fn address(&self, packet: &Packet) -> (ByteString, Option<RawArgs>) {
        if !self.link.is_old() {
            return (packet.namespace.clone(), None);
        }
        let Some((name, query)) = packet.namespace.split_once('?') else {
            return (packet.namespace.clone(), None);
        };
        let pairs: serde_json::Map<_, _> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
        (name.into(), RawArgs::new(pairs).ok())
    }

    fn handle_joined(&mut self, socket: &Socket, body: Body, cx: &mut Context<'_>) {
        match body {
            Body::Event { name, args, id } => self.handle_event(socket, name, args, id, cx),
            Body::Ack { id, args } => {
                socket.with_acks(|acks| acks.answer(id, args));
            }
            Body::Disconnect => {
                socket.end_with(Reason::ClientNamespaceDisconnect, None);
                self.tell_ends(cx);
            }
            Body::Connect(_) | Body::ConnectError(_) => {}
        }
    }

    fn handle_event(
        &mut self,
        socket: &Socket,
        name: ByteString,
        args: RawArgs,
        id: Option<u64>,
        cx: &mut Context<'_>,
    ) {
        let space = socket.space().clone();
        let Some(handler) = space.definition.on(&name) else {
            tracing::debug!(
                target: targets::SOCKET,
                socket = %socket.id(),
                namespace = %space.name(),
                event = ?shown(&name),
                "an event has no handler"
            );
            return;
        };
        let task = Task::Event { name: name.clone(), id, bytes: name.len() + args.byte_len() };
        let input = Input::Event { name, args, id };
        self.call(socket, handler, &input, task, cx);
    }

    /// Asks whether a client may join a namespace.
    fn join(&mut self, namespace: &ByteString, auth: RawArgs, cx: &mut Context<'_>) {
        if self.sockets.len() >= self.link.server.max_namespaces {
            self.link.refuse(namespace, &Refusal::new("Too many namespaces"));
            return;
        }
        // It stays as long as the socket.
        if auth.byte_len() > MAX_AUTH {
            self.link.refuse(namespace, &Refusal::new("Auth data too large"));
            return;
        }
        let Some(space) = self.link.server.enter(namespace) else {
            self.link.refuse(namespace, &Refusal::unknown_namespace());
            return;
        };
        let id = if self.link.is_old() {
            Ok(SocketId::of_session(namespace, self.link.sender.id().as_str()))
        } else {
            SocketId::random(self.link.sender.server().node())
        };
        let Ok(id) = id else {
            tracing::error!(target: targets::SOCKET, "no socket can be named: the system has no random bytes");
            self.link.server.exit(&space);
            self.link.refuse(namespace, &Refusal::new("Internal server error"));
            return;
        };
        self.left.retain(|left| left != namespace);
        let may_come_back = self.link.server.recovery.is_some() && !self.link.is_old();
        let (auth, before) = if may_come_back { Before::take_from(auth) } else { (auth, None) };
        // It may be a small part of a large message, which the socket should not keep.
        let socket = Socket::new(id, space, self.link.clone(), auth.into_own_memory());
        socket.set_before(before, false);
        self.sockets.push(socket.clone());
        self.admit(&socket, cx);
    }

    /// Tells the client that it has joined a namespace.
    pub(super) fn accept(&self, socket: &Socket) {
        #[derive(serde::Serialize)]
        struct Joined<'a> {
            sid: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            pid: Option<&'a str>,
        }
        let trail = socket.trail();
        let data = if self.link.is_old() {
            RawArgs::none()
        } else {
            RawArgs::new(Joined { sid: socket.id().as_str(), pid: trail.as_ref().map(Trail::pid) })
                .unwrap_or_else(|_| RawArgs::none())
        };
        let namespace = socket.namespace().clone();
        self.link.send_surely(&Packet { namespace, body: Body::Connect(data) });
    }
}
