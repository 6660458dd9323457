//! One session of a board, step by step, and what must hold after each.

mod calls;

use core::pin::pin;
use core::task::Poll;

use eio_embassy::SendError;
use eio_embassy::socketio::{Pending, SocketError};

use super::expected::{Expected, Heard, Membership, Use};
use super::sockets::{ALONE, Letter, Sockets};
use super::wire::Wire;
use crate::fakes::{self, Sent, Server, Task};
use crate::script::Script;

/// The namespaces that a board with several may join.
const NAMES: [&str; 4] = ["/", "/a", "/b", "/c"];

/// What the board sends with one event: shorter and longer than the send buffer.
const PHOTO: [&[u8]; 2] = [&[1; 40], &[2; 400]];

/// How many characters a text of the server has at most, so that it fits into the receive buffer.
const LONGEST: usize = 60;

/// A session with a server.
#[expect(clippy::struct_excessive_bools, reason = "what may happen from now on, each on its own")]
pub(super) struct Story {
    server: Server,
    usage: Use,
    expected: Expected,
    wire: Wire,
    /// The events of the server that ask for an answer.
    asked: Vec<(String, u64)>,
    questions: Vec<Pending>,
    last_question: u64,
    /// The namespace and the number of the binary event that was sent in part.
    photo: Option<(&'static str, u32)>,
    photos: u32,
    /// The attachments of the last event that are still to come.
    attachments: core::ops::Range<u32>,
    /// How many events the server has sent.
    events: u32,
    /// How many packets the board has sent.
    sent: u32,
    /// Whether a binary event could not be sent to its end, which the board does by itself.
    owes: bool,
    /// Whether the server has written bytes that are no messages, so that nobody knows what the board receives.
    is_wild: bool,
    /// Whether something has happened that may end the session.
    may_end: bool,
    /// Whether what has arrived may get lost with the connection.
    may_lose: bool,
    /// Whether the server sends nothing any more.
    has_hung_up: bool,
    has_ended: bool,
}

impl Story {
    pub(super) fn new(usage: Use, server: Server) -> Self {
        Self {
            server,
            usage,
            expected: Expected::new(usage),
            wire: Wire::default(),
            asked: Vec::new(),
            questions: Vec::new(),
            last_question: 0,
            photo: None,
            photos: 0,
            attachments: 0..0,
            events: 0,
            sent: 0,
            owes: false,
            is_wild: false,
            may_end: false,
            may_lose: false,
            has_hung_up: false,
            has_ended: false,
        }
    }

    /// Plays until a socket has joined. Returns `None` if it does not.
    pub(super) fn join<S>(
        &mut self,
        join: impl Future<Output = Result<S, SocketError>>,
        script: &mut Script<'_>,
    ) -> Option<S> {
        self.expected.set(ALONE, Some(Membership::Asked));
        self.wire.promise_join(ALONE);
        let (task, mut join) = (Task::new(), pin!(join));
        loop {
            if let Poll::Ready(joined) = task.poll(join.as_mut()) {
                return self.joined(joined);
            }
            match script.byte()? {
                b'r' => {}
                letter => self.serve(letter, script),
            }
        }
    }

    fn joined<S>(&mut self, joined: Result<S, SocketError>) -> Option<S> {
        match joined {
            // What has arrived first is still to be received.
            Ok(socket) if self.usage.recovers => return Some(socket),
            Ok(socket) => {
                let next = self.expected.next();
                assert!(self.is_wild || matches!(next, Some((_, Heard::Connected))), "{next:?}");
                return Some(socket);
            }
            Err(SocketError::Timeout) => assert!(self.may_end, "it waits for 400 ms"),
            Err(SocketError::Refused) => {
                let next = self.expected.next();
                assert!(self.is_wild || matches!(next, Some((_, Heard::Refused(_)))), "{next:?}");
            }
            Err(SocketError::Disconnected) => self.expect(ALONE, &Heard::Disconnected),
            Err(error) => self.fail(error),
        }
        None
    }

