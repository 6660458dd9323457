//! The other end of standard output, where that is a pipe or a socket.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Waits until nobody reads `sink` any more. Waits forever if it is a file or a terminal.
pub(super) fn wait_until_gone(sink: &impl AsFd) -> io::Result<()> {
    loop {
        // No event is asked for: errors and hang-ups are always reported.
        match poll(&mut [PollFd::new(sink, PollFlags::empty())], None) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
