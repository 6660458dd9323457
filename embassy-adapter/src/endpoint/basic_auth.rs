//! A user name and a password, as the header of basic authentication (RFC 7617).

use core::fmt;

/// A user name and a password, as the header that carries them (basic authentication, RFC 7617). It holds the header's
/// value, of at most `N` bytes: 6, and 4 for each 3 bytes of user name, colon and password.
///
/// Over a connection without TLS, everybody on the way can read it. It is not printed. A constant encodes it when the
/// firmware is built:
///
/// ```
/// use eio_embassy::{BasicAuth, Endpoint};
///
/// const LOGIN: BasicAuth<64> = match BasicAuth::new("sensor-7:pa55word") {
///     Some(login) => login,
///     None => panic!("too long"),
/// };
/// const SERVER: Endpoint<'static> =
///     Endpoint { headers: &[LOGIN.header()], ..Endpoint::socketio("10.0.2.2:3000") };
/// assert_eq!(SERVER.headers, [("Authorization", "Basic c2Vuc29yLTc6cGE1NXdvcmQ=")]);
/// ```
#[derive(Clone, Copy)]
pub struct BasicAuth<const N: usize> {
    value: [u8; N],
    len: usize,
}

impl<const N: usize> BasicAuth<N> {
    /// Encodes a user name, a colon and a password. The first colon ends the user name. Returns `None` if there is no colon,
    /// or if the header's value is longer than `N` bytes.
    #[must_use]
    pub const fn new(user_and_password: &str) -> Option<Self> {
        let mut this = Self { value: [0; N], len: 0 };
        let mut complete = this.push(b"Basic ");
        let (mut bytes, mut has_colon) = (user_and_password.as_bytes(), false);
        while !bytes.is_empty() {
            let (group, rest) = match bytes {
                [a, b, c, rest @ ..] => ([*a, *b, *c], rest),
                [a, b] => ([*a, *b, 0], [].as_slice()),
                [a, ..] => ([*a, 0, 0], [].as_slice()),
                [] => break,
            };
            let mut symbols = encode(group);
            match (bytes, &mut symbols) {
                ([_, _, _, ..], _) => {}
                ([_, _], [.., last]) => *last = b'=',
                (_, [.., third, last]) => (*third, *last) = (b'=', b'='),
            }
            complete &= this.push(&symbols);
            has_colon |= matches!(group, [b':', ..] | [_, b':', _] | [.., b':']);
            bytes = rest;
        }
        if complete && has_colon { Some(this) } else { None }
    }

    /// Appends bytes to the header's value. Returns whether all of them fit.
    const fn push(&mut self, mut bytes: &[u8]) -> bool {
        let Some((_, mut place)) = self.value.split_at_mut_checked(self.len) else { return false };
        while let ([to, places @ ..], [from, others @ ..]) = (place, bytes) {
            *to = *from;
            self.len = self.len.saturating_add(1);
            (place, bytes) = (places, others);
        }
        bytes.is_empty()
    }

    /// Returns the header, for [`Endpoint::headers`](crate::Endpoint::headers).
    #[must_use]
    pub const fn header(&self) -> (&str, &str) {
        let value = match self.value.split_at_checked(self.len) {
            Some((value, _)) => value,
            None => &[],
        };
        // It is ASCII.
        match core::str::from_utf8(value) {
            Ok(value) => ("Authorization", value),
            Err(_) => ("Authorization", ""),
        }
    }
}

/// Hides the password.
impl<const N: usize> fmt::Debug for BasicAuth<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BasicAuth(..)")
    }
}

/// Encodes three bytes in base64 (RFC 4648 section 4).
const fn encode([a, b, c]: [u8; 3]) -> [u8; 4] {
    [symbol(a >> 2), symbol(a << 4 | b >> 4), symbol(b << 2 | c >> 6), symbol(c)]
}

/// Returns the symbol of base64 for the lower six bits.
const fn symbol(bits: u8) -> u8 {
    match bits & 0x3f {
        bits @ 0..=25 => b'A'.wrapping_add(bits),
        bits @ 26..=51 => b'a'.wrapping_sub(26).wrapping_add(bits),
        bits @ 52..=61 => b'0'.wrapping_sub(52).wrapping_add(bits),
        62 => b'+',
        _ => b'/',
    }
}
