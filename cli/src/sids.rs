//! How the output names a session: by the beginning of its sid, by all of it, and by a hash of it.

use core::fmt::Write as _;

use clap::Args;
use ring::hmac;

/// The number of bytes of the hash that are shown.
const HASH_BYTES: usize = 8;

/// The options about the names of sessions.
#[derive(Args, Clone, Debug)]
pub(crate) struct SidOptions {
    /// Print the whole sid of each session, instead of its beginning
    ///
    /// Somebody who knows the sid of an open session can act as its client. Use this option only where nobody else reads
    /// the output.
    #[arg(long)]
    pub(crate) show_sids: bool,

    /// The key of the hash of the sid, which --json adds to each event of a session
    ///
    /// It is the beginning of HMAC-SHA-256(KEY, sid), 16 hexadecimal digits, which do not reveal the sid. Two programs
    /// with the same key print the same hash for the same session, so that their logs can be compared. Without this option
    /// the key is empty: the logs of all servers and clients can be compared. With a key of your own, only those can that
    /// have the key.
    #[arg(long, value_name = "KEY")]
    pub(crate) sid_key: Option<String>,
}

/// Names sessions.
#[derive(Clone, Debug)]
pub(crate) struct Sids {
    key: hmac::Key,
    are_shown: bool,
    /// The length of the name of the node, with which each sid begins.
    node_len: usize,
}

/// The name of one session, without its sid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SidLabel {
    hash: [u8; HASH_BYTES],
    is_shown: bool,
    node_len: usize,
}

impl Sids {
    pub(crate) fn new(options: &SidOptions) -> Self {
        let key = options.sid_key.as_deref().unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        Self { key, are_shown: options.show_sids, node_len: 0 }
    }

    /// Names the sessions of this node.
    pub(crate) fn of_node(self, name: &str) -> Self {
        Self { node_len: name.len(), ..self }
    }

    pub(crate) fn label(&self, sid: &str) -> SidLabel {
        let mut hash = [0; HASH_BYTES];
        for (shown, byte) in hash.iter_mut().zip(hmac::sign(&self.key, sid.as_bytes()).as_ref()) {
            *shown = *byte;
        }
        SidLabel { hash, is_shown: self.are_shown, node_len: self.node_len }
    }
}

impl SidLabel {
    /// Returns as much of the sid as may be shown.
    pub(crate) fn shown(&self, sid: &str) -> String {
        if self.is_shown {
            return sid.to_owned();
        }
        // Less than half of a short one.
        let shown = sid.chars().skip(self.node_len).count().min(8) / 2;
        sid.chars().take(self.node_len + shown).chain(['…']).collect()
    }

    /// Returns the hash of the sid.
    pub(crate) fn hash(&self) -> String {
        let mut digits = String::with_capacity(2 * HASH_BYTES);
        for byte in self.hash {
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_beginning_of_hmac_sha_256() {
        let sids =
            |key: Option<&str>| Sids::new(&SidOptions { show_sids: false, sid_key: key.map(str::to_owned) });
        // RFC 4231, test case 2.
        let label = sids(Some("Jefe")).label("what do ya want for nothing?");
        assert_eq!(label.hash(), "5bdcc146bf60754e");
        // `printf '' | openssl dgst -sha256 -hmac ''`
        assert_eq!(sids(None).label("").hash(), "b613679a0814d9ec");
        assert_eq!(sids(None).label("sid"), sids(Some("")).label("sid"));
        assert_ne!(sids(Some("a")).label("sid"), sids(Some("b")).label("sid"));
    }

    #[test]
    fn a_sid_is_shown_by_its_beginning_unless_it_may_be_shown() {
        let shown =
            |show_sids, sid| Sids::new(&SidOptions { show_sids, sid_key: None }).label(sid).shown(sid);
        assert_eq!(shown(false, "abcdefghijklmnopqrst"), "abcd…");
        assert_eq!(shown(false, "ab"), "a…");
        assert_eq!(shown(true, "abcdefghijklmnopqrst"), "abcdefghijklmnopqrst");
        let of_node = Sids::new(&SidOptions { show_sids: false, sid_key: None }).of_node("a7");
        assert_eq!(of_node.label("a7cdefghijklmnopqrst").shown("a7cdefghijklmnopqrst"), "a7cdef…");
    }
}
