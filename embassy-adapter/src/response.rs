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

/// Checks the head of a response, which ends with an empty line. Says which rule of RFC 6455 section 4.1 it breaks.
///
/// One pass over the lines, and no table of them: a general parser for HTTP is a third of the size of the whole client.
pub(crate) fn check(head: &[u8], key: &Key) -> Result<(), ConnectError> {
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r"));
    let status_line = lines.next().flatten().ok_or(ConnectError::NotHttp)?;
    let status = status(status_line).ok_or(ConnectError::NotHttp)?;
    if status != 101 {
        return Err(ConnectError::Refused { status });
    }
    let (mut upgrade, mut connection, mut unwanted) = (false, false, false);
    let (mut accepted, mut answers) = (false, 0_usize);
    for line in lines {
        // The empty line is the last; behind it `split` yields what follows its line feed, which is nothing.
        let Some(line) = line.filter(|line| !line.is_empty()) else { break };
        let (name, value) = header(line).ok_or(ConnectError::NotHttp)?;
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("upgrade") {
            upgrade |= lists(value, "websocket");
        } else if is("connection") {
            connection |= lists(value, "upgrade");
        } else if is("sec-websocket-accept") {
            answers = answers.saturating_add(1);
            accepted = key.is_accepted_by(value);
        } else if is("sec-websocket-extensions") || is("sec-websocket-protocol") {
            unwanted |= !value.is_empty();
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

/// The three digits of `HTTP/1.1 101 Switching Protocols`; the words may be missing.
fn status(line: &[u8]) -> Option<u16> {
    let (digits, rest) = line.strip_prefix(b"HTTP/1.1 ")?.split_first_chunk::<3>()?;
    if !matches!(rest.first(), None | Some(b' ')) {
        return None;
    }
    digits.iter().try_fold(0_u16, |number, &digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        Some(number.saturating_mul(10).saturating_add(u16::from(digit)))
    })
}

/// A header's name and value. A line that is folded into the one before has no name.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let valid = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    valid.then(|| (name, value.strip_prefix(b":").unwrap_or(value).trim_ascii()))
}

/// Whether a comma-separated list has this item, in any case.
fn lists(value: &[u8], item: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(item.as_bytes()))
}
