//! The client protocol of NATS, without I/O: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Info(Info),
    Message(Bytes),
    Ping,
    Pong,
    Okay,
    Error(String),
}

/// What a server says about itself, as far as it matters here.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) max_payload: usize,
    pub(super) tls_required: bool,
    pub(super) tls_available: bool,
}

impl Default for Info {
    fn default() -> Self {
        Self { max_payload: 1_048_576, tls_required: false, tls_available: false }
    }
}

/// What a client says about itself.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "so it is in the protocol")]
pub(super) struct Hello<'a> {
    pub(super) verbose: bool,
    pub(super) pedantic: bool,
    pub(super) tls_required: bool,
    pub(super) name: &'a str,
    pub(super) lang: &'a str,
    pub(super) version: &'a str,
    pub(super) protocol: u8,
    /// Whether it wants to have its own messages, to which it has subscribed.
    pub(super) echo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pass: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_token: Option<&'a str>,
}

/// Why what came is not NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotNats {
    #[error("a line of more than {MAX_LINE} bytes")]
    Line,
    #[error("an unknown line: expected INFO, MSG, PING, PONG, +OK or -ERR")]
    Unknown,
    #[error("a line INFO without valid JSON")]
    Info,
    #[error("a line MSG without a valid length of at most {MAX_PAYLOAD} bytes")]
    Length,
    #[error("a message that does not end where it should")]
    Ending,
}

/// The longest line, which is an INFO that lists the servers of a cluster.
const MAX_LINE: usize = 256 * 1024;

/// The largest `max_payload` that a server can be configured to have.
const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

/// Payloads below it are copied out of the buffer. Whoever keeps one of them would keep all of the buffer otherwise.
const COPIED: usize = 16 * 1024;

/// Makes of bytes what a server says.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of a line.
    searched: usize,
    /// The length of the message whose line is read.
    payload: Option<usize>,
}

const ENDING: &[u8] = b"\r\n";

impl Decoder {
    /// Where to put what comes next.
    pub(super) fn space(&mut self) -> &mut BytesMut {
        // A message that is announced gets its memory as it arrives.
        let missing =
            self.payload.map_or(0, |payload| (payload + ENDING.len()).saturating_sub(self.buffer.len()));
        self.buffer.reserve(missing.clamp(COPIED, 16 * COPIED));
        &mut self.buffer
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Returns what comes next, if all of it is there.
    pub(super) fn decode(&mut self) -> Result<Option<Said>, NotNats> {
        if self.payload.is_none() {
            let Some(line) = self.line()? else { return Ok(None) };
            match parse(&line)? {
                Line::Said(said) => return Ok(Some(said)),
                Line::Message(payload) => self.payload = Some(payload),
            }
        }
        let Some(payload) = self.payload.filter(|payload| self.buffer.len() >= payload + ENDING.len()) else {
            return Ok(None);
        };
        self.payload = None;
        let message = if payload < COPIED {
            let message = self.buffer.get(..payload).map(Bytes::copy_from_slice).unwrap_or_default();
            self.buffer.advance(payload);
            message
        } else {
            self.buffer.split_to(payload).freeze()
        };
        if !self.buffer.starts_with(ENDING) {
            return Err(NotNats::Ending);
        }
        self.buffer.advance(ENDING.len());
        Ok(Some(Said::Message(message)))
    }

    /// Takes a whole line, without its ending.
    fn line(&mut self) -> Result<Option<BytesMut>, NotNats> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return if self.searched > MAX_LINE { Err(NotNats::Line) } else { Ok(None) };
        };
        let mut line = self.buffer.split_to(self.searched + end + 1);
        self.searched = 0;
        line.truncate(line.trim_ascii_end().len());
        Ok(Some(line))
    }
}

enum Line {
    Said(Said),
    /// A message of this length comes next.
    Message(usize),
}

fn parse(line: &[u8]) -> Result<Line, NotNats> {
    let split = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (operation, rest) = line.split_at(split);
    let rest = rest.trim_ascii();
    let said = match operation {
        b"MSG" => {
            let length = rest.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
            let length = core::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
            return length.filter(|length| *length <= MAX_PAYLOAD).map(Line::Message).ok_or(NotNats::Length);
        }
        b"PING" => Said::Ping,
        b"PONG" => Said::Pong,
        b"+OK" => Said::Okay,
        b"INFO" => Said::Info(serde_json::from_slice(rest).map_err(|_| NotNats::Info)?),
        b"-ERR" => {
            let text = String::from_utf8_lossy(rest);
            Said::Error(text.trim_matches('\'').chars().filter(|sign| !sign.is_control()).take(300).collect())
        }
        _ => return Err(NotNats::Unknown),
    };
    Ok(Line::Said(said))
}

