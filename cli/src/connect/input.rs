//! Lines from standard input, read by a thread that the program does not wait for.

#[cfg(unix)]
mod terminal;

use std::io::{BufRead, BufReader};

use eio_tokio::Message;
use tokio::sync::mpsc;

/// How many lines can wait until they are sent. After that, the reader waits.
const WAITING: usize = 64;

pub(crate) type Lines = mpsc::Receiver<Message>;

/// Returns the lines of standard input as messages. The session goes on after the end of the input.
pub(crate) fn lines() -> Lines {
    let (sender, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        for line in standard_input().split(b'\n') {
            let Ok(mut line) = line else { return };
            if line.ends_with(b"\r") {
                line.pop();
            }
            if sender.blocking_send(message(line)).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(unix)]
fn standard_input() -> impl BufRead {
    BufReader::new(terminal::Foreground::new(std::io::stdin()))
}

#[cfg(not(unix))]
fn standard_input() -> impl BufRead {
    BufReader::new(std::io::stdin())
}

/// Returns a text message, or a binary one if the line is not UTF-8.
fn message(line: Vec<u8>) -> Message {
    match String::from_utf8(line) {
        Ok(text) => text.into(),
        Err(error) => error.into_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_utf_8_is_sent_as_a_binary_message() {
        assert_eq!(message("grüß".into()), Message::text("grüß"));
        assert_eq!(message(vec![0xff]), Message::binary(vec![0xff]));
    }
}
