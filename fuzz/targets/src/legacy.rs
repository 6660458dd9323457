//! Socket.IO 0.9: packets, polling bodies, handshakes, and the timers beside their model.

use arbitrary::Unstructured;
use eio_legacy::handshake::LegacyHandshake;
use eio_legacy::packet::LegacyPacket;
use eio_legacy::payload;

use crate::life::{self, judge};
use crate::recordings;
use crate::shared::legacy_model::{Mistake, compare};

/// The first byte is the limit of packets in a body; the rest is a packet, a body and a handshake.
pub(crate) fn run(data: &[u8]) {
    let Some((&limit, text)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    assert_packet(text);
    let mut packets = Vec::new();
    let mut bodies = payload::decode(text, limit.into());
    let is_whole = loop {
        match bodies.next() {
            Some(Ok(packet)) => packets.push(packet),
            Some(Err(error)) => {
                assert!(error.at <= text.len(), "{error:?}");
                break false;
            }
            None => break true,
        }
    };
    assert!(bodies.next().is_none(), "nothing follows the end");
    assert!(packets.len() <= limit.into());
    for packet in &packets {
        assert_packet(packet);
    }
    // A body with one packet is that packet, whether a length was before it or not.
    if is_whole && packets.len() > 1 {
        let needed =
            payload::encode(packets.iter().copied(), &mut []).map_or_else(|error| error.needed, str::len);
        let mut out = vec![0; needed];
        let body = payload::encode(packets.iter().copied(), &mut out).expect("room");
        assert!(payload::decode(body, usize::MAX).eq(packets.iter().map(|packet| Ok(*packet))));
    }
    if let Ok(handshake) = LegacyHandshake::decode(text) {
        let mut out = vec![0; text.len()];
        let again = handshake.encode(&mut out).expect("no longer than what it was read from");
        assert_eq!(LegacyHandshake::decode(again), Ok(handshake));
    }
}

/// A life of the timers, beside the model.
pub(crate) fn run_timers(data: &[u8]) {
    judge(life::of_timers(&mut Unstructured::new(data)), |life| compare(life, Mistake::None));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    recordings::legacy().into_iter().map(|text| [&[9][..], &text].concat()).collect()
}

/// What is a packet survives being encoded and decoded again, in exactly the bytes that it asks for.
fn assert_packet(text: &str) {
    match LegacyPacket::decode(text) {
        Ok(packet) => {
            let needed = packet.encode(&mut []).map_or_else(|error| error.needed, str::len);
            let mut out = vec![0xaa; needed];
            assert!(packet.encode(&mut out[..needed - 1]).is_err(), "{packet:?}");
            assert!(out.iter().all(|byte| *byte == 0xaa), "wrote into a buffer that is too small");
            let again = packet.encode(&mut out).expect("room");
            assert_eq!(LegacyPacket::decode(again), Ok(packet));
        }
        Err(error) => assert!(error.at <= text.len(), "{error:?}"),
    }
}
