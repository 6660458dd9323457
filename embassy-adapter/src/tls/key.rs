//! Public keys on the curve P-256, as files and certificates contain them.

use core::fmt;

use p256::ecdsa::VerifyingKey;

use super::Refusal;

/// The length of a point: a byte that says "uncompressed", and two coordinates.
const POINT_LEN: usize = 65;

/// A public key on the curve P-256 (`prime256v1`, `secp256r1`).
///
/// ```
/// use eio_embassy::tls::{KeyError, PublicKey};
///
/// // In firmware: `PublicKey::from_der(include_bytes!("server-public.der"))`.
/// # const DER: [u8; 91] = [
/// #     48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0, 4, 107, 23, 209,
/// #     242, 225, 44, 66, 71, 248, 188, 230, 229, 99, 164, 64, 242, 119, 3, 125, 129, 45, 235, 51, 160, 244, 161, 57, 69,
/// #     216, 152, 194, 150, 79, 227, 66, 226, 254, 26, 127, 155, 142, 231, 235, 74, 124, 15, 158, 22, 43, 206, 51, 87,
/// #     107, 49, 94, 206, 203, 182, 64, 104, 55, 191, 81, 245,
/// # ];
/// // A wrong file is found when the firmware is built.
/// const SERVER: PublicKey = match PublicKey::from_der(&DER) {
///     Ok(key) => key,
///     Err(error) => panic!("{}", error.as_str()),
/// };
/// # let _ = SERVER;
/// let text = b"-----BEGIN PUBLIC KEY-----";
/// assert_eq!(PublicKey::from_der(text), Err(KeyError::Pem));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PublicKey {
    point: [u8; POINT_LEN],
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo` in DER (RFC 5480), which `openssl pkey -pubout -outform der` writes. For this curve
    /// it has 91 bytes.
    ///
    /// Does not check that the point is on the curve: [`open`](super::open) does, when the server has signed.
    ///
    /// # Errors
    /// [`KeyError`] says what the bytes contain instead.
    pub const fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        match der {
            #[rustfmt::skip]
            [
                // 89 bytes; the algorithm: an elliptic curve, P-256; the bits of the point.
                0x30, 0x59,
                0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
                3, 0x42, 0, point @ ..
            ] => match (point, point.first_chunk()) {
                ([0x04, ..], Some(&whole)) if point.len() == POINT_LEN => Ok(Self { point: whole }),
                _ => Err(KeyError::Malformed),
            },
            _ => Err(KeyError::of_other(der)),
        }
    }

    /// Returns the key to check signatures with, if its point is on the curve.
    pub(super) fn verifying_key(&self) -> Result<VerifyingKey, Refusal> {
        VerifyingKey::from_sec1_bytes(&self.point).map_err(|_| Refusal::InvalidPoint)
    }
}

/// Why bytes are not a public key on the curve P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyError {
    /// An RSA key.
    Rsa,
    /// A key on another elliptic curve, such as P-384.
    OtherCurve,
    /// A key of another kind, such as Ed25519.
    OtherKind,
    /// A key on P-256 whose point is written in its compressed form.
    Compressed,
    /// Text in the form of PEM: `openssl pkey -pubin -outform der` converts it.
    Pem,
    /// A private key, which must not be in firmware.
    Private,
    /// No key at all.
    Malformed,
}

impl KeyError {
    /// Returns what the bytes contain, and what was expected. A constant can panic with it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Rsa => "the key is an RSA key; expected a key on the curve P-256",
            Self::OtherCurve => "the key is on another elliptic curve; expected P-256",
            Self::OtherKind => "the key is of another kind; expected a key on the curve P-256",
            Self::Compressed => "the key's point is compressed; expected the uncompressed form",
            Self::Pem => "the key is PEM text; expected DER",
            Self::Private => "the key is a private key; expected a public key",
            Self::Malformed => "expected a public key in DER",
        }
    }

    /// Names what else the bytes contain.
    #[rustfmt::skip]
    const fn of_other(der: &[u8]) -> Self {
        match der {
            [b'-', b'-', b'-', b'-', b'-', ..] => Self::Pem,
            // RFC 5915 and RFC 5958: a private key begins with the number of its version.
            [0x30, ..=0x7f, 2, 1, ..] | [0x30, 0x81, _, 2, 1, ..] | [0x30, 0x82, _, _, 2, 1, ..] => Self::Private,
            [0x30, 0x39, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, ..] => {
                Self::Compressed
            }
            [0x30, ..=0x7f, 0x30, algorithm @ ..]
            | [0x30, 0x81, _, 0x30, algorithm @ ..]
            | [0x30, 0x82, _, _, 0x30, algorithm @ ..] => match algorithm {
                [_, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, ..]
                | [0x81 | 0x82, _, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, ..]
                | [0x82, _, _, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, ..] => Self::OtherCurve,
                [_, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, ..] => Self::Rsa,
                [_, 6, ..] => Self::OtherKind,
                _ => Self::Malformed,
            },
            _ => Self::Malformed,
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
