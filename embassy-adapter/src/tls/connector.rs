//! TLS as a layer over another connector.

use core::pin::pin;
use core::time::Duration;

use eio_core::DisconnectReason;
use embassy_sync::mutex::Mutex;
use embassy_time::with_deadline;
use embedded_io_async::{Read, Write};
use embedded_tls::{FlushPolicy, MaxFragmentLength, TlsConfig};

use super::halves::{Halves, Open};
use super::{Fault, OpenError, RecordBuffers, Trust, open};
use crate::{Client, Connector, Loss, Report, StreamEnd, Tunnel, TunnelReader, TunnelWriter, clock};

/// A client over TLS: the client of a [`TlsConnector`]'s sessions. It can do all that a client over TCP can.
pub type TlsClient<'b, 's> = Client<'b, TunnelReader<'s, Fault>, TunnelWriter<'s, Fault>>;

/// The bytes of a record that TLS adds to its content, at most: RFC 8446, section 5.2.
const RECORD_OVERHEAD: usize = 5 + 256;

/// The bytes of the tunnel in each direction. Longer frames are sent in several records.
const TUNNEL: usize = 128;

/// Time limits for the steps before and after a session. Every field has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from DEFAULT")]
pub struct TlsLimits {
    /// The time for the TLS handshake, which the board's own computations are part of. Default: 20 s.
    pub handshake_timeout: Duration,
    /// The time to write the `close_notify` after a session. Default: 1 s.
    pub close_timeout: Duration,
}

impl TlsLimits {
    /// The defaults that each field's documentation states.
    pub const DEFAULT: Self =
        Self { handshake_timeout: Duration::from_secs(20), close_timeout: Duration::from_secs(1) };
}

impl Default for TlsLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Opens TLS connections to one server over the streams of another connector.
///
/// A session over TLS is as one over TCP: the same client, `socketio::Socket`, the same bounds of time. A TLS connection
/// does not survive a dropped future, so a [`Tunnel`] of 128 bytes in each direction stands between it and the client.
/// Longer frames are sent in several records.
///
/// ```no_run
/// use core::cell::RefCell;
/// use core::ops::ControlFlow;
/// use eio_core::backoff::Backoff;
/// use eio_embassy::tls::{PinnedKeys, PublicKey, RecordBuffers, TlsConnector};
/// use eio_embassy::{Buffers, ClientSettings, Connector, Endpoint, Reconnect, State};
/// use embassy_sync::{blocking_mutex::raw::NoopRawMutex, watch::Watch};
///
/// # async fn task(tcp: impl Connector, keys: &[PublicKey], hardware_random: impl FnMut() -> u32) {
/// let watch: Watch<NoopRawMutex, State, 2> = Watch::new();
/// // One source of randomness, for TLS and for everything else.
/// let random = RefCell::new(hardware_random);
/// let (mut for_tls, mut for_sessions) = (|| (random.borrow_mut())(), || (random.borrow_mut())());
///
/// let (mut received, mut sent, mut rx, mut tx) = ([0; 1_285], [0; 1_024], [0; 512], [0; 512]);
/// let records = RecordBuffers { received: &mut received, sent: &mut sent };
/// // `tcp` is a `TcpConnector`, for example.
/// let mut connector =
///     TlsConnector::new(tcp, "server.example", PinnedKeys::new(keys), records, &mut for_tls);
/// let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut for_sessions, watch.dyn_sender());
/// let endpoint = Endpoint { secure: true, ..Endpoint::socketio("server.example") };
/// let buffers = Buffers { rx: &mut rx, tx: &mut tx };
/// connector
///     .run(&mut reconnect, &endpoint, buffers, &ClientSettings::DEFAULT, async |client| {
///         while client.recv().await.is_ok() {}
///         ControlFlow::<()>::Continue(())
///     })
///     .await;
/// # }
/// ```
///
/// # How failures are reported
///
/// [`Loss::Tls`] if the TCP connection was established, but no TLS connection opened: the server was refused, for example.
/// If TLS fails in a session, the session ends with a [`TransportError`](DisconnectReason::TransportError), and
/// [`State::Waiting`](crate::State::Waiting) then gives a [`Loss::TlsFault`] as the reason. A server that ends the
/// connection, with a `close_notify` or without, ends the session with a
/// [`TransportClosed`](DisconnectReason::TransportClosed).
pub struct TlsConnector<'a, C, T> {
    inner: C,
    name: &'a str,
    trust: T,
    records: RecordBuffers<'a>,
    random: &'a mut dyn FnMut() -> u32,
    limits: TlsLimits,
}

