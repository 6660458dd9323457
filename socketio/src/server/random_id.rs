//! Identifiers that nobody can guess.

use std::io;

/// How many characters an identifier has.
pub(super) const LEN: usize = 20;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns a new identifier of characters that a URL may have: 120 random bits. If the server has a name among other nodes, of
/// at most four characters, it takes the place of the first ones: 96 random bits at least are left.
///
/// # Errors
/// Returns an error if the system has no random bytes.
pub(super) fn random_id(node: Option<&str>) -> io::Result<[u8; LEN]> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    // Six bits of each random byte, so that every character is equally likely.
    let mut id = bytes.map(|byte| ALPHABET[usize::from(byte & 63)]);
    for (place, byte) in id.iter_mut().zip(node.unwrap_or_default().bytes()) {
        *place = byte;
    }
    Ok(id)
}

/// Returns whether a text has the form of an identifier.
#[cfg(feature = "cluster")]
pub(super) fn is_id(text: &str) -> bool {
    text.len() == LEN && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// Returns an identifier as text.
pub(super) fn as_str(id: &[u8; LEN]) -> &str {
    core::str::from_utf8(id).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_characters_of_a_url_and_is_not_given_twice() {
        let [one, other] = [0; 2].map(|_| random_id(None).unwrap());
        assert_ne!(one, other);
        assert!(one.iter().all(|byte| ALPHABET.contains(byte)), "{one:?}");
        assert_eq!(as_str(&one).len(), LEN);
    }

    #[test]
    fn an_identifier_begins_with_the_name_of_its_node() {
        let [one, other] = [0; 2].map(|_| random_id(Some("a7")).unwrap());
        assert!(as_str(&one).starts_with("a7") && as_str(&other).starts_with("a7"));
        assert_ne!(one, other);
    }
}
