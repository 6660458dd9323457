//! A session over TLS 1.3 with a pre-shared key: it needs no certificate and no clock.
//!
//! Run `cargo run --example tls -- 127.0.0.1:8443` against a server behind, for example,
//!
//! ```text
//! openssl s_server -accept 8443 -tls1_3 -nocert -psk 0123456789abcdef0123456789abcdef -psk_identity board-7 -quiet
//! ```
//!
//! On a board, TLS needs the following in addition to the session's own buffers:
//!
//! | | |
//! |---|---|
//! | buffer for received records | the longest record that the server sends, plus 256 bytes: 16,640 bytes, or less if the server honours `max_fragment_length`. OpenSSL does, so 1,280 are enough here |
//! | buffer for sent records | 1,024 bytes or more. A longer frame is sent in several records |
//! | clock | none with a shared key. With certificates, the board needs a clock that has been set, to check their dates. Without that check, a stolen expired certificate is as good as a valid one |
//! | randomness | cryptographic: the session's keys come from it, so a seeded generator is not enough |
//!
//! Only the shared key authenticates the server. [`OnlySharedKey`] refuses every certificate, so a server cannot make
//! the board accept one instead of the key.

#![expect(clippy::expect_used, reason = "a host without randomness can do nothing")]

use core::cell::RefCell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::io::{ErrorKind as StdErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use eio_core::packet::WebSocketMessage;
use eio_embassy::{
    Buffers, Client, ClientSettings, ConnectError, Endpoint, StreamEnd, Tunnel, TunnelReader, TunnelWriter,
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_tls::{
    Aes128GcmSha256, CertificateRef, CertificateVerifyRef, CryptoProvider, CryptoRngCore, FlushPolicy,
    MaxFragmentLength, TlsConfig, TlsConnection, TlsContext, TlsError, TlsVerifier,
};

/// A client over TLS.
pub(crate) type TlsClient<'b, 't> = Client<'b, TunnelReader<'t, TlsError>, TunnelWriter<'t, TlsError>>;

/// The pre-shared key and its name.
pub(crate) struct SharedKey<'k> {
    /// The key: 16 or more random bytes, different on every board.
    pub(crate) key: &'k [u8],
    /// The name by which the server finds the key.
    pub(crate) identity: &'k str,
}

/// Why no session opened.
#[derive(Debug)]
pub(crate) enum Failed {
    /// TLS failed: the key is wrong, the server offers a certificate instead, or the connection ended.
    Tls(TlsError),
    /// The TLS connection opened, but no session did.
    Connect(ConnectError),
}

/// Opens a session over TLS, lends it to the application, and closes it. `reader` and `writer` are the two halves of a
/// TCP connection. Returns what the application returned, and how TLS ended.
///
/// TLS does not survive a dropped future, and a [`Client`] drops many. Between them is a [`Tunnel`].
pub(crate) async fn session<T>(
    reader: impl Read,
    writer: impl Write,
    shared: &SharedKey<'_>,
    random: &mut dyn FnMut() -> u32,
    application: impl AsyncFnOnce(&mut TlsClient<'_, '_>) -> T,
) -> Result<(T, Option<StreamEnd<TlsError>>), Failed> {
    let random = RefCell::new(random);
    // On a board, put these four buffers into statics.
    let (mut received, mut sent) = ([0; 1_280], [0; 1_024]);
    let (mut rx, mut tx) = ([0; 512], [0; 512]);

    let (reader, writer) = (Mutex::new(reader), Mutex::new(writer));
    let halves = Halves { reader: &reader, writer: &writer };
    let config = TlsConfig::new()
        .with_psk(shared.key, &[shared.identity.as_bytes()])
        .with_max_fragment_length(MaxFragmentLength::Bits10);
    let mut tls = TlsConnection::new(halves, &mut received, &mut sent);
    // A heartbeat must not wait for an acknowledgement of TCP.
    tls.set_flush_policy(FlushPolicy::Relaxed);
    let provider = OnlySharedKey { random: Random(&random), refusal: RefuseCertificates };
    tls.open(TlsContext::new(&config, provider)).await.map_err(Failed::Tls)?;

    let tunnel = Tunnel::<_, 256>::new();
    let result = {
        let (reader, writer) = tls.split();
        let mut reading = pin!(tunnel.read_from(CloseNotify(reader)));
        let mut writing = pin!(tunnel.write_to(writer));
        let (reader, writer) = (tunnel.reader(reading.as_mut()), tunnel.writer(writing.as_mut()));
        let endpoint = Endpoint::socketio("board.example");
        let buffers = Buffers { rx: &mut rx, tx: &mut tx };
        let mut masks = || (random.borrow_mut())();
        let settings = ClientSettings::DEFAULT;
        let mut client =
            Client::new(reader, writer, buffers, &mut masks, &settings).map_err(Failed::Connect)?;
        client.connect(&endpoint).await.map_err(Failed::Connect)?;
        let result = application(&mut client).await;
        client.close().await;
        result
    };
    if tunnel.is_idle() {
        // Tells the server that nothing was cut off. On a board, give it a deadline.
        let _ = tls.close().await;
    }
    Ok((result, tunnel.end()))
}

/// Reports the server's `close_notify` as the end of the stream, which it is, and not as an error.
struct CloseNotify<R>(R);

impl<R: ErrorType<Error = TlsError>> ErrorType for CloseNotify<R> {
    type Error = TlsError;
}

impl<R: Read<Error = TlsError>> Read for CloseNotify<R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, TlsError> {
        match self.0.read(buf).await {
            Err(TlsError::ConnectionClosed) => Ok(0),
            result => result,
        }
    }
}