impl<'a, C, T: Trust> TlsConnector<'a, C, T> {
    /// Creates a connector with [`TlsLimits::DEFAULT`].
    ///
    /// The server is told `name`, to choose its certificate by, unless `name` is an IP address. `trust` decides who the server
    /// is. `random` must be fit for cryptography, because the connection's keys come from it: use the chip's generator, not a
    /// generator with a seed.
    pub const fn new(
        inner: C,
        name: &'a str,
        trust: T,
        records: RecordBuffers<'a>,
        random: &'a mut dyn FnMut() -> u32,
    ) -> Self {
        Self { inner, name, trust, records, random, limits: TlsLimits::DEFAULT }
    }

    /// Returns the connector with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: TlsLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl<C: Connector, T: Trust> Connector for TlsConnector<'_, C, T> {
    type Reader<'s> = TunnelReader<'s, Fault>;
    type Writer<'s> = TunnelWriter<'s, Fault>;
    const IS_SECURE: bool = true;

    async fn wait_online(&mut self, report: &Report<'_, '_>) {
        self.inner.wait_online(report).await;
    }

    async fn connect(
        &mut self,
        session: impl for<'s> AsyncFnOnce(Self::Reader<'s>, Self::Writer<'s>) -> Loss,
    ) -> Loss {
        let Self { inner, name, trust, records: RecordBuffers { received, sent }, random, limits } = self;
        let layer = Layer { name, trust, records: RecordBuffers { received, sent }, random, limits: *limits };
        inner.connect(async |reader, writer| layer.hold(reader, writer, session).await).await
    }
}

/// TLS over one connection.
struct Layer<'l, T> {
    name: &'l str,
    trust: &'l T,
    records: RecordBuffers<'l>,
    random: &'l mut dyn FnMut() -> u32,
    limits: TlsLimits,
}

impl<T: Trust> Layer<'_, T> {
    /// Opens a TLS connection, lends it to `session`, and closes it.
    async fn hold(
        self,
        reader: impl Read,
        writer: impl Write,
        session: impl for<'s> AsyncFnOnce(TunnelReader<'s, Fault>, TunnelWriter<'s, Fault>) -> Loss,
    ) -> Loss {
        let Self { name, trust, records, random, limits } = self;
        let mut config = TlsConfig::new();
        if !is_address(name) {
            config = config.with_server_name(name);
        }
        if let Some(longest) = longest_record(records.received.len()) {
            config = config.with_max_fragment_length(longest);
        }
        let (reader, writer) = (Mutex::new(reader), Mutex::new(writer));
        let halves = Halves { reader: &reader, writer: &writer };
        let deadline = clock::after(limits.handshake_timeout);
        let opened = with_deadline(deadline, open(halves, records, &config, trust, random)).await;
        let mut connection = match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Loss::Tls(error),
            Err(_) => return Loss::Tls(OpenError::Timeout),
        };
        connection.set_flush_policy(FlushPolicy::Relaxed);
        let tunnel = Tunnel::<Fault, TUNNEL>::new();
        let loss = {
            let (reader, writer) = connection.split();
            let mut reading = pin!(tunnel.read_from(Open(reader)));
            let mut writing = pin!(tunnel.write_to(Open(writer)));
            session(tunnel.reader(reading.as_mut()), tunnel.writer(writing.as_mut())).await
        };
        match (tunnel.end(), loss) {
            // The server is to know that nothing was cut off. It may be told only where no record is half written. If the
            // server has ended the connection, it does not read.
            (None, _) if tunnel.is_idle() && loss.is_orderly() => {
                let _ = with_deadline(clock::after(limits.close_timeout), connection.close()).await;
                loss
            }
            (Some(StreamEnd::Failed(fault)), Loss::Session(end))
                if end.reason == DisconnectReason::TransportError =>
            {
                Loss::TlsFault(fault)
            }
            _ => loss,
        }
    }
}

/// Returns whether this is an IP address, which a client must not send as the server's name (RFC 6066, section 3). No name
/// contains a colon, and no top-level domain consists of digits.
fn is_address(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || name.bytes().any(|byte| byte == b':')
}

/// Returns the longest content of a record to ask for, so that the record fits into a buffer of this length. Returns `None`
/// if every record fits.
fn longest_record(buffer: usize) -> Option<MaxFragmentLength> {
    match buffer.saturating_sub(RECORD_OVERHEAD) {
        16_384.. => None,
        4_096.. => Some(MaxFragmentLength::Bits12),
        2_048.. => Some(MaxFragmentLength::Bits11),
        1_024.. => Some(MaxFragmentLength::Bits10),
        _ => Some(MaxFragmentLength::Bits9),
    }
}
