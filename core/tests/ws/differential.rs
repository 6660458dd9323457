//! The codec beside tungstenite: random streams, valid and mutated, cut at random borders.
//!
//! Both see the same bytes. They must hand out the same messages and control frames, and refuse the same streams.
//! We refuse more, or earlier, in these ways only:
//!
//! 1. a flaw is refused at the byte that shows it; tungstenite waits for the whole frame, and so is given the rest
//!    of the last frame here before it is asked for its verdict;
//! 2. a length that is not in its shortest form is refused (in a control frame, as too long); tungstenite takes it;
//! 3. a close frame with a code that must not travel is refused; tungstenite reports a close with code 1002;
//! 4. and one such code, 1014, may travel, since the IANA registry has it; tungstenite does not know it;
//! 5. more than `MAX_EMPTY_FRAGMENTS` empty fragments in one message are refused; tungstenite takes any number. (Only
//!    the fuzzer's streams are long enough; a unit test holds it.)
//!
//! After a close frame neither is asked for more: we ignore what follows, as the RFC says; tungstenite does so for
//! a while.

use std::io::{self, Read, Write};

use eio_core::ws::Error;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::support::{self, Event, Role};

const LIMIT: u32 = 400;

proptest! {
    #[test]
    fn valid_streams_are_taken_by_both(
        role in role(), messages in vec(message(), 0..8), places in vec(any::<usize>(), 0..12),
    ) {
        let (bytes, events) = write(role, &messages);
        let chunks = support::cut(&bytes, &places);
        let ours = support::decode(role, LIMIT, chunks.iter().copied());
        prop_assert_eq!(ours.error(), None);
        prop_assert_eq!(&ours.events, &events);
        prop_assert_eq!(&support::read(role, LIMIT, chunks.iter().copied()), &ours);
        let (theirs, verdict) = tungstenite(role, &chunks);
        prop_assert!(verdict.is_none(), "{verdict:?}");
        prop_assert_eq!(theirs, events);
    }

    #[test]
    fn mutated_streams_meet_the_same_verdict(
        role in role(), messages in vec(message(), 1..6), mutations in vec(mutation(), 1..4),
        places in vec(any::<usize>(), 0..12),
    ) {
        let (mut bytes, _) = write(role, &messages);
        for mutation in &mutations {
            mutation.apply(&mut bytes);
        }
        agree(role, &bytes, &places)?;
    }

    #[test]
    fn random_frames_meet_the_same_verdict(
        role in role(), frames in vec(any_frame(), 1..8), places in vec(any::<usize>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for (i, frame) in frames.iter().enumerate() {
            // One in eight has the wrong masking for the role.
            let key = if frame.wrong_mask { [9; 4].into() } else { role.peer_key(i) };
            let key = key.filter(|_| !(frame.wrong_mask && role == Role::Server));
            bytes.extend(support::frame_with_length(frame.first, key, &frame.payload, frame.length_form));
        }
        agree(role, &bytes, &places)?;
    }

    #[test]
    fn noise_meets_the_same_verdict(
        role in role(), bytes in vec(any::<u8>(), 0..64), places in vec(any::<usize>(), 0..4),
    ) {
        agree(role, &bytes, &places)?;
    }
}

/// Plays the stream into both, and allows no other differences than those of the head of this file.
pub(crate) fn agree(role: Role, bytes: &[u8], places: &[usize]) -> Result<(), TestCaseError> {
    let mut chunks = support::cut(bytes, places);
    let ours = support::decode(role, LIMIT, chunks.iter().copied());
    let in_one_piece = support::decode(role, LIMIT, [bytes]);
    prop_assert_eq!((&ours.events, ours.error()), (&in_one_piece.events, in_one_piece.error()));
    let in_a_buffer = support::read(role, LIMIT, chunks.iter().copied());
    prop_assert_eq!((&ours.events, ours.error()), (&in_a_buffer.events, in_a_buffer.error()));

    // Difference 1: what is missing of the last frame.
    let rest = if ours.error().is_some() { vec![0; missing(bytes)] } else { Vec::new() };
    chunks.push(&rest);
    let (theirs, verdict) = tungstenite(role, &chunks);
    match (ours.error(), verdict) {
        (None, None) if matches!(ours.events.last(), Some(Event::Close(Some((1014, _))))) => {
            let close = ours.events.len() - 1;
            prop_assert_eq!(&ours.events[..close], &theirs[..close]);
            prop_assert_eq!(theirs.len(), ours.events.len());
        }
        (
            Some(
                Error::NonMinimalLength
                | Error::ControlTooLong
                | Error::InvalidCloseCode(_)
                | Error::EmptyFragments,
            ),
            _,
        ) => {
            prop_assert!(theirs.starts_with(&ours.events), "{:?} and {:?}", ours.events, theirs);
        }
        (error, verdict) => {
            prop_assert_eq!(error.is_some(), verdict.is_some(), "{:?} and {:?}", error, verdict);
            prop_assert_eq!(ours.events, theirs, "{:?} and {:?}", error, verdict);
        }
    }
    Ok(())
}

/// How many bytes the last frame of the stream lacks, if each is taken as it says it is.
fn missing(mut bytes: &[u8]) -> usize {
    let mut added = 0;
    loop {
        // A header cut short is completed with zeros.
        let mut header = bytes.iter().copied().chain(core::iter::repeat(0));
        let second = header.nth(1).unwrap();
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let number = header.by_ref().take(extended).fold(0_u64, |number, byte| number << 8 | u64::from(byte));
        let len = if extended == 0 { u64::from(second & 0x7f) } else { number };
        let header_len = 2 + extended + if second & 0x80 == 0 { 0 } else { 4 };
        if bytes.is_empty() {
            return added;
        }
        let Some(frame_len) =
            usize::try_from(len).ok().filter(|len| *len <= 1 << 20).map(|len| header_len + len)
        else {
            // Too long for both.
            return added + header_len.saturating_sub(bytes.len());
        };
        if frame_len > bytes.len() {
            added += frame_len - bytes.len();
            return added;
        }
        bytes = &bytes[frame_len..];
    }
}

/// What tungstenite hands out, and why it refuses, if it does.
fn tungstenite(role: Role, chunks: &[&[u8]]) -> (Vec<Event>, Option<tungstenite::Error>) {
    let limit = usize::try_from(LIMIT).unwrap();
    let config = WebSocketConfig::default()
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit))
        .read_buffer_size(256)
        .write_buffer_size(0);
    let role = match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    let wire = Wire(chunks.iter().flat_map(|chunk| chunk.chunks(200)).map(<[u8]>::to_vec).rev().collect());
    let mut socket = WebSocket::from_raw_socket(wire, role, Some(config));
    let mut events = Vec::new();
    loop {
        let event = match socket.read() {
            Ok(Message::Text(text)) => Event::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Event::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Event::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Event::Pong(payload.to_vec()),
            Ok(Message::Close(body)) => {
                let body = body.map(|body| (u16::from(body.code), body.reason.as_str().to_owned()));
                events.push(Event::Close(body));
                return (events, None);
            }
            Ok(Message::Frame(frame)) => panic!("{frame:?}"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (events, None);
            }
            Err(error) => return (events, Some(error)),
        };
        events.push(event);
    }
}

