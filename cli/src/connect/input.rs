//! Lines from standard input, read by a thread of their own, which nothing waits for.

#[cfg(unix)]
mod terminal;

use std::io::{BufRead, BufReader};

use eio_tokio::Message;
use tokio::sync::mpsc;

/// How many lines wait until they are sent; the reader then waits too.
const WAITING: usize = 64;

pub(crate) type Lines = mpsc::Receiver<Message>;

/// What is typed, line by line. The end of the input ends nothing else.
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

/// Text if it is text.
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
    fn what_is_no_text_is_sent_as_bytes() {
        assert_eq!(message("grüß".into()), Message::text("grüß"));
        assert_eq!(message(vec![0xff]), Message::binary(vec![0xff]));
    }
}
