//! The server's answer to the request for a WebSocket (RFC 6455 section 4.1).

use eio_core::ws::Key;

use crate::ConnectError;

/// How many headers a response may have: proxies add about twenty.
const MAX_HEADERS: usize = 32;

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

/// Checks the head of a response. Says which rule of RFC 6455 section 4.1 it breaks.
pub(crate) fn check(head: &[u8], key: &Key) -> Result<(), ConnectError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let status = match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => response.code.unwrap_or_default(),
        _ => return Err(ConnectError::NotHttp),
    };
    if status != 101 {
        return Err(ConnectError::Refused { status });
    }
    let values = |name: &'static str| {
        let named = response.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value)
    };
    let lists = |name, token: &[u8]| {
        values(name).any(|value| {
            value.split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
        })
    };
    let unwanted = values("sec-websocket-extensions")
        .chain(values("sec-websocket-protocol"))
        .any(|value| !value.is_empty());
    if !lists("upgrade", b"websocket") || !lists("connection", b"upgrade") || unwanted {
        return Err(ConnectError::NotWebSocket);
    }
    let mut answers = values("sec-websocket-accept");
    match (answers.next(), answers.next()) {
        (Some(answer), None) if key.is_accepted_by(answer.trim_ascii()) => Ok(()),
        _ => Err(ConnectError::WrongAcceptKey),
    }
}
