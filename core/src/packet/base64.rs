//! Binary data that travels as text.

/// Base64 text that is known to be valid. `decode` writes the bytes into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Base64<'a>(&'a str);