    /// Plays to the end of the session, or of the script.
    pub(super) fn play(&mut self, sockets: &mut impl Sockets, script: &mut Script<'_>) {
        while !self.has_ended
            && let Some(letter) = script.byte()
        {
            match letter {
                b'r' => self.receive(sockets),
                b'e' => {
                    let name = self.name(script);
                    let args = String::from_utf8_lossy(script.bytes()).into_owned();
                    self.send(sockets, name, Letter::Event(&args));
                }
                b'q' => {
                    let name = self.name(script);
                    self.send(sockets, name, Letter::Question("1"));
                }
                b'k' => {
                    if let Some((name, id)) = self.asked.pop()
                        && let Some(name) = NAMES.into_iter().find(|known| *known == name)
                    {
                        self.send(sockets, name, Letter::Answer(id));
                    }
                }
                b'p' => {
                    let name = self.name(script);
                    self.photos += 1;
                    self.send(sockets, name, Letter::Photo(self.photos, &PHOTO));
                }
                b'a' => self.await_answer(sockets),
                b'j' => {
                    let name = self.name(script);
                    self.ask(sockets, name);
                }
                b'l' => {
                    let name = self.name(script);
                    self.leave(sockets, name);
                }
                letter => self.serve(letter, script),
            }
        }
        if !self.has_ended {
            self.finish(sockets);
        }
    }

