//! The challenge of the opening handshake and its answer (RFC 6455 sections 4.1 and 4.2.2).

use super::sha1::sha1;
use crate::packet::encode_base64;

/// The value of `Sec-WebSocket-Key`: 16 random bytes from the client, in base64.
///
/// It does not prove anyone's identity. It proves that the answer comes from a WebSocket server that has seen this
/// request, and not from a cache.
///
/// ```
/// use eio_core::ws::Key;
///
/// // A client sends a key and checks the answer.
/// let key = Key::from_random(*b"the sample nonce");
/// assert_eq!(key.as_str(), "dGhlIHNhbXBsZSBub25jZQ==");
///
/// // A server answers: the value of `Sec-WebSocket-Accept`.
/// let answer = Key::parse(b"dGhlIHNhbXBsZSBub25jZQ==")?.accept();
/// assert_eq!(&answer, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// assert!(key.is_accepted_by(&answer));
/// # Ok::<(), eio_core::ws::InvalidKey>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Key([u8; Self::LEN]);

impl Key {
    /// The length of the value: always 24 characters.
    pub const LEN: usize = 24;

    /// Creates a client's key. The bytes must be new and unpredictable for every connection.
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(base64(&random))
    }

    /// Reads a client's key on the server. `value` is the header's value without the white space around it.
    ///
    /// # Errors
    /// Returns [`InvalidKey`] unless `value` is the base64 form of 16 bytes: 22 characters of the standard alphabet and
    /// `==`. In that case answer with status 400 (RFC 6455 section 4.2.2).
    pub fn parse(value: &[u8]) -> Result<Self, InvalidKey> {
        let key: [u8; Self::LEN] = value.try_into().map_err(|_| InvalidKey)?;
        let [digits @ .., b'=', b'='] = &key else { return Err(InvalidKey) };
        // The last digit holds 2 bits of data and 4 unused bits. The unused bits are not checked: some clients set
        // them, and the answer is computed from the characters, not from the decoded bytes.
        let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if digits.iter().all(is_digit) { Ok(Self(key)) } else { Err(InvalidKey) }
    }

    /// Returns the key as the value of `Sec-WebSocket-Key`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The key is always ASCII.
        crate::utf8::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the characters of [`as_str`](Self::as_str).
    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the server's answer: the value of `Sec-WebSocket-Accept`, 28 ASCII characters.
    #[must_use]
    pub fn accept(&self) -> [u8; 28] {
        let mut challenge = [0; 60];
        let (key, guid) = challenge.split_at_mut(Self::LEN);
        key.copy_from_slice(&self.0);
        guid.copy_from_slice(GUID);
        base64(&sha1(&challenge))
    }

    /// Returns whether `answer` is the answer of a WebSocket server that received this key. If it is not, treat the
    /// connection as failed (RFC 6455 section 4.1).
    #[must_use]
    pub fn is_accepted_by(&self, answer: &[u8]) -> bool {
        self.accept() == *answer
    }
}

/// The error for a `Sec-WebSocket-Key` that is not 16 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("invalid Sec-WebSocket-Key: expected 16 bytes in base64, 24 characters")]
#[non_exhaustive]
pub struct InvalidKey;

/// The GUID of RFC 6455 section 1.3.
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Encodes `bytes` as base64. `N` is the encoded length.
fn base64<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    encode_base64(bytes, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::STANDARD;

    #[test]
    fn the_accept_key_is_that_of_an_independent_sha_1_and_base64() {
        for seed in 0..=u8::MAX {
            let key = Key::from_random(core::array::from_fn(|i| {
                seed.wrapping_mul(31).wrapping_add(u8::try_from(i).unwrap().wrapping_mul(seed | 1))
            }));
            let mut other = sha1_smol::Sha1::new();
            other.update(key.as_str().as_bytes());
            other.update(GUID);
            let mut expected = [0; 28];
            assert_eq!(STANDARD.encode_slice(other.digest().bytes(), &mut expected), Ok(28));
            assert_eq!(key.accept(), expected);
            assert_eq!(STANDARD.decode_slice(key.as_str(), &mut [0; 18]), Ok(16));
            assert_eq!(Key::parse(key.as_str().as_bytes()), Ok(key));
        }
    }

    #[test]
    fn a_key_is_22_digits_and_two_equals_signs() {
        for bad in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ=",
            b"dGhlIHNhbXBsZSBub25jZQ===",
            b"dGhlIHNhbXBsZSBub25jZWE=",
            b"dGhlIHNhbXBsZSBub25jZWFh",
            b" GhlIHNhbXBsZSBub25jZQ==",
            b"dGhlIHNhbXBs-SBub25jZQ==",
            b"dGhlIHNhbXBs\xffSBub25jZQ==",
            b"dGhlIHNhbXBs=SBub25jZQ==",
        ] {
            assert_eq!(Key::parse(bad), Err(InvalidKey), "{bad:?}");
        }
        assert!(Key::parse(b"dGhlIHNhbXBsZSBub25jZR==").is_ok(), "unused bits are not judged");
    }

    #[test]
    fn only_the_exact_answer_is_accepted() {
        let key = Key::from_random([7; 16]);
        let answer = key.accept();
        assert!(key.is_accepted_by(&answer));
        assert!(!key.is_accepted_by(&answer[1..]));
        assert!(!key.is_accepted_by(b""));
        assert!(!Key::from_random([8; 16]).is_accepted_by(&answer));
    }
}
