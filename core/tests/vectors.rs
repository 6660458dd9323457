//! Every codec vector recorded from the reference implementations holds, or stands in the table of stricter verdicts.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use core::ops::Range;

use eio_core::packet::{
    self, Base64, Data, DecodeError, DecodeErrorKind, Packet, PacketType, WebSocketMessage,
};
use eio_core::payload::{self, DEFAULT_MAX_PACKETS, v3::Framing};
use eio_core::{BufferTooSmall, Revision};
use eio_tests::vectors::{Bytes, OWN, Tally, load};
use serde_json::Value;

/// Input that the reference accepts and we refuse, by what is peculiar about it.
struct Stricter {
    behaviour: &'static str,
    reason: &'static str,
    /// Whether the refused input shows that behaviour. Looks at the input itself: an error of ours proves nothing.
    shown: fn(&Refused<'_>) -> bool,
}

const SEPARATOR: &str = "text with U+001E that is to be encoded in a payload of revision 4";
const LONE_SURROGATE: &str = "text that is not UTF-8, such as a lone surrogate";

const STRICTER: [Stricter; 8] = [
    Stricter {
        behaviour: LONE_SURROGATE,
        reason: "no string and no text frame can carry it (RFC 3629 section 3, RFC 6455 section 8.1); the \
                 reference replaces it with U+FFFD",
        shown: |refused| {
            matches!(refused.input.get(refused.at..), Some([0xed, 0xa0..=0xbf, ..]))
                && refused.kind == DecodeErrorKind::InvalidUtf8
        },
    },
    Stricter {
        behaviour: "junk in base64",
        reason: "skipping invalid characters hides corruption; the reference leaves it to Node's decoder",
        shown: |refused| {
            let packet = refused.packet();
            let type_len = if refused.form.is_revision_3() { 2 } else { 1 };
            packet.first() == Some(&b'b')
                && packet.get(type_len..).is_some_and(|text| !is_base64(text) || !packet.is_ascii())
                && refused.theirs.is_some_and(|theirs| matches!(theirs.data, Bytes::Binary(_)))
        },
    },
    Stricter {
        behaviour: "no type, or an unknown one, in a binary packet",
        reason: "the reference passes an undefined type to its application and continues; a peer that \
                 sends one is broken, and the reference also refuses it in text",
        shown: |refused| {
            refused.theirs.is_some_and(|theirs| theirs.packet_type.is_none())
                && matches!(refused.kind, DecodeErrorKind::UnknownType(_) | DecodeErrorKind::Empty)
        },
    },
    Stricter {
        behaviour: "a length that is not plain decimal digits",
        reason: "no client writes the other forms that JavaScript reads as a number (spaces, signs, \
                 fractions, exponents, hexadecimal), and two readers that disagree on a length let a peer \
                 smuggle packets",
        shown: |refused| {
            let byte = refused.input.get(refused.at).copied();
            refused.kind == DecodeErrorKind::InvalidLength
                && match refused.form {
                    Form::Payload3(Framing::Text) => byte.is_some_and(|byte| !matches!(byte, b'0'..=b':')),
                    Form::Payload3(Framing::Binary) => byte.is_some_and(|byte| byte > 9),
                    _ => false,
                }
        },
    },
    Stricter {
        behaviour: "a length that splits a surrogate pair",
        reason: "it would deliver half a character, which no string can hold",
        shown: |refused| {
            let rest = String::from_utf8_lossy(refused.input.get(refused.at..).unwrap_or_default());
            let Some((length, rest)) = rest.split_once(':') else { return false };
            let units: Vec<u16> = rest.encode_utf16().collect();
            refused.form == Form::Payload3(Framing::Text)
                && length.parse().is_ok_and(|length: usize| {
                    length > 0
                        && matches!(units.get(length - 1..=length), Some([0xd800..=0xdbff, 0xdc00..=0xdfff]))
                })
        },
    },
    Stricter {
        behaviour: "a length beyond the end in binary framing",
        reason: "the body was cut off on its way; half a message must not pass for a whole one, and the \
                 reference also refuses it in text framing",
        shown: |refused| {
            let rest = refused.input.get(refused.at..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == 0xff);
            refused.form == Form::Payload3(Framing::Binary)
                && end.is_some_and(|end| digits_to_length(&rest[..end]) > rest.len() - end - 1)
        },
    },
    Stricter {
        behaviour: "a marker other than 0 and 1 in binary framing",
        reason: "the protocol has no other marker, so the framing is lost; the reference reads it as 1",
        shown: |refused| {
            refused.form == Form::Payload3(Framing::Binary)
                && refused.input.get(refused.at).is_some_and(|marker| *marker > 1)
                && matches!(refused.kind, DecodeErrorKind::InvalidMarker(_))
        },
    },
    Stricter {
        behaviour: SEPARATOR,
        reason: "the peer would read two packets, and the second could be of any type",
        // No decoder can know it.
        shown: |_| false,
    },
];

#[test]
fn every_vector_of_revision_4_holds_or_is_refused_for_a_documented_reason() {
    run("eio4.json", Revision::V4);
}

#[test]
fn every_vector_of_revision_3_holds_or_is_refused_for_a_documented_reason() {
    run("eio3.json", Revision::V3);
}

#[test]
fn the_documentation_lists_what_is_refused_and_why() {
    for entry in STRICTER {
        let row = format!("//! | {} | {} |\n", entry.behaviour, entry.reason);
        assert!(include_str!("../src/payload.rs").contains(&row), "the table lacks:\n{row}");
    }
}

fn run(file: &str, revision: Revision) {
    let mut tally = Tally::default();
    for vector in &load(OWN, file) {
        match vector["op"].as_str() {
            Some("encode_packet") => encode_packet(vector, revision, &mut tally),
            Some("encode_payload") => encode_payload(vector, revision, &mut tally),
            Some("decode_packet") => decode_packet(vector, revision, &mut tally),
            Some("decode_payload") => decode_payload(vector, revision, &mut tally),
            op => panic!("{}: unknown op {op:?}", vector["id"]),
        }
    }
    tally.finish(file);
}

/// What a decoder was given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Packet3,
    Packet4,
    Payload3(Framing),
    Payload4,
}

