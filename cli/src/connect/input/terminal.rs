//! Input that may be a terminal, which only the foreground may read.
//!
//! The kernel stops a whole program with SIGTTIN if it reads its terminal from the background: after `&`, after Ctrl-Z
//! and `bg`, and under `timeout`, which runs commands in the background. The heartbeats would stop with the program.

use core::time::Duration;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

/// How often a program in the background checks whether it is in the foreground.
const BACKGROUND: Duration = Duration::from_millis(200);

/// Reads while this program is in the foreground, and waits while it is not. Only the program's controlling terminal is
/// treated like this: other input is read at any time.
pub(super) struct Foreground<F>(F);

impl<F: AsFd> Foreground<F> {
    pub(super) const fn new(input: F) -> Self {
        Self(input)
    }

    fn may_be_read(&self) -> bool {
        // An error means other input, or a terminal that does not control this program.
        tcgetpgrp(&self.0).map_or(true, |foreground| foreground == getpgrp())
    }
}

impl<F: AsFd> Read for Foreground<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // `poll` waits, not `read`: a `read` that began in the foreground would go on in the background.
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None) {
                Ok(_) if self.may_be_read() => {}
                Ok(_) => {
                    thread::park_timeout(BACKGROUND);
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            match rustix::io::read(&self.0, &mut *buffer) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                read => return Ok(read?),
            }
        }
    }
}
