//! The HTTP heads of the opening handshake (RFC 6455 section 4): written, read and checked in the caller's buffers.
//!
//! | side | step | item |
//! |---|---|---|
//! | client | write the request | [`ClientRequest`] |
//! | client | find the end of the response's head, then check it | [`HeadEnd`], [`check_response`] |
//! | server | find the end of the request's head, then read it | [`HeadEnd`], [`RequestHead`] |
//! | server | check that it asks for a WebSocket, and answer | [`Opening`] |
//! | server | refuse it | [`OpeningRefusal`], [`write_response`] |
//!
//! A [`RequestHead`] also reads the requests of long-polling, so one loop can serve both. The length of the caller's
//! buffer limits a head: one that is still incomplete in a full buffer is too long.
//!
//! ```
//! use eio_core::Revision;
//! use eio_core::ws::Key;
//! use eio_core::ws::opening::{ClientRequest, HeadEnd, Opening, RequestHead, check_response};
//!
//! let key = Key::from_random(*b"the sample nonce");
//! let mut request = [0; 512];
//! let request = ClientRequest::new("example.com", "/engine.io/", Revision::V4).write(&key, &mut request)?;
//!
//! // The server may get it in pieces.
//! let mut end = HeadEnd::new();
//! assert_eq!(end.find(&request[..100]), None);
//! let head_len = end.find(request).expect("the whole request");
//! let head = RequestHead::parse(&request[..head_len])?;
//! assert_eq!((head.path(), head.query_value("transport")), ("/engine.io/", Some("websocket")));
//! let opening = Opening::check(&head)?;
//! let mut response = [0; 256];
//! let response = opening.accept(None, &[], &mut response)?;
//!
//! // What follows the head are frames.
//! let head_len = HeadEnd::new().find(response).expect("the whole response");
//! assert_eq!(check_response(&response[..head_len], &key, &[]), Ok(None));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod request;
mod server;

pub use client::{ClientRequest, RequestError, ResponseError, check_response, may_be_response};
pub use request::{HeadError, RequestHead};
pub use server::{Opening, OpeningRefusal, write_response};

/// Finds the end of a head that arrives in any number of reads. It searches each byte once.
///
/// ```
/// use eio_core::ws::opening::HeadEnd;
///
/// let received = b"HTTP/1.1 101\r\n\r\n\x81\x012";
/// let mut end = HeadEnd::new();
/// assert_eq!(end.find(&received[..15]), None);
/// assert_eq!(end.find(received), Some(16)); // frames follow
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HeadEnd {
    /// The bytes that have been searched.
    searched: usize,
}

impl HeadEnd {
    /// Creates the state before the first read.
    #[must_use]
    pub const fn new() -> Self {
        Self { searched: 0 }
    }

    /// Returns the length of the head, including the empty line that ends it, once that line has arrived. `received` is
    /// everything that has been received so far.
    pub fn find(&mut self, received: &[u8]) -> Option<usize> {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.searched.saturating_sub(END.len());
        self.searched = received.len();
        let unseen = received.get(from..).unwrap_or_default();
        let at = unseen.windows(END.len()).position(|window| window == END)?;
        Some(from.saturating_add(at).saturating_add(END.len()))
    }
}

/// Takes the next line, without its line ending. Returns nothing for a line that does not end in CR LF.
fn line<'h>(lines: &mut &'h [u8]) -> &'h [u8] {
    let end = lines.iter().position(|&byte| byte == b'\n').unwrap_or(lines.len());
    let (line, rest) = lines.split_at_checked(end).unwrap_or_default();
    *lines = rest.get(1..).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or_default()
}

/// Splits a header into name and value. Returns `None` for an invalid line, including one folded into the line before.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let valid = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    valid.then(|| (name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Returns whether a comma-separated list contains this item, ignoring case.
fn lists(value: &[u8], item: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(item.as_bytes()))
}
