//! Bytes of clients that do what no library would.

/// The masking key of all frames. Any will do.
const KEY: [u8; 4] = [0x5a, 0xa5, 0x3c, 0xc3];

/// A request for a WebSocket.
#[must_use]
pub fn upgrade_request(query: &str) -> String {
    format!(
        "GET /engine.io/?{query} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A client's frame: masked, and with any first byte (FIN, the reserved bits, the opcode).
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).unwrap_or_default()),
        length @ 126..=0xffff => {
            frame.push(0xfe);
            frame.extend(u16::try_from(length).unwrap_or_default().to_be_bytes());
        }
        length => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A whole text message.
#[must_use]
pub fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// The sid in an `open` packet.
#[must_use]
pub fn sid(open: &str) -> Option<String> {
    Some(open.split_once("\"sid\":\"")?.1.split_once('"')?.0.to_owned())
}