impl Form {
    fn is_revision_3(self) -> bool {
        matches!(self, Self::Packet3 | Self::Payload3(_))
    }
}

/// A packet as the vectors have it; no type is JavaScript's `undefined`.
#[derive(Clone, Debug, PartialEq)]
struct Decoded {
    packet_type: Option<PacketType>,
    data: Bytes,
}

impl Decoded {
    fn read(value: &Value) -> Self {
        let packet_type = value["type"].as_str().map(|name| {
            let types = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
            let digit = types.iter().position(|known| *known == name).expect("a packet type");
            PacketType::from_digit(u8::try_from(digit).unwrap()).unwrap()
        });
        Self { packet_type, data: Bytes::read(&value["data"]) }
    }

    fn of(packet: &Packet<'_>) -> Self {
        let data = match packet.data {
            Data::Text(text) => Bytes::Text(text.encode_utf16().collect()),
            Data::Binary(bytes) => Bytes::Binary(bytes.to_vec()),
            Data::Base64(text) => {
                let mut bytes = vec![0; text.decoded_len()];
                text.decode(&mut bytes).unwrap();
                Bytes::Binary(bytes)
            }
        };
        Self { packet_type: Some(packet.packet_type), data }
    }
}

/// What a decoder made of its input: the packets before the first error, and whether there was one.
#[derive(Debug)]
struct Verdict {
    packets: Vec<Decoded>,
    error: bool,
}

