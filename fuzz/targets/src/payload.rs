//! Polling payloads of both revisions, and JSONP.

use eio_core::Revision;
use eio_core::packet::{DecodeErrorKind, Packet};
use eio_core::payload::v3::Framing;
use eio_core::payload::{Format, jsonp, v3, v4};
use serde_json::Value;

use crate::packet::{assert_points_into, owned};
use crate::recordings;

/// The first byte is the limit of packets; the rest is a body.
pub(crate) fn run(data: &[u8]) {
    let Some((&limit, body)) = data.split_first() else { return };
    let limit = if limit == 0 { usize::MAX } else { limit.into() };
    for (format, framing) in
        [(Format::V4, Framing::Text), (Format::V3, Framing::Text), (Format::V3, Framing::Binary)]
    {
        let mut decoder = format.decode(framing, body, limit);
        let mut packets = Vec::new();
        let error = loop {
            match decoder.next() {
                Some(Ok(packet)) => packets.push(packet),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        assert!(decoder.next().is_none(), "nothing follows the end");
        assert!(packets.len() <= limit);
        match error {
            Some(error) if error.kind == DecodeErrorKind::TooManyPackets => {
                assert_eq!(packets.len(), limit);
                // The one too many may be empty, at the end.
                assert!(error.at <= body.len());
            }
            Some(error) => assert_points_into(body, error),
            None => {}
        }
        survive(format, framing, &packets, error.is_none().then_some(body));
    }
    assert_jsonp(body);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let bodies = recordings::vectors(&["eio3.json", "eio4.json"]).chain(recordings::bodies());
    bodies.map(|body| [&[0][..], &body].concat()).collect()
}

/// Packets survive being encoded and decoded again. They come out as the body that they came from, if it `was` one.
fn survive(format: Format, framing: Framing, packets: &[Packet<'_>], was: Option<&[u8]>) {
    // No body is no packet.
    if packets.is_empty() {
        return;
    }
    let layout = format.layout(packets.iter().copied());
    let mut out = vec![0; layout.len()];
    let encoded = layout.encode(packets.iter().copied(), &mut out).expect("packets of a body fit into one");
    assert_eq!(encoded.len(), layout.len());
    let again: Vec<_> = format
        .decode(layout.framing(), encoded, usize::MAX)
        .map(|packet| owned(&packet.expect("a packet that was encoded")))
        .collect();
    let expected: Vec<_> = packets.iter().map(owned).collect();
    assert_eq!(again, expected);
    if let (Format::V4, Some(was)) = (format, was)
        && packets.iter().all(|packet| !packet.data.is_binary())
    {
        assert_eq!(encoded, was);
    }
    one_by_one(format, framing, packets);
    if let (Format::V3, Some(was)) = (format, was) {
        assert_framed_alike(framing, packets, was);
    }
}

/// Each packet of revision 3 comes out as the bytes that it came from, except for zeros in front of its length. Of base64
/// there are several forms.
fn assert_framed_alike(framing: Framing, packets: &[Packet<'_>], was: &[u8]) {
    if framing == Framing::Text && packets.iter().any(|packet| packet.data.is_binary()) {
        return;
    }
    let head = usize::from(framing == Framing::Binary);
    let mut rest = was;
    for packet in packets {
        rest = after_nothing(framing, rest);
        let mut out = vec![0; Revision::V3.encoded_len(packet, false) + 32];
        let mut encoder = v3::Encoder::new(framing, &mut out);
        encoder.push(packet).expect("room");
        let (marked, framed) = encoder.finish().split_at(head);
        rest = rest.strip_prefix(marked).expect("the same marker");
        rest = without_zeros(framing, rest).strip_prefix(framed).expect("the same bytes");
    }
    assert!(after_nothing(framing, rest).is_empty(), "{} bytes are of no packet", rest.len());
}

fn without_zeros(framing: Framing, length: &[u8]) -> &[u8] {
    let zero = if framing == Framing::Text { b'0' } else { 0 };
    let zeros = length.iter().take_while(|byte| **byte == zero).count();
    &length[zeros..]
}

/// What follows the lengths that are zero.
fn after_nothing(framing: Framing, body: &[u8]) -> &[u8] {
    let marked = if framing == Framing::Text { Some(body) } else { body.get(1..) };
    let end: &[u8] = if framing == Framing::Text { b":" } else { b"\xff" };
    match marked.and_then(|length| without_zeros(framing, length).strip_prefix(end)) {
        Some(rest) => after_nothing(framing, rest),
        None => body,
    }
}

/// The encoders that take one packet after the other write what the layout has announced.
fn one_by_one(format: Format, framing: Framing, packets: &[Packet<'_>]) {
    let len = |packet: &Packet<'_>| format.revision().encoded_len(packet, false) + 32;
    let mut out = vec![0; packets.iter().map(len).sum()];
    if format.revision() == Revision::V4 {
        let mut encoder = v4::Encoder::new(&mut out);
        for packet in packets {
            encoder.push(packet).expect("room");
        }
        let mut expected = vec![0; encoder.len()];
        let layout = Format::V4.layout(packets.iter().copied());
        let expected = layout.encode(packets.iter().copied(), &mut expected).expect("room");
        assert_eq!(encoder.finish(), expected);
    } else {
        let mut encoder = v3::Encoder::new(framing, &mut out);
        for packet in packets {
            encoder.push(packet).expect("room");
        }
        let decoded = v3::decode(framing, encoder.finish(), usize::MAX);
        let again: Vec<_> =
            decoded.map(|packet| owned(&packet.expect("a packet that was encoded"))).collect();
        assert_eq!(again, packets.iter().map(owned).collect::<Vec<_>>());
    }
}

/// The script holds the payload as a JSON string, and a form is never longer than its body.
fn assert_jsonp(body: &[u8]) {
    let mut form = body.to_vec();
    let decoded = jsonp::decode(&mut form).map(<[u8]>::len);
    assert!(decoded.is_none_or(|len| len < body.len()));
    let Ok(text) = str::from_utf8(body) else { return };
    let needed = jsonp::encode(text, body, &mut []).map_or_else(|error| error.needed, |_| 0);
    let mut out = vec![0; needed];
    let script = jsonp::encode(text, body, &mut out).expect("room");
    let script = str::from_utf8(script).expect("text of text");
    let (j, string) = script
        .strip_prefix("___eio[")
        .and_then(|script| script.strip_suffix(");"))
        .and_then(|script| script.split_once("]("))
        .expect("a call of a function");
    assert!(j.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(!string.contains(['\u{2028}', '\u{2029}']), "they end lines in old JavaScript");
    assert_eq!(serde_json::from_str::<Value>(string).expect("a JSON string"), Value::from(text));
}
