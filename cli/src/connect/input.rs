//! Lines of standard input, which become messages.

#[cfg(unix)]
mod terminal;

use std::io::{self, BufRead, BufReader, Read as _};

use eio_tokio::{ClientSender, Message};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::event::Event;
use super::options::MAX_PAYLOAD;
use super::socketio::Namespace;
use crate::log::Log;

/// How many lines can wait until they are sent. After that, the reader waits.
const WAITING: usize = 64;

/// The longest line.
const LONGEST: u64 = MAX_PAYLOAD as u64;

/// A line as a message, or why it cannot be one.
type Line = Result<Message, String>;

/// The lines of standard input on their way to the server.
pub(crate) struct Input {
    /// Whether lines may go. It is dropped when the session has ended.
    may_go: watch::Sender<bool>,
    /// Returns how many lines have stayed behind.
    sending: Option<JoinHandle<usize>>,
}

impl Input {
    /// Reads nothing.
    pub(crate) fn none() -> Self {
        Self { may_go: watch::Sender::new(true), sending: None }
    }

    /// Reads lines, and sends them as fast as the connection takes them. Those for a namespace wait until it is joined: a
    /// server closes the session of a client that sends to a namespace before that.
    pub(crate) fn start(sender: ClientSender, namespace: Option<Namespace>, log: Log<Event>) -> Self {
        let (may_go, gate) = watch::channel(namespace.is_none());
        let sending = tokio::spawn(send(lines(), gate, sender, namespace, log));
        Self { may_go, sending: Some(sending) }
    }

    /// Lets the lines go, because the namespace is joined.
    pub(crate) fn release(&self) {
        self.may_go.send_replace(true);
    }

    /// Reports the lines that the session has left behind at its end.
    pub(crate) async fn finish(self, log: &Log<Event>) {
        let why =
            if *self.may_go.borrow() { "the session had ended" } else { "the namespace was not joined" };
        drop(self.may_go);
        let Some(sending) = self.sending else { return };
        match sending.await.unwrap_or_default() {
            0 => {}
            1 => log.put(Event::NotSent { why: format!("a line of input: {why}") }),
            WAITING.. => log.put(Event::NotSent { why: format!("{WAITING} lines of input or more: {why}") }),
            count => log.put(Event::NotSent { why: format!("{count} lines of input: {why}") }),
        }
    }
}

/// Sends lines until the session ends. Returns how many stay behind.
async fn send(
    mut lines: mpsc::Receiver<Line>,
    mut gate: watch::Receiver<bool>,
    sender: ClientSender,
    namespace: Option<Namespace>,
    log: Log<Event>,
) -> usize {
    // An error means that the session has ended.
    let mut gone = gate.wait_for(|may_go| *may_go).await.is_err();
    while !gone {
        tokio::select! {
            biased;
            // A server may let the client in twice.
            changed = gate.changed() => gone = changed.is_err(),
            line = lines.recv() => match line {
                Some(line) => send_one(line, &sender, namespace.as_ref(), &log).await,
                None => return 0,
            },
        }
    }
    lines.close();
    core::iter::from_fn(|| lines.try_recv().ok()).count()
}

async fn send_one(line: Line, sender: &ClientSender, namespace: Option<&Namespace>, log: &Log<Event>) {
    let message = match namespace {
        None => line,
        Some(namespace) => line.and_then(|line| namespace.event(&line)),
    };
    let sent = match message {
        Ok(message) => sender.send(message).await.map_err(|error| error.kind.to_string()),
        Err(why) => Err(why),
    };
    if let Err(why) = sent {
        log.put(Event::NotSent { why });
    }
}

/// Returns the lines of standard input, read by a thread that the program does not wait for. The session goes on after the
/// end of the input.
fn lines() -> mpsc::Receiver<Line> {
    let (sender, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let mut input = standard_input();
        while let Ok(Some(line)) = read_line(&mut input, LONGEST) {
            let is_too_long = line.is_err();
            if sender.blocking_send(line).is_err() || (is_too_long && input.skip_until(b'\n').is_err()) {
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

/// Reads a line, or the beginning of one that is longer than `longest`. Returns `None` at the end of the input.
fn read_line(input: &mut impl BufRead, longest: u64) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    // One more for the end of the line.
    input.by_ref().take(longest + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.pop();
    } else if line.len() as u64 > longest {
        return Ok(Some(Err(format!("the line is longer than {} MiB", longest >> 20))));
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    Ok(Some(Ok(message(line))))
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

    #[test]
    fn a_line_is_read_to_its_end_or_to_the_longest_length() {
        let mut input = &b"a\r\n\nb\nfour\nfifth\nlast"[..];
        let mut read = || read_line(&mut input, 4).unwrap();
        for text in ["a", "", "b", "four"] {
            assert_eq!(read(), Some(Ok(Message::text(text))));
        }
        assert!(read().unwrap().is_err(), "five bytes");
        assert_eq!(read(), Some(Ok(Message::text(""))), "nothing but its end is left");
        assert_eq!(read(), Some(Ok(Message::text("last"))));
        assert_eq!(read(), None);
    }
}
