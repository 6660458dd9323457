//! How a stream behind a tunnel ends, and what is known of it then.

use core::task::Poll;

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_embassy::{ClientSettings, Endpoint, SendError, StreamEnd, Tunnel};
use embedded_io_async::{ErrorKind, ErrorType, Read};

use crate::fakes::{
    self, FarReader, OPEN, Server, Task, TestClient, buffers, connect, done, frame, rng, text, waits,
};
use crate::stream::{LEN, Reader, Writer, tunnel, tunnel_of};

/// An open session over these halves.
fn open(server: &mut Server, reader: Reader, writer: Writer) -> TestClient {
    let endpoint = Endpoint::engineio("host");
    let mut opening =
        Box::pin(connect(reader, writer, &endpoint, buffers(512, 512), rng(), &ClientSettings::DEFAULT));
    let task = Task::new();
    assert!(task.poll(opening.as_mut()).is_pending());
    let (_, switch) = server.request();
    server.raw(switch.as_bytes());
    server.text(OPEN);
    let Poll::Ready(Ok(client)) = task.poll(opening.as_mut()) else { panic!("no session") };
    client
}

/// An open session, its server and its tunnel.
fn session() -> (TestClient, Server, &'static Tunnel<ErrorKind, LEN>) {
    let (mut server, reader, writer) = Server::behind_a_stream();
    let (tunnel, reader, writer) = tunnel(reader, writer);
    (open(&mut server, reader, writer), server, tunnel)
}

#[test]
fn the_end_of_the_stream_keeps_its_type() {
    type End = (fn(&mut Server), StreamEnd<ErrorKind>, DisconnectReason);
    let ends: [End; 2] = [
        (Server::hang_up, StreamEnd::Closed, DisconnectReason::TransportClosed),
        (Server::reset, StreamEnd::Failed(ErrorKind::ConnectionReset), DisconnectReason::TransportReset),
    ];
    for (end, known, reason) in ends {
        let _clock = fakes::clock();
        let (mut client, mut server, tunnel) = session();
        assert_eq!(tunnel.end(), None);
        server.text("4before");
        end(&mut server);
        assert!(done(client.recv()).is_ok(), "what came before the end comes first");
        assert_eq!(done(client.recv()).map(drop).map_err(|end| end.reason), Err(reason));
        assert_eq!(tunnel.end(), Some(known));
        assert_eq!(done(client.recv()).map(drop).map_err(|end| end.reason), Err(reason), "it stays");
    }
}

#[test]
fn the_stream_may_be_written_to_only_when_no_record_is_begun_and_none_has_failed() {
    let _clock = fakes::clock();
    let (mut client, mut server, tunnel) = session();
    assert!(tunnel.is_idle());
    server.set_window(3);
    assert_eq!(done(client.send(WebSocketMessage::Text("stuck"))), Ok(()));
    waits(client.recv());
    assert!(server.has_bytes() && !tunnel.is_idle(), "the stream has taken a part");
    server.set_window(1_000);
    assert!(!tunnel.is_idle(), "nobody has written the rest");
    waits(client.recv());
    assert!(tunnel.is_idle());
    assert_eq!(server.take(), [text("4stuck")]);

    server.refuse_writes();
    assert_eq!(done(client.send(WebSocketMessage::Text("taken"))), Ok(()));
    assert_eq!(done(client.send(WebSocketMessage::Text("refused"))), Err(SendError::Closed));
    assert!(!tunnel.is_idle(), "a failed record may have been written in part");
    assert_eq!(tunnel.end(), Some(StreamEnd::Failed(ErrorKind::ConnectionReset)));
}

#[test]
fn a_session_that_is_closed_while_a_write_hangs_leaves_a_stream_that_is_not_idle() {
    let _clock = fakes::clock();
    let (mut client, mut server, tunnel) = session();
    server.set_window(3);
    assert_eq!(done(client.send(WebSocketMessage::Text("stuck"))), Ok(()));
    let task = Task::new();
    let mut close = Box::pin(client.close());
    assert!(task.poll(close.as_mut()).is_pending());
    fakes::advance(500_000);
    let Poll::Ready(end) = task.poll(close.as_mut()) else { panic!("the server is silent") };
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert!(!tunnel.is_idle());
}

/// A stream of records: a byte with the length, then the content. Returns nothing before a record is whole, as TLS does.
struct WholeRecords(FarReader);

impl ErrorType for WholeRecords {
    type Error = ErrorKind;
}

impl Read for WholeRecords {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut len = [0];
        self.0.read(&mut len).await?;
        let record = &mut buf[..usize::from(len[0])];
        let mut filled = 0;
        while filled < record.len() {
            filled += self.0.read(&mut record[filled..]).await?;
        }
        Ok(filled)
    }
}

fn record(content: &[u8]) -> Vec<u8> {
    let mut record = vec![u8::try_from(content.len()).expect("a short record")];
    record.extend(content);
    record
}

#[test]
fn a_record_that_comes_in_pieces_counts_when_it_is_whole_and_not_before() {
    let _clock = fakes::clock();
    let (mut server, reader, writer) = Server::behind_a_stream();
    let (_, reader, writer) = tunnel_of(WholeRecords(reader), writer);
    let endpoint = Endpoint::engineio("host");
    let mut opening =
        Box::pin(connect(reader, writer, &endpoint, buffers(512, 512), rng(), &ClientSettings::DEFAULT));
    let task = Task::new();
    assert!(task.poll(opening.as_mut()).is_pending());
    let (_, switch) = server.request();
    for content in [switch.as_bytes(), &frame(WebSocketMessage::Text(OPEN))] {
        for part in content.chunks(100) {
            server.raw(&record(part));
        }
    }
    let Poll::Ready(Ok(mut client)) = task.poll(opening.as_mut()) else { panic!("no session") };

    // A ping, byte by byte, with a future of its own for each byte.
    for byte in record(&frame(WebSocketMessage::Text("2"))) {
        assert_eq!(server.take(), []);
        fakes::advance(100_000);
        server.raw(&[byte]);
        waits(client.recv());
    }
    assert_eq!(server.take(), [text("3")]);
    // Half a ping is no sign of life: the end comes 500 ms after the last one.
    let ping = record(&frame(WebSocketMessage::Text("2")));
    for byte in &ping[..ping.len() - 1] {
        fakes::advance(100_000);
        server.raw(&[*byte]);
        waits(client.recv());
    }
    fakes::advance(199_999);
    waits(client.recv());
    fakes::advance(1);
    let end = done(client.recv()).expect_err("silence");
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert_eq!(end.silent_for.as_millis(), 500);
}
