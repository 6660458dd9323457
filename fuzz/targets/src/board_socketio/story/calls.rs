//! What the board does in a session.

use core::task::Poll;

use eio_core::socketio::Packet;
use eio_embassy::SendError;
use eio_embassy::socketio::{Pending, SocketError};

use super::{NAMES, PHOTO, Story};
use crate::board_socketio::expected::{Heard, Membership};
use crate::board_socketio::sockets::{ALONE, Letter, Sockets};
use crate::fakes;

/// Where the attachments stand among the arguments.
const PLACES: &str = "{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}";

impl Story {
    /// The server takes everything. Then nothing is left to send, and each namespace that is joined can be sent to.
    pub(super) fn finish(&mut self, sockets: &mut impl Sockets) {
        self.server.set_window(4_096);
        for _ in 0..3 {
            self.check_wire();
            self.receive(sockets);
            if self.has_ended {
                return;
            }
        }
        for name in NAMES {
            if self.expected.can_send(name) {
                let before = self.sent;
                self.send(sockets, name, Letter::Event(""));
                let is_sent = self.sent > before || self.may_end || self.is_wild;
                assert!(is_sent, "nothing can be sent on {name}");
            }
        }
    }

    /// Sends on a namespace, after the rest of a binary event that was sent in part.
    pub(super) fn send(&mut self, sockets: &mut impl Sockets, namespace: &'static str, letter: Letter<'_>) {
        if !self.has_no_photo_left(sockets) {
            return;
        }
        if let Letter::Photo(number, _) = letter {
            let owed = self.owes;
            self.photo = Some((namespace, number));
            let args = format!("{number},{PLACES}");
            let photo = Packet::event("p", &args).and_then(|packet| packet.with_attachments(2));
            self.wire.promise(photo.expect("valid"), namespace, &PHOTO);
            let is_joined = self.expected.can_send(namespace);
            if !self.finish_photo(sockets, (namespace, number)) || self.is_wild || is_joined {
                return;
            }
            // It was not begun.
            self.wire.take_back(1 + PHOTO.len());
            self.owes = owed;
            return;
        }
        let is_joined = self.expected.can_send(namespace);
        match sockets.send(namespace, letter) {
            Poll::Pending => {}
            Poll::Ready(Ok(question)) => {
                self.sent += 1;
                self.owes = false;
                assert!(self.is_wild || is_joined, "it sends on {namespace}, which it has not joined");
                if let Some(question) = question {
                    assert!(question.id() > self.last_question, "no two questions have the same number");
                    self.last_question = question.id();
                    self.questions.push(question);
                }
                let id = question.map(Pending::id);
                self.wire.promise(packet(letter, id).expect("a packet that was sent"), namespace, &[]);
            }
            Poll::Ready(Err(SocketError::NotJoined | SocketError::Disconnected)) => {
                assert!(self.is_wild || !is_joined, "it has joined {namespace}");
            }
            Poll::Ready(Err(SocketError::Packet(_))) => assert!(packet(letter, None).is_none()),
            Poll::Ready(Err(SocketError::Send(SendError::BufferTooSmall { needed }))) => {
                assert!(needed > 280, "{needed} bytes fit");
            }
            Poll::Ready(Err(error)) => self.fail(error),
        }
    }

    /// Sends the rest of a binary event that was sent in part, if there is one. Returns whether nothing of it is left.
    fn has_no_photo_left(&mut self, sockets: &mut impl Sockets) -> bool {
        self.photo.is_none_or(|photo| self.finish_photo(sockets, photo))
    }

    /// Sends the rest of a binary event. Returns whether that is done.
    fn finish_photo(&mut self, sockets: &mut impl Sockets, (namespace, number): (&'static str, u32)) -> bool {
        let sent = sockets.send(namespace, Letter::Photo(number, &PHOTO));
        // A server that was silent may be back, and receives the rest then.
        let is_done = sent.is_ready() && sent != Poll::Ready(Err(SocketError::Send(SendError::Expired)));
        match sent {
            Poll::Pending | Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) if !is_done => self.fail(error),
            Poll::Ready(Err(SocketError::NotJoined | SocketError::Disconnected)) => {
                let is_joined = self.expected.can_send(namespace);
                assert!(self.is_wild || !is_joined, "it has joined {namespace}");
                self.give_photo_up();
            }
            Poll::Ready(Err(error)) => {
                self.fail(error);
                self.give_photo_up();
            }
        }
        if is_done {
            self.photo = None;
        }
        is_done
    }

