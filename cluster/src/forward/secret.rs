//! The secret that the nodes share.

use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The length of a code, in hexadecimal digits.
pub(super) const CODE_LEN: usize = 64;

/// The secret that all nodes share, and nobody else. By it, nodes know each other.
///
/// Make one by `openssl rand -hex 32`, and keep it out of the program: read it from a file or the environment. `Debug` does
/// not show it.
///
/// ```
/// use eio_cluster::forward::Secret;
///
/// let secret = Secret::new("0b9e0a5d6c1f4be29d8f6a7c3e5b1d20")?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert!(Secret::new("short").is_err());
/// # Ok::<(), eio_cluster::forward::ShortSecret>(())
/// ```
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

/// A secret is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret of the nodes has {0} bytes: expected {min} or more", min = Secret::MIN_LEN)]
pub struct ShortSecret(usize);

impl Secret {
    /// The length of the shortest secret, in bytes: 128 bits if they are random.
    pub const MIN_LEN: usize = 16;

    /// Takes a secret of at least [`MIN_LEN`](Self::MIN_LEN) bytes.
    ///
    /// # Errors
    /// Returns a [`ShortSecret`] with the length of a shorter one.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, ShortSecret> {
        let bytes = bytes.as_ref();
        if bytes.len() < Self::MIN_LEN {
            return Err(ShortSecret(bytes.len()));
        }
        // HMAC takes keys of any length.
        Hmac::new_from_slice(bytes).map(Self).map_err(|_| ShortSecret(bytes.len()))
    }

    /// Returns the code of a text, in hexadecimal digits.
    pub(super) fn code(&self, text: &str) -> String {
        let code = self.0.clone().chain_update(text).finalize().into_bytes();
        code.iter().fold(String::with_capacity(CODE_LEN), |mut hex, byte| {
            use core::fmt::Write as _;
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Returns whether a text has this code. It takes as long wherever the code differs.
    pub(super) fn verify(&self, text: &str, code: &str) -> bool {
        bytes_of(code).is_some_and(|code| self.0.clone().chain_update(text).verify_slice(&code).is_ok())
    }
}

/// The bytes that these hexadecimal digits stand for.
fn bytes_of(code: &str) -> Option<[u8; CODE_LEN / 2]> {
    if code.len() != CODE_LEN {
        return None;
    }
    let mut bytes = [0; CODE_LEN / 2];
    for (byte, digits) in bytes.iter_mut().zip(code.as_bytes().chunks_exact(2)) {
        let digits = core::str::from_utf8(digits).ok().filter(|digits| !digits.contains('+'))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_that_of_hmac_with_sha_256() {
        // RFC 4231, test case 6, whose key is long enough.
        let secret = Secret::new([0xaa; 131]).unwrap();
        let text = "Test Using Larger Than Block-Size Key - Hash Key First";
        let code = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(secret.code(text), code);
        assert!(secret.verify(text, code));
    }

    #[test]
    fn another_code_another_text_and_another_secret_do_not_fit() {
        let secret = Secret::new([1; 16]).unwrap();
        let code = secret.code("text");
        assert!(secret.verify("text", &code));
        assert!(!secret.verify("texts", &code));
        assert!(!Secret::new([2; 16]).unwrap().verify("text", &code));
        let mut other = code.clone();
        other.replace_range(..1, if code.starts_with('0') { "1" } else { "0" });
        for code in [&other, "", "é", &code[..62], &format!("{code}00"), &"+1".repeat(32), &"é".repeat(32)]
        {
            assert!(!secret.verify("text", code), "{code}");
        }
    }
}