    fn name(&self, script: &mut Script<'_>) -> &'static str {
        if self.usage.is_alone {
            return ALONE;
        }
        NAMES[usize::from(script.byte().unwrap_or(0)) % NAMES.len()]
    }

    /// What the server does, and time.
    fn serve(&mut self, letter: u8, script: &mut Script<'_>) {
        match letter {
            b't' => {
                fakes::advance(1 << (script.byte().unwrap_or(0) % 26));
                self.may_end = true;
                // Silence may be judged before a read that waits once is done, if a call before has waited for it in vain.
                self.may_lose |= self.usage.stutters;
            }
            b'v' => self.check_wire(),
            b'n' => self.server.set_window(script.byte().unwrap_or(0).into()),
            b'o' => self.server.set_at_once(usize::from(script.byte().unwrap_or(0)) + 1, usize::MAX),
            b'f' => {
                let text = String::from_utf8_lossy(script.bytes());
                self.say(&text.chars().take(LONGEST).collect::<String>());
            }
            b'b' => {
                let bytes = script.bytes();
                self.attach(&bytes[..bytes.len().min(LONGEST)]);
            }
            b's' => self.emit(script),
            b'c' => {
                let name = self.name(script);
                self.say_on(name, '0', "{\"sid\":\"s\",\"pid\":\"p\"}");
            }
            b'd' => {
                let name = self.name(script);
                self.say_on(name, '1', "");
            }
            b'y' => {
                let (name, id) = (self.name(script), script.byte().unwrap_or(0) % 8);
                self.say_on(name, '3', &format!("{id}[{id}]"));
            }
            b'i' if !self.has_hung_up => {
                self.server.text("2");
                // In revision 3, only clients ping.
                self.may_end |= self.usage.is_old;
            }
            b'w' if !self.has_hung_up => {
                self.server.raw(script.bytes());
                (self.is_wild, self.may_end, self.wire.is_wild) = (true, true, true);
            }
            b'g' => {
                self.server.hang_up();
                (self.has_hung_up, self.may_end) = (true, true);
            }
            b'x' => {
                self.server.reset();
                (self.has_hung_up, self.may_end) = (true, true);
                self.may_lose |= self.usage.stutters;
            }
            _ => {}
        }
    }

    /// The server emits an event, perhaps with a number to answer, and perhaps with attachments.
    fn emit(&mut self, script: &mut Script<'_>) {
        let (name, how) = (self.name(script), script.byte().unwrap_or(0));
        let (number, attachments) = (self.events, how & 3);
        self.events += 1;
        let id = if how & 4 == 0 { String::new() } else { (how >> 3).to_string() };
        let (letter, announced) =
            if attachments == 0 { ('2', String::new()) } else { ('5', format!("{attachments}-")) };
        let namespace = if name == "/" { String::new() } else { format!("{name},") };
        let text = format!("{letter}{announced}{namespace}{id}[\"n\",{number},\"o{number}\"]");
        self.say(&text);
        for number in 0..attachments {
            self.attach(&[number; 3]);
        }
    }

    fn say_on(&mut self, namespace: &str, letter: char, data: &str) {
        let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
        self.say(&format!("{letter}{namespace}{data}"));
    }

    /// The server sends a text of Socket.IO.
    fn say(&mut self, text: &str) {
        if !self.has_hung_up {
            self.server.text(&format!("4{text}"));
            self.expected.push(Sent::Text(text.to_owned()));
        }
    }

    fn attach(&mut self, bytes: &[u8]) {
        if !self.has_hung_up {
            let old = [b"\x04", bytes].concat();
            self.server.binary(if self.usage.is_old { &old } else { bytes });
            self.expected.push(Sent::Binary(bytes.to_vec()));
        }
    }

    /// Receives all that has arrived.
    fn receive(&mut self, sockets: &mut impl Sockets) {
        for _ in 0..2_000 {
            match sockets.recv() {
                Poll::Pending => return self.expect_nothing(),
                Poll::Ready(Ok((namespace, heard))) => self.hear(&namespace, &heard),
                Poll::Ready(Err(error)) => self.fail(error),
            }
            if self.has_ended {
                return;
            }
        }
        panic!("more messages than bytes");
    }

    /// What the board has received is what comes next. Attachments follow their packet and nothing else does.
    fn hear(&mut self, namespace: &str, heard: &Heard) {
        self.expect(namespace, heard);
        match *heard {
            Heard::Event(_, _, id, attachments) => {
                assert!(self.attachments.is_empty(), "an attachment is missing");
                self.attachments = 0..attachments;
                self.asked.extend(id.map(|id| (namespace.to_owned(), id)));
            }
            Heard::Answer(_, _, attachments) => {
                assert!(self.attachments.is_empty(), "an attachment is missing");
                self.attachments = 0..attachments;
            }
            Heard::Attachment(number, _, is_last) => {
                assert_eq!(self.attachments.next(), Some(number));
                assert_eq!(self.attachments.is_empty(), is_last);
            }
            Heard::Disconnected | Heard::Refused(_) => {
                self.asked.retain(|(name, _)| name != namespace);
                // A socket that is refused when it has joined was told of an error of an old server.
                let is_out = *heard == Heard::Disconnected || !self.usage.is_alone;
                if is_out && self.photo.is_some_and(|(name, _)| name == namespace) {
                    self.give_photo_up();
                }
            }
            Heard::Connected | Heard::Invalid => {}
        }
    }

    fn expect(&mut self, namespace: &str, heard: &Heard) {
        if self.is_wild {
            return;
        }
        let next = self.next();
        assert_eq!(next.as_ref().map(|(name, heard)| (&**name, heard)), Some((namespace, heard)));
    }

    /// The board waits, so all that has arrived was received.
    fn expect_nothing(&mut self) {
        if !self.is_wild {
            assert_eq!(self.next(), None);
        }
    }

    fn next(&mut self) -> Option<(String, Heard)> {
        let mut next = self.expected.next();
        // A socket that keeps nothing is told once, when it joins.
        while self.usage.is_alone && !self.usage.recovers && matches!(next, Some((_, Heard::Connected))) {
            next = self.expected.next();
        }
        for namespace in self.expected.left.drain(..) {
            self.wire.may_leave(namespace);
        }
        next
    }

    /// Judges why a call has failed.
    fn fail(&mut self, error: SocketError) {
        match error {
            SocketError::Session(_) => {
                assert!(self.may_end, "it ends without a reason: {error:?}");
                if self.may_lose || self.expected.is_over() {
                    self.wire.is_wild = true;
                } else {
                    self.expect_nothing();
                }
                self.has_ended = true;
            }
            SocketError::Packet(_) => {
                self.expect("", &Heard::Invalid);
                self.may_end = true;
            }
            SocketError::TooLong => assert!(self.is_wild, "everything fits"),
            SocketError::Send(SendError::Unfinished) => assert!(self.owes, "nothing is unfinished"),
            SocketError::Send(SendError::Closed | SendError::Expired) => assert!(self.may_end, "{error:?}"),
            error => panic!("{error:?}"),
        }
    }

    /// Looks at what the board has sent.
    pub(super) fn check_wire(&mut self) {
        let sent = self.server.take();
        for left in self.wire.check(sent, self.usage.is_old) {
            self.expected.note_left(&left);
        }
    }
}
