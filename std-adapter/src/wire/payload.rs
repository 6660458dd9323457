//! What a payload of polling cannot carry.

use eio_core::Revision;
use eio_core::packet::Packet;
use eio_core::payload::v4::find_separator;

use crate::wire::message::Message;

/// Returns the position of U+001E in a text message for revision 4. It separates packets on polling, so the text cannot be
/// sent there.
pub(crate) fn separator(revision: Revision, message: &Message) -> Option<usize> {
    match revision {
        Revision::V4 => find_separator(&Packet::message(message.as_websocket_message())),
        Revision::V3 => None,
    }
}
