//! What the tests of the codec share: frames written without it, and two ways to play a stream into it.

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{ControlFrame, Decoded, Decoder, Error, Item, MessageKind, Piece, Reader, Received};

/// The role of the endpoint under test; its peer has the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

impl Role {
    pub(crate) const BOTH: [Self; 2] = [Self::Server, Self::Client];

    pub(crate) fn decoder(self, max_message_len: u32) -> Decoder {
        match self {
            Self::Server => Decoder::server(max_message_len),
            Self::Client => Decoder::client(max_message_len),
        }
    }

    /// What the peer's frames are masked with; `seed` makes keys differ.
    pub(crate) fn peer_key(self, seed: usize) -> Option<[u8; 4]> {
        let key = u32::try_from(seed % 1_000_003).unwrap().wrapping_mul(0x9e37_79b9) ^ 0x37fa_213d;
        (self == Self::Server).then_some(key.to_le_bytes())
    }
}

/// One thing that an endpoint has received, a fragmented message as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<WebSocketMessage<'_>> for Event {
    fn from(message: WebSocketMessage<'_>) -> Self {
        match message {
            WebSocketMessage::Text(text) => Self::Text(text.to_owned()),
            WebSocketMessage::Binary(bytes) => Self::Binary(bytes.to_vec()),
        }
    }
}

impl From<ControlFrame<'_>> for Event {
    fn from(control: ControlFrame<'_>) -> Self {
        match control {
            ControlFrame::Ping(payload) => Self::Ping(payload.to_vec()),
            ControlFrame::Pong(payload) => Self::Pong(payload.to_vec()),
            ControlFrame::Close(body) => {
                Self::Close(body.map(|body| (body.code().as_u16(), body.reason().to_owned())))
            }
        }
    }
}

/// What became of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    /// Why the stream was refused, and how many bytes had been fed by then.
    pub(crate) refused: Option<(Error, usize)>,
}

impl Outcome {
    pub(crate) fn error(&self) -> Option<Error> {
        self.refused.map(|(error, _)| error)
    }
}

/// Plays a stream into a [`Decoder`], as a server with a scratch buffer does.
pub(crate) fn decode<'c>(role: Role, limit: u32, chunks: impl IntoIterator<Item = &'c [u8]>) -> Outcome {
    let mut decoder = role.decoder(limit);
    let mut outcome = Outcome::default();
    let (mut pending, mut message, mut fed) = (Vec::new(), Vec::new(), 0);
    for chunk in chunks {
        pending.extend_from_slice(chunk);
        fed += chunk.len();
        let mut at = 0;
        loop {
            let before = pending[at..pending.len().min(at + 300)].to_vec();
            let Decoded { consumed, item } = match decoder.decode(&mut pending[at..]) {
                Ok(step) => step,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut []), Err(error), "an error is for ever");
                    outcome.refused = Some((error, fed));
                    return outcome;
                }
            };
            let needs_more = item.is_none();
            match item {
                Some(Item::Message(whole)) => outcome.events.push(whole.into()),
                Some(Item::Piece(Piece { kind, bytes, first, last })) => {
                    assert_eq!(first, message.is_empty());
                    assert!(!(first && last), "that would be a whole message");
                    assert!(last || !bytes.is_empty());
                    message.extend_from_slice(bytes);
                    if last {
                        let bytes = core::mem::take(&mut message);
                        outcome.events.push(match kind {
                            MessageKind::Text => Event::Text(String::from_utf8(bytes).unwrap()),
                            MessageKind::Binary => Event::Binary(bytes),
                        });
                    }
                }
                Some(Item::Control(control)) => outcome.events.push(control.into()),
                None => {}
            }
            at += consumed;
            let (rest, same) = (&pending[at..], before.get(consumed..).unwrap_or_default());
            assert!(rest.starts_with(same), "bytes that were not consumed are not touched");
            if needs_more {
                break;
            }
            assert!(consumed > 0, "an item takes bytes");
        }
        pending.drain(..at);
        assert!(pending.len() <= Decoder::MAX_INCOMPLETE, "{} bytes are left", pending.len());
    }
    outcome
}

/// Plays a stream into a [`Reader`] whose buffer is as small as the limit allows, as a firmware does.
pub(crate) fn read<'c>(role: Role, limit: u32, chunks: impl IntoIterator<Item = &'c [u8]>) -> Outcome {
    let mut buffer = vec![0; usize::try_from(limit).unwrap() + Reader::OVERHEAD];
    let mut reader = Reader::new(role.decoder(u32::MAX), &mut buffer).unwrap();
    let mut outcome = Outcome::default();
    let mut fed = 0;
    for mut chunk in chunks {
        while !chunk.is_empty() {
            let spare = reader.spare();
            let len = spare.len().min(chunk.len());
            assert!(len > 0, "a drained reader has room");
            spare[..len].copy_from_slice(&chunk[..len]);
            // What was never reported as received is never seen.
            spare[len..].iter_mut().take(200).for_each(|byte| *byte = 0xee);
            reader.filled(len);
            chunk = &chunk[len..];
            fed += len;
            loop {
                match reader.poll() {
                    Ok(Some(Received::Message(message))) => outcome.events.push(message.into()),
                    Ok(Some(Received::Control(control))) => outcome.events.push(control.into()),
                    Ok(Some(Received::Piece(piece))) => panic!("in pieces unasked: {piece:?}"),
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(reader.poll(), Err(error), "an error is for ever");
                        outcome.refused = Some((error, fed));
                        return outcome;
                    }
                }
            }
        }
    }
    outcome
}

/// A frame, written without the codec: `first` is the whole first byte.
pub(crate) fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let length_form = match payload.len() {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    frame_with_length(first, key, payload, length_form)
}

/// The same with a length in this number of extra bytes, needed or not: 0, 2 or 8.
pub(crate) fn frame_with_length(
    first: u8,
    key: Option<[u8; 4]>,
    payload: &[u8],
    length_form: usize,
) -> Vec<u8> {
    let len = payload.len() as u64;
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match length_form {
        0 => bytes.push(mask_bit | u8::try_from(len).unwrap()),
        2 => {
            bytes.push(mask_bit | 0x7e);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 0x7f);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend(key.iter().flatten());
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key.map_or(0, |key| key[i % 4])));
    bytes
}

/// `bytes` cut at these places, which are taken modulo its length.
pub(crate) fn cut<'b>(bytes: &'b [u8], places: &[usize]) -> Vec<&'b [u8]> {
    let mut places: Vec<_> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut from = 0;
    places.iter().map(|&to| &bytes[core::mem::replace(&mut from, to)..to]).collect()
}
