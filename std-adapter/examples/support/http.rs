//! Reads the head of an HTTP request or response, for the examples without an HTTP library.

use std::io::{self, Read};
use std::net::TcpStream;

/// The longest head that is accepted, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// Reads an HTTP head. Leaves the bytes that arrived after it in `rest`.
pub(crate) fn read_head(stream: &mut TcpStream, rest: &mut Vec<u8>) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            *rest = bytes.split_off(end + 4);
            return String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into());
        }
        if bytes.len() > MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the HTTP head is too long"));
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => bytes.extend_from_slice(&chunk[..len]),
        }
    }
}

/// Returns the value of a header, without the white space around it.
pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
