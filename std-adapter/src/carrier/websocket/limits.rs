//! How much of a WebSocket's bytes is read at once, and how.

/// The largest number of bytes in one read, and the length of a thread's scratch buffer.
pub(super) const SCRATCH: usize = 64 * 1024;

/// The largest number of bytes that are read before the session's other work gets its turn. Otherwise packets that never
/// fill the inbox could delay that work without limit.
pub(super) const AT_ONCE: usize = 4 * SCRATCH;

/// The length from which a message is worth a read of its own, which saves a copy. A shorter one comes by way of the
/// thread's scratch buffer.
pub(super) const LARGE: usize = 16 * 1024;