/// Gives its chunks one by one, last first, and then blocks; takes every write.
struct Wire(Vec<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(mut chunk) = self.0.pop() {
            let len = chunk.len().min(out.len());
            out[..len].copy_from_slice(&chunk[..len]);
            if len < chunk.len() {
                self.0.push(chunk.split_off(len));
            }
            if len > 0 {
                return Ok(len);
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Sent {
    /// A message in fragments cut at these places, with a control frame after each that has one.
    Message {
        event: Event,
        places: Vec<Index>,
        between: Vec<Option<Event>>,
    },
    Control(Event),
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

fn message() -> impl Strategy<Value = Sent> {
    let payload = prop_oneof![
        // Characters of every length.
        vec(prop_oneof![any::<char>(), proptest::char::range(' ', '~')], 0..60)
            .prop_map(|chars| Event::Text(chars.into_iter().collect())),
        vec(any::<u8>(), 0..=400).prop_map(Event::Binary),
        vec(any::<u8>(), 120..140).prop_map(Event::Binary),
    ];
    let data = (payload, vec(any::<Index>(), 0..5), vec(proptest::option::of(control()), 6))
        .prop_map(|(event, places, between)| Sent::Message { event, places, between });
    prop_oneof![3 => data, 1 => control().prop_map(Sent::Control)]
}

fn control() -> impl Strategy<Value = Event> {
    let payload = prop_oneof![vec(any::<u8>(), 0..10), vec(any::<u8>(), 0..=125)];
    (payload, any::<bool>())
        .prop_map(|(payload, ping)| if ping { Event::Ping(payload) } else { Event::Pong(payload) })
}

/// The wire form of the messages, a close frame last, and what a receiver should see.
fn write(role: Role, messages: &[Sent]) -> (Vec<u8>, Vec<Event>) {
    let (mut bytes, mut events) = (Vec::new(), Vec::new());
    let push = |bytes: &mut Vec<u8>, first, payload: &[u8]| {
        let frame = support::frame(first, role.peer_key(bytes.len()), payload);
        bytes.extend(frame);
    };
    let push_control = |bytes: &mut Vec<u8>, event: &Event| match event {
        Event::Ping(payload) => push(bytes, 0x89, payload),
        Event::Pong(payload) => push(bytes, 0x8a, payload),
        _ => unreachable!(),
    };
    for message in messages {
        match message {
            Sent::Control(event) => {
                push_control(&mut bytes, event);
                events.push(event.clone());
            }
            Sent::Message { event, places, between } => {
                let (opcode, payload) = match event {
                    Event::Text(text) => (1, text.as_bytes()),
                    Event::Binary(bytes) => (2, &bytes[..]),
                    _ => unreachable!(),
                };
                let places: Vec<_> = places.iter().map(|place| place.index(payload.len() + 1)).collect();
                let fragments = support::cut(payload, &places);
                for (i, fragment) in fragments.iter().enumerate() {
                    let last = i + 1 == fragments.len();
                    let first = u8::from(last) << 7 | if i == 0 { opcode } else { 0 };
                    push(&mut bytes, first, fragment);
                    if let Some(control) = between[i].as_ref().filter(|_| !last) {
                        push_control(&mut bytes, control);
                        events.push(control.clone());
                    }
                }
                events.push(event.clone());
            }
        }
    }
    push(&mut bytes, 0x88, b"\x03\xe8bye");
    events.push(Event::Close(Some((1000, "bye".to_owned()))));
    (bytes, events)
}

#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
            Self::Truncate(at) => bytes.truncate(at.index(len)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        1 => any::<Index>().prop_map(Mutation::Remove),
        1 => any::<Index>().prop_map(Mutation::Truncate),
    ]
}

#[derive(Clone, Debug)]
struct AnyFrame {
    first: u8,
    payload: Vec<u8>,
    length_form: usize,
    wrong_mask: bool,
}

/// Frames that are well formed more often than not: only so does a stream get to its later rules.
fn any_frame() -> impl Strategy<Value = AnyFrame> {
    let first = prop_oneof![
        12 => proptest::sample::select(&[0x00_u8, 0x80, 0x01, 0x81, 0x02, 0x82, 0x89, 0x8a][..]),
        2 => Just(0x88_u8),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zß€😀]{0,40}".prop_map(String::into_bytes),
        // Pieces of characters: sometimes they add up.
        3 => vec(proptest::sample::select(&b"\xf0\x9f\x98\x80\xe2\x82\xacz"[..]), 0..6),
        1 => Just(b"\xf0\x9f".to_vec()),
        1 => Just(b"\x98\x80".to_vec()),
        1 => vec(any::<u8>(), 0..200),
        1 => (995_u16..1020).prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    let wrong_mask = proptest::bool::weighted(0.04);
    (first, payload, proptest::bool::weighted(0.04), wrong_mask).prop_map(
        |(first, payload, long_length, wrong_mask)| {
            let length_form = if payload.len() > 125 || long_length { 2 } else { 0 };
            AnyFrame { first, payload, length_form, wrong_mask }
        },
    )
}
