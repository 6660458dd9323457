//! Packets whose text is made longer once it is written.

use eio_core::BufferTooSmall;
use eio_core::socketio::Packet;

/// Writes the packet's text, and leaves room behind it for `added` bytes. Returns the length of the text.
pub(super) fn encode_before(
    packet: &Packet<'_>,
    added: usize,
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let room = out.len().saturating_sub(added);
    match packet.encode(out.get_mut(..room).unwrap_or_default()) {
        Ok(text) => Ok(text.len()),
        Err(mut error) => {
            error.needed = error.needed.saturating_add(added);
            Err(error)
        }
    }
}
