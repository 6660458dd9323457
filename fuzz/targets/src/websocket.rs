//! WebSocket frames beside tungstenite, in both roles and any chunks; and the heads of the opening handshake.

use arbitrary::Unstructured;
use eio_core::Revision;
use eio_core::packet::WebSocketMessage;
use eio_core::request::Request;
use eio_core::ws::opening::{ClientRequest, HeadEnd, Opening, RequestHead, check_response, may_be_response};
use eio_core::ws::{self, FrameHeader, Key};
use eio_tests::vectors::Bytes;

use crate::recordings;
use crate::shared::ws::differential::agree;
use crate::shared::ws::support::Role;

/// The role, the places at which the stream is cut, and the stream.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(role) = bytes.choose(&Role::BOTH).copied() else { return };
    let Ok(places) = bytes.arbitrary::<[u8; 6]>() else { return };
    let stream = bytes.take_rest();
    // Most streams are short; a place beyond the end is one within.
    let places = places.map(|place| usize::from(place) * (1 + stream.len() / 256));
    if let Err(error) = agree(role, stream, &places) {
        panic!("{role:?}, cut at {places:?}: {error}");
    }
}

/// A head: as a server's request, as a client's response, and found in pieces as in one.
pub(crate) fn run_opening(data: &[u8]) {
    let whole = HeadEnd::new().find(data);
    let mut in_pieces = HeadEnd::new();
    let found = (0..=data.len()).find_map(|len| in_pieces.find(&data[..len]));
    assert_eq!(found, whole);
    let key = Key::from_random(*b"the sample nonce");
    let _ = may_be_response(data);
    let head = &data[..whole.unwrap_or(data.len())];
    if let Ok(Some(protocol)) = check_response(head, &key, &["chat", "v2"]) {
        assert!(["chat", "v2"].contains(&protocol));
    }
    let Ok(head) = RequestHead::parse(head) else { return };
    let _ = Request::read(&head, &Revision::ALL);
    let Ok(opening) = Opening::check(&head) else { return };
    let mut out = vec![0; data.len() + 512];
    let response = opening.accept(None, &[], &mut out).expect("room").to_vec();
    assert_eq!(HeadEnd::new().find(&response), Some(response.len()), "one head, and nothing behind it");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut streams: [Vec<Vec<u8>>; 2] = [vec![vec![]], vec![vec![]]];
    for frame in recordings::frames() {
        let payload = frame.data.to_wire();
        let text = str::from_utf8(&payload).ok().filter(|_| matches!(frame.data, Bytes::Text(_)));
        let message = text.map_or(WebSocketMessage::Binary(&payload), WebSocketMessage::Text);
        let mut out = vec![0; payload.len() + FrameHeader::MAX_LEN];
        let key = frame.by_client.then_some([1, 2, 3, 4]);
        let len = ws::encode_message(message, key, &mut out).expect("room");
        let streams = &mut streams[usize::from(!frame.by_client)];
        if let Some(stream) = streams.last_mut().filter(|stream| stream.len() < 300) {
            stream.extend(&out[..len]);
        } else {
            streams.push(out[..len].to_vec());
        }
    }
    let [servers, clients] = streams;
    let with_head = |role: u8| move |stream: Vec<u8>| [&[role, 3, 70, 140, 7, 200, 31][..], &stream].concat();
    servers.into_iter().map(with_head(0)).chain(clients.into_iter().map(with_head(1))).collect()
}

pub(crate) fn opening_seeds() -> Vec<Vec<u8>> {
    let key = Key::from_random(*b"the sample nonce");
    let request = ClientRequest {
        query: "sid=x7&b64=1&j=2",
        ..ClientRequest::new("host:80", "/engine.io/", Revision::V4)
    };
    let mut out = [0; 512];
    let request = request.write(&key, &mut out).expect("room").to_vec();
    let accept = String::from_utf8(key.accept().to_vec()).expect("ASCII");
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
    let post = "POST /engine.io/?EIO=3&transport=polling&sid=x7 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\
                Content-Type: application/octet-stream\r\nOrigin: http://a.b\r\n\r\n1:2";
    vec![request, response.into_bytes(), post.as_bytes().to_vec()]
}