pub(super) fn hello(out: &mut BytesMut, hello: &Hello<'_>) {
    // It has nothing that JSON could not hold.
    let json = serde_json::to_vec(hello).unwrap_or_default();
    line(out, &[b"CONNECT ", &json]);
}

pub(super) fn publish(out: &mut BytesMut, subject: &str, payload: &[u8]) {
    let mut digits = [0; 20];
    line(out, &[b"PUB ", subject.as_bytes(), b" ", decimal(payload.len() as u64, &mut digits)]);
    line(out, &[payload]);
}

pub(super) fn subscribe(out: &mut BytesMut, subject: &str, id: u64) {
    line(out, &[b"SUB ", subject.as_bytes(), b" ", decimal(id, &mut [0; 20])]);
}

pub(super) fn unsubscribe(out: &mut BytesMut, id: u64) {
    line(out, &[b"UNSUB ", decimal(id, &mut [0; 20])]);
}

pub(super) fn ping(out: &mut BytesMut) {
    line(out, &[b"PING"]);
}

pub(super) fn pong(out: &mut BytesMut) {
    line(out, &[b"PONG"]);
}

fn line(out: &mut BytesMut, parts: &[&[u8]]) {
    for part in parts {
        out.put_slice(part);
    }
    out.put_slice(ENDING);
}

/// Writes a number in decimal.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        start -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(decoder: &mut Decoder) -> Result<Vec<Said>, NotNats> {
        let mut all = Vec::new();
        while let Some(said) = decoder.decode()? {
            all.push(said);
        }
        Ok(all)
    }

    #[test]
    fn what_a_server_says_is_understood_wherever_it_is_cut() {
        let long = "x".repeat(COPIED + 1);
        let text = format!(
            "INFO {{\"server_id\":\"A\",\"host\":\"localhost\",\"max_payload\":100}}\r\n+OK\r\nPING\r\nPONG \r\n\
             MSG eio.all 1 2\r\nhi\r\nMSG\teio.all 9  reply.to 0\r\n\r\nMSG a 1 4\r\n\r\nX\n\r\n\
             -ERR 'Slow Consumer'\r\nMSG a 1 {}\r\n{long}\r\n",
            long.len()
        );
        let expected = [
            Said::Info(Info { max_payload: 100, ..Info::default() }),
            Said::Okay,
            Said::Ping,
            Said::Pong,
            Said::Message("hi".into()),
            Said::Message("".into()),
            Said::Message("\r\nX\n".into()),
            Said::Error("Slow Consumer".to_owned()),
            Said::Message(long.into()),
        ];
        for piece in [1, 2, 3, 7, 100, text.len()] {
            let mut decoder = Decoder::default();
            let mut all = Vec::new();
            for bytes in text.as_bytes().chunks(piece) {
                decoder.space().put_slice(bytes);
                all.extend(decode_all(&mut decoder).unwrap());
            }
            assert_eq!(all, expected, "in pieces of {piece}");
            assert!(decoder.is_empty());
        }
    }

    #[test]
    fn what_is_not_nats_is_told_and_takes_no_memory() {
        let endless = vec![b'a'; MAX_LINE + 1];
        for (bytes, error) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], NotNats::Unknown),
            (b"\r\n", NotNats::Unknown),
            (b"INFO x\r\n", NotNats::Info),
            (b"MSG a 1\xff\r\n", NotNats::Length),
            (b"MSG a 1 -1\r\n", NotNats::Length),
            (b"MSG a 1 67108865\r\n", NotNats::Length),
            (b"MSG a 1 99999999999999999999999999\r\n", NotNats::Length),
            (b"MSG a 1 1\r\nabc", NotNats::Ending),
            (&endless, NotNats::Line),
        ] {
            let mut decoder = Decoder::default();
            decoder.space().put_slice(bytes);
            assert_eq!(decode_all(&mut decoder), Err(error));
        }
        let mut decoder = Decoder::default();
        decoder.space().put_slice(b"MSG a 1 67108864\r\n");
        assert_eq!(decoder.decode(), Ok(None));
        assert!(decoder.space().capacity() < 1024 * 1024);
    }

    #[test]
    fn what_a_client_says_is_written() {
        let mut out = BytesMut::new();
        publish(&mut out, "eio.all", b"hello");
        subscribe(&mut out, "eio.all", 0);
        unsubscribe(&mut out, u64::MAX);
        ping(&mut out);
        pong(&mut out);
        assert_eq!(
            out,
            "PUB eio.all 5\r\nhello\r\nSUB eio.all 0\r\nUNSUB 18446744073709551615\r\nPING\r\nPONG\r\n"
        );
    }
}
