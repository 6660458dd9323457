//! The subprotocol in the request for a WebSocket and in the response, with and without the feature.

use eio_core::ws::Key;
use eio_core::ws::opening::check_response;

use crate::{ClientSettings, ConnectError, Endpoint};

/// Writes the request, and returns its length.
#[cfg(not(feature = "subprotocol"))]
pub(crate) fn write(
    settings: &ClientSettings,
    endpoint: &Endpoint<'_>,
    key: &Key,
    out: &mut [u8],
) -> Result<usize, ConnectError> {
    endpoint.write(settings.protocol.revision(), key, out)
}

/// Checks the head of the response.
#[cfg(not(feature = "subprotocol"))]
pub(crate) fn check(_: &ClientSettings, head: &[u8], key: &Key) -> Result<(), ConnectError> {
    match check_response(head, key, &[]) {
        Ok(_) => Ok(()),
        Err(error) => Err(ConnectError::Response(error)),
    }
}

/// Writes the request with the subprotocol, and returns its length.
#[cfg(feature = "subprotocol")]
pub(crate) fn write(
    settings: &ClientSettings,
    endpoint: &Endpoint<'_>,
    key: &Key,
    out: &mut [u8],
) -> Result<usize, ConnectError> {
    let written = endpoint.write(settings.protocol.revision(), key, out);
    let Some(name) = settings.subprotocol else { return written };
    // A token (RFC 6455 section 4.1).
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_allowed) {
        return Err(ConnectError::InvalidSubprotocol);
    }
    let (Ok(len) | Err(ConnectError::TxTooSmall { needed: len })) = written else { return written };
    // In place of the empty line that ends the head.
    let mut end = len.saturating_sub(2);
    for part in ["Sec-WebSocket-Protocol: ", name, "\r\n\r\n"] {
        let place = out.get_mut(end..).unwrap_or_default();
        place.iter_mut().zip(part.bytes()).for_each(|(to, from)| *to = from);
        end = end.saturating_add(part.len());
    }
    if end <= out.len() { Ok(end) } else { Err(ConnectError::TxTooSmall { needed: end }) }
}

/// Checks the head of the response, and that the server has chosen the subprotocol.
#[cfg(feature = "subprotocol")]
pub(crate) fn check(settings: &ClientSettings, head: &[u8], key: &Key) -> Result<(), ConnectError> {
    let chosen = check_response(head, key, settings.subprotocol.as_slice())?;
    // RFC 6455 lets a server choose none. But the application speaks only what it offers.
    if chosen == settings.subprotocol { Ok(()) } else { Err(ConnectError::SubprotocolRefused) }
}