/// The two halves of one connection, for a TLS connection that is split later. Its reader uses only one half and its
/// writer only the other, so neither waits for a lock.
struct Halves<'h, R, W> {
    reader: &'h Mutex<NoopRawMutex, R>,
    writer: &'h Mutex<NoopRawMutex, W>,
}

impl<R, W> Clone for Halves<'_, R, W> {
    fn clone(&self) -> Self {
        Self { reader: self.reader, writer: self.writer }
    }
}

impl<R: Read, W: Write> ErrorType for Halves<'_, R, W> {
    type Error = ErrorKind;
}

impl<R: Read, W: Write> Read for Halves<'_, R, W> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.reader.lock().await.read(buf).await.map_err(|error| embedded_io_async::Error::kind(&error))
    }
}

impl<R: Read, W: Write> Write for Halves<'_, R, W> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.writer.lock().await.write(buf).await.map_err(|error| embedded_io_async::Error::kind(&error))
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        // embassy-net's `flush` waits until the peer has acknowledged everything, which never happens on a cut link.
        Ok(())
    }
}

/// Randomness for the TLS handshake, from the same source as all other random numbers.
struct Random<'r, 'f>(&'r RefCell<&'f mut dyn FnMut() -> u32>);

impl rand_core::RngCore for Random<'_, '_> {
    fn next_u32(&mut self) -> u32 {
        (self.0.borrow_mut())()
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_u32(self)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        rand_core::impls::fill_bytes_via_next(self, dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl rand_core::CryptoRng for Random<'_, '_> {}

/// Authenticates the server by the shared key alone.
struct OnlySharedKey<'r, 'f> {
    random: Random<'r, 'f>,
    refusal: RefuseCertificates,
}

impl CryptoProvider for OnlySharedKey<'_, '_> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = &'static [u8];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.random
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.refusal)
    }
}

/// Refuses every certificate: a server that has the key does not send one.
struct RefuseCertificates;

impl TlsVerifier<Aes128GcmSha256> for RefuseCertificates {
    fn set_hostname_verification(&mut self, _hostname: &str) -> Result<(), TlsError> {
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        _transcript: &<Aes128GcmSha256 as embedded_tls::TlsCipherSuite>::Hash,
        _certificate: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        Err(TlsError::InvalidCertificate)
    }

    fn verify_signature(&mut self, _verify: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        Err(TlsError::InvalidSignature)
    }
}

/// A TCP connection of the host, in place of a board's.
pub(crate) struct HostTcp(TcpStream);

impl HostTcp {
    /// Connects to this address and returns both halves of the connection.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub(crate) fn connect(address: &str) -> std::io::Result<(Self, Self)> {
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        Ok((Self(stream.try_clone()?), Self(stream)))
    }
}

impl ErrorType for HostTcp {
    type Error = ErrorKind;
}

/// Registers no waker: [`block_on`] polls all the time, which a board would not do.
async fn retry(mut attempt: impl FnMut() -> std::io::Result<usize>) -> Result<usize, ErrorKind> {
    core::future::poll_fn(move |_| match attempt() {
        Err(error) if error.kind() == StdErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result.map_err(|_| ErrorKind::Other)),
    })
    .await
}

impl Read for HostTcp {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        retry(|| self.0.read(buf)).await
    }
}

impl Write for HostTcp {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        retry(|| self.0.write(buf)).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Runs one future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::yield_now();
    }
}

/// The operating system's randomness.
pub(crate) fn host_random() -> u32 {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("randomness");
    u32::from_ne_bytes(bytes)
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8443".to_owned());
    let (reader, writer) = HostTcp::connect(&address)?;
    let key = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
    let shared = SharedKey { key: &key, identity: "board-7" };
    let talk = async |client: &mut TlsClient<'_, '_>| {
        let _ = client.send(WebSocketMessage::Text("hello")).await;
        loop {
            match client.recv().await {
                Ok(message) => println!("{message:?}"),
                Err(end) => return end,
            }
        }
    };
    match block_on(session(reader, writer, &shared, &mut host_random, talk)) {
        Err(Failed::Tls(error)) => println!("no TLS connection: {error:?}"),
        Err(Failed::Connect(error)) => println!("no session: {error}"),
        Ok((end, tls)) => println!("{} after {:?} of silence; TLS: {tls:?}", end.reason, end.silent_for),
    }
    Ok(())
}
