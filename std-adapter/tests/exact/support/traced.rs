//! Messages whose memory can be followed, for the tests of both sides.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use eio_tokio::Message;

/// A message, and what tells whether anybody still has it.
pub(crate) fn traced() -> (Message, Weak<Vec<u8>>) {
    struct Owner(Arc<Vec<u8>>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let owner = Arc::new(vec![7; 1000]);
    let trace = Arc::downgrade(&owner);
    (Message::binary(Bytes::from_owner(Owner(owner))), trace)
}
