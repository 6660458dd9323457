//! Input that may be a terminal, which only programs in its foreground may read.
//!
//! A program that reads its terminal from the background is stopped by SIGTTIN, whole: under `timeout`, which starts
//! what it runs in the background, and after `&` or Ctrl-Z and `bg`. Heartbeats would stop with it.

use core::time::Duration;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

/// How often a program in the background looks whether it has come to the foreground.
const BACKGROUND: Duration = Duration::from_millis(200);

/// Reads while this program is in the foreground, and waits while it is not. Anything but the terminal that controls
/// this program is read at any time.
pub(super) struct Foreground<F>(F);

impl<F: AsFd> Foreground<F> {
    pub(super) const fn new(input: F) -> Self {
        Self(input)
    }

    fn may_be_read(&self) -> bool {
        // An error is another kind of input, or a terminal that controls somebody else.
        tcgetpgrp(&self.0).map_or(true, |foreground| foreground == getpgrp())
    }
}

impl<F: AsFd> Read for Foreground<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // The wait is not in `read`: one that began in the foreground would go on in the background.
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
