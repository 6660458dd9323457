//! QEMU's control socket, as far as it is needed: pulling the network cable.

use core::time::Duration;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

pub(super) struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Waits for QEMU to listen, up to five seconds.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let mut tries = 0;
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) if tries == 500 => return Err(error),
                Err(_) => super::board::pause(Duration::from_millis(10)),
            }
            tries += 1;
        };
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut qmp = Self { stream: BufReader::new(stream) };
        qmp.execute(&json!({"execute": "qmp_capabilities"}))?;
        Ok(qmp)
    }

    /// Runs a command. Greetings and events are skipped.
    pub(super) fn execute(&mut self, command: &Value) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{command}\n").as_bytes())?;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let answer: Value = serde_json::from_str(&line)?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
        }
    }
}