impl Verdict {
    fn read(value: &Value) -> Self {
        let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let packets = list.iter().take_while(|packet| packet.get("error").is_none()).map(Decoded::read);
        Self { packets: packets.collect(), error: list.iter().any(|packet| packet.get("error").is_some()) }
    }
}

/// Input that we refused, and the packet that the reference found there, if any.
struct Refused<'a> {
    form: Form,
    input: &'a [u8],
    kind: DecodeErrorKind,
    at: usize,
    theirs: Option<&'a Decoded>,
}

impl Refused<'_> {
    /// The text of the packet in which the error lies, found without the decoder.
    fn packet(&self) -> &[u8] {
        let range = match self.form {
            Form::Packet3 | Form::Packet4 => 0..self.input.len(),
            Form::Payload4 => {
                let is_end = |byte: &u8| *byte == 0x1e;
                let start = self.input[..self.at].iter().rposition(is_end).map_or(0, |end| end + 1);
                let end = self.input[self.at..].iter().position(is_end);
                start..end.map_or(self.input.len(), |end| self.at + end)
            }
            Form::Payload3(framing) => packets_of_revision_3(framing, self.input)
                .into_iter()
                .find(|range| range.start < self.at && self.at <= range.end)
                .unwrap_or_default(),
        };
        &self.input[range]
    }
}

/// Where the packets of a well-framed payload of revision 3 are.
fn packets_of_revision_3(framing: Framing, body: &[u8]) -> Vec<Range<usize>> {
    let mut packets = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let (head, end_of_head) = if framing == Framing::Text { (0, b':') } else { (1, 0xff) };
        let Some(digits) = body[at + head..].iter().position(|byte| *byte == end_of_head) else { break };
        let length = digits_to_length(&body[at + head..][..digits]);
        let start = at + head + digits + 1;
        let bytes = match framing {
            Framing::Binary => length,
            Framing::Text => {
                let mut units = 0;
                let text = String::from_utf8_lossy(&body[start..]);
                let covered = text.chars().take_while(|character| {
                    units += character.len_utf16();
                    units <= length
                });
                covered.map(char::len_utf8).sum()
            }
        };
        at = start.saturating_add(bytes).min(body.len());
        packets.push(start..at);
    }
    packets
}

/// The number whose decimal digits are `digits`, in ASCII or as numbers.
fn digits_to_length(digits: &[u8]) -> usize {
    digits
        .iter()
        .fold(0_usize, |number, digit| number.saturating_mul(10).saturating_add(usize::from(digit & 15)))
}

/// Whether `text` is what we accept as base64: symbols of either alphabet, no single one left over, up to two `=`.
fn is_base64(text: &[u8]) -> bool {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    text.len() % 4 != 1 && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte))
}

fn decode_packet(vector: &Value, revision: Revision, tally: &mut Tally) {
    let bytes = Bytes::read(&vector["in"]);
    let wire = bytes.to_wire();
    let form = if revision == Revision::V3 { Form::Packet3 } else { Form::Packet4 };
    let frame = match bytes {
        Bytes::Binary(_) => Ok(WebSocketMessage::Binary(&wire)),
        Bytes::Text(_) => core::str::from_utf8(&wire).map(WebSocketMessage::Text),
    };
    let packet = match frame {
        Ok(frame) if revision == Revision::V3 => packet::v3::decode(frame),
        Ok(frame) => packet::v4::decode(frame),
        // What the WebSocket layer says to such a frame.
        Err(error) => {
            let error = (DecodeErrorKind::InvalidUtf8, error.valid_up_to());
            return judge(vector, form, &wire, &[], Some(error), tally);
        }
    };
    judge_all(vector, form, &wire, [packet].into_iter(), tally);
}

