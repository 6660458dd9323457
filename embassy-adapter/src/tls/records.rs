//! A look at the records before embedded-tls reads them.

use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};

const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;
/// What encryption adds to the content: the byte that says what it is, and the tag.
const SMALLEST_ENCRYPTED: u16 = 1 + 16;

/// A stream that fails when a record arrives that TLS 1.3 does not allow there.
///
/// embedded-tls 0.19 takes such records seriously, also from somebody without a key who only injects bytes into the
/// connection. It panics on a handshake message that is not encrypted and on an encrypted record without content, and it
/// believes an alert that is not encrypted.
#[derive(Clone, Debug)]
pub struct Records<Stream> {
    stream: Stream,
    phase: Phase,
    position: Position,
}

/// Which records may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server's hello, or an alert in its place.
    Hello,
    /// The first encrypted record, or before it a change of ciphers, which has no meaning (RFC 8446, appendix D.4).
    Encrypting,
    /// Encrypted records.
    Encrypted,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Position {
    Kind,
    Version {
        kind: u8,
        read: u8,
    },
    LengthHigh {
        kind: u8,
    },
    LengthLow {
        kind: u8,
        high: u8,
    },
    /// As many bytes of content follow.
    Content(u16),
}

impl<Stream> Records<Stream> {
    pub(super) const fn new(stream: Stream) -> Self {
        Self { stream, phase: Phase::Hello, position: Position::Kind }
    }

    /// Follows the bytes that have arrived.
    fn follow(&mut self, mut bytes: &[u8]) -> Result<(), ErrorKind> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.position = match self.position {
                Position::Kind => Position::Version { kind: byte, read: 0 },
                Position::Version { kind, read: 0 } => Position::Version { kind, read: 1 },
                Position::Version { kind, .. } => Position::LengthHigh { kind },
                Position::LengthHigh { kind } => Position::LengthLow { kind, high: byte },
                Position::LengthLow { kind, high } => {
                    let len = u16::from_be_bytes([high, byte]);
                    self.phase = self.phase.after(kind, len).ok_or(ErrorKind::InvalidData)?;
                    Position::after(len)
                }
                Position::Content(left) => {
                    let skipped = rest.len().min(usize::from(left.saturating_sub(1)));
                    bytes = rest.get(skipped..).unwrap_or_default();
                    // Fewer than `left`.
                    let skipped = u16::try_from(skipped).unwrap_or(u16::MAX);
                    Position::after(left.saturating_sub(1).saturating_sub(skipped))
                }
            };
        }
        Ok(())
    }
}

impl Phase {
    /// Returns the phase after a record of this kind and length, or `None` if it may not come.
    const fn after(self, kind: u8, len: u16) -> Option<Self> {
        match (self, kind) {
            (Self::Hello, ALERT) => Some(Self::Hello),
            (Self::Hello, HANDSHAKE) | (Self::Encrypting, CHANGE_CIPHER_SPEC) => Some(Self::Encrypting),
            (Self::Encrypting | Self::Encrypted, APPLICATION_DATA) if len >= SMALLEST_ENCRYPTED => {
                Some(Self::Encrypted)
            }
            _ => None,
        }
    }
}

impl Position {
    const fn after(left: u16) -> Self {
        if left == 0 { Self::Kind } else { Self::Content(left) }
    }
}

impl<Stream> ErrorType for Records<Stream> {
    type Error = ErrorKind;
}

impl<Stream: Read> Read for Records<Stream> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let len = self.stream.read(buf).await.map_err(|error| error.kind())?;
        self.follow(buf.get(..len).unwrap_or_default())?;
        Ok(len)
    }
}

impl<Stream: Write> Write for Records<Stream> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.stream.write(buf).await.map_err(|error| error.kind())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.stream.flush().await.map_err(|error| error.kind())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn record(kind: u8, len: u16) -> Vec<u8> {
        let [high, low] = len.to_be_bytes();
        let mut record = std::vec![kind, 3, 3, high, low];
        // Bytes that would be headers.
        record.extend((0..len).map(|_| HANDSHAKE));
        record
    }

    /// Whether these records may come one after the other, however they are cut.
    fn allowed(records: &[(u8, u16)]) -> bool {
        let bytes: Vec<u8> = records.iter().flat_map(|&(kind, len)| record(kind, len)).collect();
        let verdicts: Vec<bool> = (1..=bytes.len())
            .map(|size| {
                let mut records = Records::new(());
                bytes.chunks(size).try_for_each(|chunk| records.follow(chunk)).is_ok()
            })
            .collect();
        assert!(verdicts.windows(2).all(|two| two[0] == two[1]), "{records:?}: {verdicts:?}");
        verdicts[0]
    }

    #[test]
    fn the_records_of_a_server_that_keeps_the_rules_may_come() {
        assert!(allowed(&[
            (HANDSHAKE, 90),
            (CHANGE_CIPHER_SPEC, 1),
            (APPLICATION_DATA, 700),
            (APPLICATION_DATA, 17)
        ]));
        assert!(allowed(&[(HANDSHAKE, 1), (APPLICATION_DATA, 257), (APPLICATION_DATA, 17)]));
        assert!(allowed(&[(ALERT, 2)]));
    }

    #[test]
    fn only_a_hello_or_an_alert_may_come_first() {
        for kind in (0..=u8::MAX).filter(|kind| ![ALERT, HANDSHAKE].contains(kind)) {
            assert!(!allowed(&[(kind, 20)]), "{kind}");
        }
    }

    #[test]
    fn after_the_hello_everything_is_encrypted() {
        for kind in (0..=u8::MAX).filter(|&kind| kind != APPLICATION_DATA) {
            assert!(!allowed(&[(HANDSHAKE, 9), (APPLICATION_DATA, 17), (kind, 20)]), "{kind}");
            assert_eq!(allowed(&[(HANDSHAKE, 9), (kind, 20)]), kind == CHANGE_CIPHER_SPEC, "{kind}");
        }
    }

    #[test]
    fn an_encrypted_record_without_content_may_not_come() {
        for len in 0..17 {
            assert!(!allowed(&[(HANDSHAKE, 9), (APPLICATION_DATA, len)]), "{len}");
        }
    }
}
