//! Requests on a connection that is kept, one after the other, and their answers.

use std::ops::Range;

use mio::net::TcpStream;

use crate::failure::{Failure, Result};
use crate::reactor::{self, Input, Reactor};
use crate::target::Target;

/// The longest head of an answer.
const LONGEST_HEAD: usize = 16 * 1024;

/// A connection for requests. One request is under way at a time.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    /// What of the request is still to be written.
    unsent: Vec<u8>,
    /// Whether an answer is awaited.
    busy: bool,
}

impl Client {
    /// Opens a connection. Its events carry `index`.
    ///
    /// # Errors
    /// Fails if the server does not accept it.
    pub fn open(target: &Target, reactor: &Reactor, index: usize) -> Result<Self> {
        let stream = reactor.adopt(target.connect()?, index)?;
        Ok(Self { stream, received: Vec::new(), unsent: Vec::new(), busy: false })
    }

    /// Returns whether an answer is awaited.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Fails if the server has closed the connection.
    pub fn send(&mut self, request: &[u8]) -> Result<()> {
        self.busy = true;
        let written = reactor::write(&mut self.stream, request)?;
        self.unsent.extend_from_slice(&request[written..]);
        Ok(())
    }

    /// Reads what has arrived, and returns the body of the answer once it is complete. `buffer` is where it arrives.
    ///
    /// # Errors
    /// Fails if the answer is another than 200, or the server closed the connection.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<Vec<u8>>> {
        if !self.unsent.is_empty() {
            let written = reactor::write(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..written);
        }
        loop {
            let (len, more) = match reactor::read(&mut self.stream, buffer)? {
                Input::Some(len) => (len, true),
                Input::All(len) => (len, false),
                Input::End => return Err(Failure::server("closed a connection that requests are sent on")),
            };
            self.received.extend_from_slice(&buffer[..len]);
            if !more {
                break;
            }
        }
        if self.received.is_empty() {
            return Ok(None);
        }
        if !self.busy {
            return Err(Failure::server("sent an answer that nobody asked for"));
        }
        let Some(body) = answer(&self.received)? else { return Ok(None) };
        if body.end < self.received.len() {
            return Err(Failure::server("sent more than an answer"));
        }
        let body = self.received.split_off(body.start);
        self.received.clear();
        self.busy = false;
        Ok(Some(body))
    }
}

/// Returns the place of the body, or `None` if the answer is not complete.
///
/// # Errors
/// Fails if the status is another than 200, or the length of the body is not announced.
pub fn answer(received: &[u8]) -> Result<Option<Range<usize>>> {
    let Some(head_len) = received.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else {
        let too_long = received.len() > LONGEST_HEAD;
        return if too_long { Err(Failure::server("sent a head without end")) } else { Ok(None) };
    };
    let (head, after) = received.split_at(head_len);
    if !head.starts_with(b"HTTP/1.1 200 ") {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let body = &after[..after.len().min(100)];
        let (line, body) = (line.escape_ascii(), body.escape_ascii());
        return Err(Failure::server(format!("answered \"{line}\", \"{body}\" to a request")));
    }
    let len = head.split(|byte| *byte == b'\n').find_map(content_length);
    let len = len.ok_or_else(|| Failure::server("sent an answer without the length of its body"))?;
    let body = head_len..head_len + len;
    Ok((body.end <= received.len()).then_some(body))
}

/// Reads the line of a head that announces the length of the body.
fn content_length(line: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-length: 4\r\n\r\n4abc";

    #[test]
    fn an_answer_is_complete_with_the_last_byte_of_its_body() {
        for short in 0..ANSWER.len() {
            assert_eq!(answer(&ANSWER[..short]).unwrap(), None, "{short} bytes");
        }
        let body = answer(ANSWER).unwrap().unwrap();
        assert_eq!(&ANSWER[body], b"4abc");
    }

    #[test]
    fn an_answer_with_another_status_is_an_error_that_shows_it() {
        let refused = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nwhy?";
        assert_eq!(
            answer(refused).unwrap_err().to_string(),
            r#"the server answered "HTTP/1.1 400 Bad Request", "why?" to a request"#
        );
    }

    #[test]
    fn an_answer_without_a_length_is_an_error() {
        assert!(answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