fn decode_payload(vector: &Value, revision: Revision, tally: &mut Tally) {
    let bytes = Bytes::read(&vector["in"]);
    let wire = bytes.to_wire();
    if revision == Revision::V4 {
        judge_all(vector, Form::Payload4, &wire, payload::v4::decode(&wire, DEFAULT_MAX_PACKETS), tally);
    } else {
        let framing = if matches!(bytes, Bytes::Text(_)) { Framing::Text } else { Framing::Binary };
        let packets = payload::v3::decode(framing, &wire, DEFAULT_MAX_PACKETS);
        judge_all(vector, Form::Payload3(framing), &wire, packets, tally);
    }
}

fn judge_all<'a>(
    vector: &Value,
    form: Form,
    input: &[u8],
    results: impl Iterator<Item = Result<Packet<'a>, DecodeError>>,
    tally: &mut Tally,
) {
    let mut packets = Vec::new();
    let mut error = None;
    for result in results {
        assert_eq!(error, None, "{}: something follows an error", vector["id"]);
        match result {
            Ok(packet) => packets.push(Decoded::of(&packet)),
            Err(refusal) => error = Some((refusal.kind, refusal.at)),
        }
    }
    judge(vector, form, input, &packets, error, tally);
}

fn judge(
    vector: &Value,
    form: Form,
    input: &[u8],
    packets: &[Decoded],
    error: Option<(DecodeErrorKind, usize)>,
    tally: &mut Tally,
) {
    let theirs: Vec<_> = verdicts(vector).map(Verdict::read).collect();
    if theirs.iter().any(|theirs| theirs.packets == packets && theirs.error == error.is_some()) {
        return tally.held();
    }
    let explanation = error.and_then(|(kind, at)| {
        // Where we refuse, the reference finds another packet, or nothing at all, as behind a length of minus zero.
        let accepting = theirs.iter().find(|theirs| {
            theirs.packets.starts_with(packets) && (theirs.packets.len() > packets.len() || !theirs.error)
        })?;
        let refused = Refused { form, input, kind, at, theirs: accepting.packets.get(packets.len()) };
        STRICTER.iter().find(|entry| (entry.shown)(&refused))
    });
    match explanation {
        Some(entry) => tally.stricter(entry.behaviour),
        None => tally.mismatch(vector, &(packets, error), &theirs),
    }
}

/// The verdicts of the reference's parsers: that of its own revision, and that of engine.io 6 where it differs.
fn verdicts(vector: &Value) -> impl Iterator<Item = &Value> {
    [vector.get("out"), vector.get("out_engineio6")].into_iter().flatten()
}

/// A packet that owns its data, binary data also as base64: both must be encoded alike.
struct Owned {
    packet_type: PacketType,
    text: Option<String>,
    bytes: Vec<u8>,
    base64: String,
}

impl Owned {
    /// None when the data is text with lone surrogates.
    fn read(value: &Value) -> Option<Self> {
        let decoded = Decoded::read(value);
        let (text, base64) = match decoded.data {
            Bytes::Text(_) => (Some(decoded.data.to_text()?), ""),
            Bytes::Binary(_) => (None, value["data"]["base64"].as_str().unwrap()),
        };
        Some(Self {
            packet_type: decoded.packet_type.unwrap(),
            text,
            bytes: decoded.data.to_wire(),
            base64: base64.to_owned(),
        })
    }

    fn packet(&self, as_base64: bool) -> Packet<'_> {
        let data = match &self.text {
            Some(text) => Data::Text(text),
            None if as_base64 => Data::Base64(Base64::new(&self.base64).unwrap()),
            None => Data::Binary(&self.bytes),
        };
        Packet { packet_type: self.packet_type, data }
    }
}

