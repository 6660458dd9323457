//! The name of a node, with which the identifiers of its sessions begin.

/// The name of a node: some characters of the alphabet of identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    name: [u8; Self::MAX_LEN],
    len: u8,
}

impl Node {
    /// With a longer name, fewer than 96 bits of an identifier would be random.
    pub(crate) const MAX_LEN: usize = 4;

    /// Returns the node with this name, if it has one to four characters of the alphabet.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_fit = (1..=Self::MAX_LEN).contains(&text.len()) && is_of_alphabet(text);
        is_fit.then(|| {
            let mut name = [0; Self::MAX_LEN];
            name[..text.len()].copy_from_slice(text.as_bytes());
            #[expect(clippy::cast_possible_truncation, reason = "it was compared with the longest")]
            Self { name, len: text.len() as u8 }
        })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.name.get(..self.len.into()).unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// Returns whether a text consists of characters of identifiers: the URL alphabet of base64.
pub(crate) fn is_of_alphabet(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_to_four_characters_of_the_alphabet() {
        for name in ["a", "a7", "-_", "node"] {
            assert_eq!(Node::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "node1", "a b", "a.b", "ä", "a\n"] {
            assert_eq!(Node::parse(name), None, "{name:?}");
        }
    }
}