    /// Nobody can send the rest of the binary event any more.
    pub(super) fn give_photo_up(&mut self) {
        self.wire.give_up(1 + PHOTO.len());
        (self.photo, self.owes) = (None, true);
    }

    /// Waits for the answer to the first question.
    pub(super) fn await_answer(&mut self, sockets: &mut impl Sockets) {
        let Some(&question) = self.questions.first() else { return };
        let mut before = Vec::new();
        let Some(answered) = sockets.answer(question, &mut |heard| before.push(heard)) else { return };
        for heard in before {
            self.hear(ALONE, &heard);
        }
        match answered {
            Poll::Pending => return self.expect_nothing(),
            Poll::Ready(Ok(answer)) => self.hear(ALONE, &answer),
            Poll::Ready(Err(SocketError::AckTimeout)) => {
                assert!(fakes::now() >= question.deadline().as_micros(), "it waits for 150 ms");
                if !self.usage.stutters {
                    self.expect_nothing();
                }
            }
            Poll::Ready(Err(SocketError::Disconnected)) => self.hear(ALONE, &Heard::Disconnected),
            Poll::Ready(Err(SocketError::Refused)) => {
                let next = self.next();
                assert!(self.is_wild || matches!(next, Some((_, Heard::Refused(_)))), "{next:?}");
            }
            Poll::Ready(Err(error)) => self.fail(error),
        }
        self.questions.remove(0);
    }

    /// Asks to join a namespace.
    pub(super) fn ask(&mut self, sockets: &mut impl Sockets, namespace: &'static str) {
        if !self.has_no_photo_left(sockets) {
            return;
        }
        let Some(asked) = sockets.join(namespace) else { return };
        let membership = self.expected.membership(namespace);
        match asked {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                let is_free = matches!(membership, None | Some(Membership::Unwanted));
                assert!(self.is_wild || is_free, "{membership:?}");
                self.expected.set(namespace, Some(Membership::Asked));
                if !(self.usage.is_old && namespace == "/") {
                    self.wire.promise_join(namespace);
                }
            }
            Poll::Ready(Err(SocketError::AlreadyJoined)) => assert!(self.is_wild || membership.is_some()),
            Poll::Ready(Err(SocketError::TooManyNamespaces { max: 2 })) => {
                assert!(self.is_wild || self.expected.places() >= 2);
            }
            Poll::Ready(Err(error)) => self.fail(error),
        }
    }

    pub(super) fn leave(&mut self, sockets: &mut impl Sockets, namespace: &'static str) {
        if !self.has_no_photo_left(sockets) {
            return;
        }
        let Some(left) = sockets.leave(namespace) else { return };
        let membership = self.expected.membership(namespace);
        match (left, membership) {
            (Poll::Pending, _) => {}
            (Poll::Ready(Ok(())), Some(Membership::Asked)) => {
                self.expected.set(namespace, Some(Membership::TakenBack));
            }
            (Poll::Ready(Ok(())), membership) => {
                assert!(self.is_wild || membership == Some(Membership::Joined), "{membership:?}");
                self.expected.set(namespace, None);
                if !self.is_wild {
                    self.wire.promise(Packet::disconnect(), namespace, &[]);
                }
            }
            (Poll::Ready(Err(SocketError::NotJoined)), membership) => {
                let is_in = matches!(membership, Some(Membership::Asked | Membership::Joined));
                assert!(self.is_wild || !is_in, "{membership:?}");
            }
            (Poll::Ready(Err(error)), _) => self.fail(error),
        }
    }
}

/// The packet of a letter without attachments, if it is one.
fn packet(letter: Letter<'_>, id: Option<u64>) -> Option<Packet<'_>> {
    let packet = match letter {
        Letter::Event(args) => Packet::event("e", args),
        Letter::Question(args) => Packet::event("q", args).and_then(|packet| packet.with_id(id.unwrap_or(0))),
        Letter::Answer(id) => Packet::ack(id, ""),
        Letter::Photo(..) => return None,
    };
    packet.ok()
}
