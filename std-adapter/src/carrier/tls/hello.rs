//! What a client says about the length of records.

/// How many bytes are kept. A client that asks for short records has little memory, and so its first message is short.
const KEPT: usize = 1024;

/// The type of a record with messages of the handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// The type of the client's first message (RFC 8446 section 4).
const CLIENT_HELLO: u8 = 1;

/// The extension that asks for short records (RFC 6066 section 4).
const MAX_FRAGMENT_LENGTH: usize = 1;

/// The first bytes of a client. rustls does not tell what they say about the length of records.
#[derive(Debug, Default)]
pub(super) struct Hello(Vec<u8>);

impl Hello {
    /// Takes what has arrived.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = KEPT - self.0.len();
        self.0.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Returns the longest content of a record that the client asks for, if it asks.
    pub(super) fn longest_record(&self) -> Option<usize> {
        let rest = self.0.strip_prefix(&[HANDSHAKE])?;
        // The record's version and length.
        let rest = rest.get(2 + 2..)?.strip_prefix(&[CLIENT_HELLO])?;
        // The message's length, its version, its random bytes.
        let mut rest = rest.get(3 + 2 + 32..)?;
        let _session_id = vector(&mut rest, 1)?;
        let _cipher_suites = vector(&mut rest, 2)?;
        let _compression_methods = vector(&mut rest, 1)?;
        let len = number(&mut rest, 2)?;
        // The last ones may be missing.
        let mut extensions = rest.get(..len).unwrap_or(rest);
        loop {
            let extension = number(&mut extensions, 2)?;
            let data = vector(&mut extensions, 2)?;
            if extension == MAX_FRAGMENT_LENGTH {
                return match data {
                    [1] => Some(512),
                    [2] => Some(1024),
                    [3] => Some(2048),
                    [4] => Some(4096),
                    _ => None,
                };
            }
        }
    }
}

/// Takes a number of so many bytes.
fn number(bytes: &mut &[u8], size: usize) -> Option<usize> {
    let (number, rest) = bytes.split_at_checked(size)?;
    *bytes = rest;
    Some(number.iter().fold(0, |number, &byte| number << 8 | usize::from(byte)))
}

/// Takes a vector, whose length is a number of so many bytes before it.
fn vector<'b>(bytes: &mut &'b [u8], size: usize) -> Option<&'b [u8]> {
    let len = number(bytes, size)?;
    let (vector, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(vector)
}

#[cfg(test)]
mod tests {
    use rustls::ClientConnection;
    use rustls::pki_types::ServerName;

    use super::*;
    use crate::carrier::tls::test_configs::configs;

    /// The first record of rustls' client, which asks for nothing, and with one more extension.
    fn hello(extension: &[u8]) -> Vec<u8> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut hello = Vec::new();
        ClientConnection::new(configs().1, name).unwrap().write_tls(&mut hello).unwrap();
        hello.extend(extension);
        // The extensions end the message, which ends the record.
        let before = 5 + 4 + 2 + 32;
        let suites = before + 1 + usize::from(hello[before]);
        let suites_len = usize::from(u16::from_be_bytes([hello[suites], hello[suites + 1]]));
        let extensions = suites + 2 + suites_len + 2;
        for at in [3, 7, extensions] {
            let len = u16::try_from(hello.len() - at - 2).unwrap();
            hello[at..at + 2].copy_from_slice(&len.to_be_bytes());
        }
        hello
    }

    /// What the bytes say that arrive in pieces of this size.
    fn asked(bytes: &[u8], size: usize) -> Option<usize> {
        let mut hello = Hello::default();
        bytes.chunks(size).for_each(|piece| hello.take(piece));
        hello.longest_record()
    }

    #[test]
    fn a_client_that_asks_for_short_records_is_understood_however_its_bytes_arrive() {
        for (code, longest) in [(0, None), (1, Some(512)), (2, Some(1024)), (3, Some(2048)), (4, Some(4096))]
        {
            let hello = hello(&[0, 1, 0, 1, code]);
            for size in [1, 7, hello.len()] {
                assert_eq!(asked(&hello, size), longest, "{code}");
            }
        }
        assert_eq!(asked(&hello(&[]), 1000), None);
        assert_eq!(asked(&hello(&[0, 1, 0, 2, 1, 1]), 1000), None, "a length of two bytes");
        assert_eq!(asked(b"GET / HTTP/1.1\r\n\r\n", 1000), None);
    }

    #[test]
    fn what_follows_the_first_message_says_nothing_about_records() {
        let mut bytes = hello(&[]);
        bytes.extend([0, 1, 0, 1, 1]);
        assert_eq!(asked(&bytes, 1000), None);
    }

    #[test]
    fn bytes_that_are_cut_or_changed_are_no_failure_and_a_limit_is_kept() {
        let whole = hello(&[0, 1, 0, 1, 2]);
        for len in 0..whole.len() {
            assert_eq!(asked(&whole[..len], 1000), None, "{len}");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = asked(&changed, 1000);
            }
        }
        let mut hello = Hello::default();
        (0..100).for_each(|_| hello.take(&[HANDSHAKE; 100]));
        assert_eq!(hello.0.len(), KEPT);
    }
}
