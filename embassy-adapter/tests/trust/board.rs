//! The board's side: it connects, sends a line and reads one.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use eio_embassy::embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use eio_embassy::embedded_tls::{TlsConfig, TlsError};
use eio_embassy::tls::{OpenError, RecordBuffers, Trust, open};

/// Connects to this address, sends "board", and returns the line that the server answers.
pub(crate) fn talk(address: &str, trust: &impl Trust) -> Result<String, OpenError> {
    talk_with(address, &TlsConfig::new().with_server_name("server.example"), trust)
}

/// [`talk`] with a configuration of its own.
pub(crate) fn talk_with(
    address: &str,
    config: &TlsConfig<'_>,
    trust: &impl Trust,
) -> Result<String, OpenError> {
    let (mut received, mut sent) = ([0; 8_192], [0; 1_024]);
    let buffers = RecordBuffers { received: &mut received, sent: &mut sent };
    block_on(async {
        let mut connection =
            Box::pin(open(HostTcp::connect(address), buffers, config, trust, &mut host_random)).await?;
        let mut line = Vec::new();
        let mut byte = [0];
        connection.write(b"board\n").await.map_err(tls)?;
        connection.flush().await.map_err(tls)?;
        while byte != *b"\n" {
            assert_eq!(connection.read(&mut byte).await.map_err(tls)?, 1);
            line.extend(byte);
        }
        Ok(String::from_utf8(line).expect("text"))
    })
}

/// An error of an open connection.
fn tls(error: TlsError) -> OpenError {
    OpenError::Tls(error.into())
}

/// A TCP connection of the host, in place of a board's. It blocks, so its futures are ready at once.
pub(crate) struct HostTcp(TcpStream);

impl HostTcp {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a server");
        // A test that hangs says nothing.
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a limit");
        Self(stream)
    }
}

impl ErrorType for HostTcp {
    type Error = ErrorKind;
}

impl Read for HostTcp {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buf).map_err(|_| ErrorKind::Other)
    }
}

impl Write for HostTcp {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(buf).map_err(|_| ErrorKind::Other)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Runs a future whose input and output block.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future that waits for nothing"),
    }
}

/// The operating system's randomness.
pub(crate) fn host_random() -> u32 {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("randomness");
    u32::from_ne_bytes(bytes)
}