fn encode_packet(vector: &Value, revision: Revision, tally: &mut Tally) {
    let Some(owned) = Owned::read(&vector["packet"]) else { return tally.stricter(LONE_SURROGATE) };
    let supports_binary = vector["supports_binary"].as_bool().unwrap_or(true);
    let ours = [false, true].map(|as_base64| {
        let packet = owned.packet(as_base64);
        let (text, bytes) = in_exact_buffer(|out| {
            match revision {
                Revision::V3 => packet::v3::encode(&packet, supports_binary, out),
                Revision::V4 => packet::v4::encode(&packet, supports_binary, out),
            }
            .map(|frame| match frame {
                WebSocketMessage::Text(text) => (true, text.as_bytes().to_vec()),
                WebSocketMessage::Binary(bytes) => (false, bytes.to_vec()),
            })
        });
        if !text {
            Bytes::Binary(bytes)
        } else if vector["utf8encode"] == true {
            // JavaScript's "binary string": a character for each byte.
            Bytes::Text(bytes.into_iter().map(u16::from).collect())
        } else {
            Bytes::Text(String::from_utf8(bytes).unwrap().encode_utf16().collect())
        }
    });
    compare(vector, &ours, tally);
}

fn too_small(error: payload::v4::EncodeError) -> BufferTooSmall {
    match error {
        payload::v4::EncodeError::BufferTooSmall(error) => error,
        error => panic!("{error}"),
    }
}

fn encode_payload(vector: &Value, revision: Revision, tally: &mut Tally) {
    let packets = vector["packets"].as_array().expect("packets").iter().map(Owned::read);
    let Some(packets) = packets.collect::<Option<Vec<_>>>() else { return tally.stricter(LONE_SURROGATE) };
    let forges = |packet: &Owned| payload::v4::find_separator(&packet.packet(false)).is_some();
    if revision == Revision::V4 && packets.iter().any(forges) {
        let mut out = [0; 64];
        let mut encoder = payload::v4::Encoder::new(&mut out);
        let refused = packets.iter().try_for_each(|packet| encoder.push(&packet.packet(false)));
        assert!(matches!(refused, Err(payload::v4::EncodeError::Separator { .. })), "{vector}");
        return tally.stricter(SEPARATOR);
    }
    let supports_binary = vector["supports_binary"].as_bool().unwrap_or(true);
    let ours = [false, true].map(|as_base64| {
        let packets: Vec<_> = packets.iter().map(|packet| packet.packet(as_base64)).collect();
        let framing = Framing::of(&packets, supports_binary);
        let body = in_exact_buffer(|out| match revision {
            Revision::V3 => {
                let mut encoder = payload::v3::Encoder::new(framing, out);
                packets.iter().try_for_each(|packet| encoder.push(packet))?;
                Ok(encoder.finish().to_vec())
            }
            Revision::V4 => {
                let mut encoder = payload::v4::Encoder::new(out);
                packets.iter().try_for_each(|packet| encoder.push(packet)).map_err(too_small)?;
                Ok(encoder.finish().to_vec())
            }
        });
        if revision == Revision::V3 && framing == Framing::Binary {
            Bytes::Binary(body)
        } else {
            Bytes::Text(String::from_utf8(body).unwrap().encode_utf16().collect())
        }
    });
    if vector["out"]["never_called_back"] == true {
        // The reference makes no payload of no packets, and neither do we.
        if ours.iter().all(|body| body.to_wire().is_empty()) { tally.held() } else { panic!("{ours:?}") }
    } else {
        compare(vector, &ours, tally);
    }
}

fn compare(vector: &Value, ours: &[Bytes; 2], tally: &mut Tally) {
    let theirs: Vec<_> = verdicts(vector).map(Bytes::read).collect();
    if ours.iter().all(|ours| theirs.contains(ours)) {
        tally.held();
    } else {
        tally.mismatch(vector, ours, &theirs);
    }
}

/// Gives `encode` a larger buffer each time it asks for one, exactly as large as it asks.
fn in_exact_buffer<T>(mut encode: impl FnMut(&mut [u8]) -> Result<T, BufferTooSmall>) -> T {
    let mut buffer = Vec::new();
    loop {
        match encode(&mut buffer) {
            Ok(output) => return output,
            Err(error) => {
                assert!(error.needed > buffer.len(), "asks for no more than it has");
                buffer.resize(error.needed, 0);
            }
        }
    }
}
