//! The server's response to the request for a WebSocket (RFC 6455 section 4.1).

use eio_core::ws::Key;

use crate::ConnectError;

/// Returns the length of the head, including the empty line that ends it, once that line has arrived. The first
/// `scanned` bytes of `received` have already been searched; the function updates `scanned`, so that a head that arrives
/// in many small reads is searched only once.
pub(crate) fn head_len(received: &[u8], scanned: &mut usize) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let from = scanned.saturating_sub(END.len());
    *scanned = received.len();
    let unseen = received.get(from..).unwrap_or_default();
    let at = unseen.windows(END.len()).position(|window| window == END)?;
    Some(from.saturating_add(at).saturating_add(END.len()))
}

/// Returns whether the bytes can be the beginning of a response.
pub(crate) fn may_be_http(received: &[u8]) -> bool {
    received.iter().zip(HTTP).all(|(received, expected)| received == expected)
}

/// The bytes with which every response begins.
const HTTP: &[u8] = b"HTTP/1.";

/// Checks the head of a response, which ends with an empty line. Returns which rule of RFC 6455 section 4.1 it breaks.
///
/// It makes one pass over the lines and stores no table of them: a general HTTP parser would be a third of the size of
/// the whole client.
pub(crate) fn check(head: &[u8], key: &Key) -> Result<(), ConnectError> {
    let mut lines = head;
    let status = status(line(&mut lines)).ok_or(ConnectError::NotHttp)?;
    if status != 101 {
        return Err(ConnectError::Refused { status });
    }
    let (mut upgrade, mut connection, mut unwanted) = (false, false, false);
    let (mut accepted, mut answers) = (false, 0_usize);
    loop {
        let line = line(&mut lines);
        if line.is_empty() {
            break;
        }
        let (name, value) = header(line).ok_or(ConnectError::NotHttp)?;
        match NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            Some(0) => upgrade |= lists(value, "websocket"),
            Some(1) => connection |= lists(value, "upgrade"),
            Some(2) => {
                answers = answers.saturating_add(1);
                accepted = key.is_accepted_by(value);
            }
            Some(_) => unwanted |= !value.is_empty(),
            None => {}
        }
    }
    if !upgrade || !connection || unwanted {
        Err(ConnectError::NotWebSocket)
    } else if accepted && answers == 1 {
        Ok(())
    } else {
        Err(ConnectError::WrongAcceptKey)
    }
}

/// The headers that are checked: the first two must list a word, the third must match the key, and the last two must be
/// absent or empty.
const NAMES: [&str; 5] =
    ["upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"];

/// Takes the next line, without its line ending.
fn line<'h>(lines: &mut &'h [u8]) -> &'h [u8] {
    let end = lines.iter().position(|&byte| byte == b'\n').unwrap_or(lines.len());
    let (line, rest) = lines.split_at_checked(end).unwrap_or_default();
    *lines = rest.get(1..).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or_default()
}

/// Parses the status from a line such as `HTTP/1.1 101 Switching Protocols`; the reason phrase may be missing. Any minor
/// version may refuse, but only HTTP/1.1 may switch protocols.
fn status(line: &[u8]) -> Option<u16> {
    let (minor, rest) = line.strip_prefix(HTTP)?.split_first()?;
    let (digits, rest) = rest.strip_prefix(b" ")?.split_first_chunk::<3>()?;
    if !matches!(rest.first(), None | Some(b' ')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let status = digits
        .iter()
        .fold(0_u16, |number, digit| number.wrapping_mul(10).wrapping_add(u16::from(digit & 0xf)));
    (*minor == b'1' || status != 101).then_some(status)
}

/// Splits a header into name and value. Returns `None` for an invalid line, including one folded into the line before.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let valid = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    valid.then(|| (name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Returns whether a comma-separated list contains this item, ignoring case.
fn lists(value: &[u8], item: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(item.as_bytes()))
}
