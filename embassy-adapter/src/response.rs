//! The server's answer to the request for a WebSocket (RFC 6455 section 4.1).

use eio_core::ws::Key;

use crate::ConnectError;

/// The length of the head with the empty line that ends it, if that has come in. `scanned` bytes of `received` have
/// been searched before; it is moved on, so that a head in many small reads is searched once.
pub(crate) fn head_len(received: &[u8], scanned: &mut usize) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let from = scanned.saturating_sub(END.len());
    *scanned = received.len();
    let unseen = received.get(from..).unwrap_or_default();
    let at = unseen.windows(END.len()).position(|window| window == END)?;
    Some(from.saturating_add(at).saturating_add(END.len()))
}

/// Whether this can be the beginning of a response.
pub(crate) fn may_be_http(received: &[u8]) -> bool {
    received.iter().zip(HTTP).all(|(received, expected)| received == expected)
}

/// What every response begins with.
const HTTP: &[u8] = b"HTTP/1.";

/// Checks the head of a response, which ends with an empty line. Says which rule of RFC 6455 section 4.1 it breaks.
///
/// One pass over the lines, and no table of them: a general parser for HTTP is a third of the size of the whole client.
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

/// The headers that matter: what the first two list, what the third answers, and what nobody asked for.
const NAMES: [&str; 5] =
    ["upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"];

/// Takes the next line, without what ends it.
fn line<'h>(lines: &mut &'h [u8]) -> &'h [u8] {
    let end = lines.iter().position(|&byte| byte == b'\n').unwrap_or(lines.len());
    let (line, rest) = lines.split_at_checked(end).unwrap_or_default();
    *lines = rest.get(1..).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or_default()
}

/// The three digits of `HTTP/1.1 101 Switching Protocols`; the words may be missing. A server that refuses may be an
/// old one; one that switches speaks HTTP/1.1.
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

/// A header's name and value. A line that is folded into the one before has no name.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let valid = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    valid.then(|| (name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Whether a comma-separated list has this item, in any case.
fn lists(value: &[u8], item: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(item.as_bytes()))
}
