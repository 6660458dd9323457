//! A session over a serial line that speaks PPP, as modems do: embassy-net over `embassy-net-ppp`.
//!
//! On this machine, Debian's `slirp` takes the place of the modem and of the network behind it (`apt-get install slirp`). Its
//! host, 10.0.2.2, is this machine: run
//! `cargo run --package eio-embassy --features proto-ipv4 --example ppp -- 10.0.2.2 3000` beside a server on 127.0.0.1:3000,
//! such as that of `cargo run --package eio-cli -- serve`.
//!
//! On a board, take the two UART halves of a HAL with buffers (`BufferedUart` or a DMA ring buffer, and RTS and CTS at more
//! than 115,200 baud), send the modem the AT commands that begin a call (for most: `AT+CGDCONT=1,"IP","<APN>"`, then
//! `ATD*99#`), wait for `CONNECT`, and pass the UART to [`board`] as the line.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the machine in place of a board may panic"
)]

use core::cell::RefCell;
use core::future::Future;
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use eio_core::backoff::Backoff;
use eio_core::packet::WebSocketMessage;
use eio_embassy::{Buffers, ClientSettings, Connector, Endpoint, Reconnect, State, TcpClient, TcpConnector};
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::{Config, ConfigV4, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_net_ppp::Ipv4Status;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::{DynSender, Watch};
use embassy_time::{MockDriver, Timer};
use embedded_io_async::{BufRead, ErrorKind, ErrorType, Read, Write};

/// How long the modem gets until the line has an address. `embassy-net-ppp` has no timer: if a packet is lost while the line
/// opens, it would wait without end.
const OPENING_SECONDS: u64 = 15;

/// Keeps a session with a server over the lines that `open` returns, until `application` returns [`ControlFlow::Break`].
///
/// On a board, each of the three futures at the end is a task of its own.
pub(crate) async fn board<L: BufRead + Write, B>(
    open: impl AsyncFnMut() -> L,
    (name, port): (&str, u16),
    random: &mut dyn FnMut() -> u32,
    state: DynSender<'_, State>,
    application: impl for<'b, 's> AsyncFnMut(&mut TcpClient<'b, 's>) -> ControlFlow<B>,
) -> B {
    let mut ppp = embassy_net_ppp::State::<4, 4>::new();
    let (device, modem) = embassy_net_ppp::new(&mut ppp);
    let mut resources = StackResources::<3>::new();
    let seed = u64::from(random());
    // The line brings the address.
    let (stack, mut network) = embassy_net::new(device, Config::default(), &mut resources, seed);

    let (mut tcp_rx, mut tcp_tx, mut rx, mut tx) = ([0; 1024], [0; 1024], [0; 512], [0; 512]);
    let mut connector = TcpConnector::new(stack, name, port, &mut tcp_rx, &mut tcp_tx);
    let mut reconnect = Reconnect::new(Backoff::DEFAULT, random, state);
    let host = format!("{name}:{port}");
    let endpoint = Endpoint::engineio(&host);
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let session = connector.run(&mut reconnect, &endpoint, buffers, &ClientSettings::DEFAULT, application);

    match select3(network.run(), keep_line(modem, open, stack), session).await {
        Either3::First(never) => never,
        Either3::Second(never) => match never {},
        Either3::Third(value) => value,
    }
}

/// Opens the line, and opens it again when it is lost.
async fn keep_line<L: BufRead + Write>(
    mut modem: embassy_net_ppp::Runner<'_>,
    mut open: impl AsyncFnMut() -> L,
    stack: Stack<'_>,
) -> core::convert::Infallible {
    loop {
        let line = open().await;
        // Many operators accept any name here.
        let login = embassy_net_ppp::Config { username: b"", password: b"" };
        let run = modem.run(line, login, |status| stack.set_config_v4(addresses(&status)));
        let too_long = async {
            Timer::after_secs(OPENING_SECONDS).await;
            if stack.is_config_up() {
                core::future::pending::<()>().await;
            }
        };
        match select(run, too_long).await {
            Either::First(Ok(never)) => match never {},
            Either::First(Err(_)) | Either::Second(()) => {}
        }
        // Without its address, the session ends at once, and the board is offline.
        stack.set_config_v4(ConfigV4::None);
        Timer::after_secs(1).await;
    }
}

/// The address and the name servers that the other end of the line gives to the board.
fn addresses(status: &Ipv4Status) -> ConfigV4 {
    let Some(address) = status.address else { return ConfigV4::None };
    ConfigV4::Static(StaticConfigV4 {
        address: Ipv4Cidr::new(address, 0),
        gateway: None,
        dns_servers: status.dns_servers.iter().copied().flatten().collect(),
    })
}

/// `slirp` takes the address of its own end of the line from the host's name, which must not stand for a loopback address as
/// on many machines; so it gets a host's name of its own. It opens connections to 10.0.2.2 as connections to `host addr`.
const SLIRP: &str = r#"hostname 10.0.2.2 && exec slirp-fullbolt "host addr 127.0.0.1" ppp"#;

/// A program that speaks PPP on its standard input and output, in place of a modem. It ends with this value.
pub(crate) struct Slirp(Child);

impl Slirp {
    /// Starts it. Returns the line to it, too.
    pub(crate) fn start() -> (Self, Line) {
        let (near, far) = UnixStream::pair().expect("a pair of sockets");
        near.set_nonblocking(true).expect("a socket that does not block");
        let far = OwnedFd::from(far);
        let child = Command::new("unshare")
            .args(["--uts", "--map-root-user", "sh", "-c", SLIRP])
            .stdin(far.try_clone().expect("a second handle"))
            .stdout(far)
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare, of Debian's package util-linux");
        (Self(child), Line { stream: near, bytes: [0; 256], unread: 0..0 })
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Slirp {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The near end of a line, in place of a UART.
pub(crate) struct Line {
    stream: UnixStream,
    bytes: [u8; 256],
    unread: core::ops::Range<usize>,
}

impl ErrorType for Line {
    type Error = ErrorKind;
}

/// Registers no waker: [`block_on`] polls every millisecond, which a board would not do.
async fn retry(mut attempt: impl FnMut() -> std::io::Result<usize>) -> Result<usize, ErrorKind> {
    core::future::poll_fn(move |_| match attempt() {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result.map_err(|_| ErrorKind::Other)),
    })
    .await
}

impl BufRead for Line {
    async fn fill_buf(&mut self) -> Result<&[u8], ErrorKind> {
        if self.unread.is_empty() {
            self.unread = 0..retry(|| self.stream.read(&mut self.bytes)).await?;
        }
        Ok(&self.bytes[self.unread.clone()])
    }

    fn consume(&mut self, count: usize) {
        self.unread.start += count;
    }
}

impl Read for Line {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        let bytes = self.fill_buf().await?;
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl Write for Line {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        retry(|| self.stream.write(bytes)).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Runs one future to its end, and lets the board's clock show this machine's time.
#[allow(clippy::disallowed_methods, reason = "there is no fake clock here")]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut shown = std::time::Instant::now();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::sleep(core::time::Duration::from_millis(1));
        let passed = u64::try_from(shown.elapsed().as_micros()).expect("less than an age");
        shown += core::time::Duration::from_micros(passed);
        MockDriver::get().advance(embassy_time::Duration::from_micros(passed));
    }
}

/// The operating system's randomness.
pub(crate) fn host_random() -> u32 {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("randomness");
    u32::from_ne_bytes(bytes)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "10.0.2.2".to_owned());
    let port = arguments.next().map_or(3000, |port| port.parse().expect("a port"));
    let slirp = RefCell::new(None);
    let open = async || {
        // The old one ends first.
        *slirp.borrow_mut() = None;
        let (started, line) = Slirp::start();
        println!("the modem is process {}: kill it, or stop it with SIGSTOP", started.id());
        *slirp.borrow_mut() = Some(started);
        line
    };
    let watch: Watch<NoopRawMutex, State, 1> = Watch::new();
    let talk = async |client: &mut TcpClient<'_, '_>| {
        let _ = client.send(WebSocketMessage::Text("hello")).await;
        while let Ok(message) = client.recv().await {
            println!("{message:?}");
        }
        ControlFlow::<()>::Continue(())
    };
    let tell = async {
        let Some(mut states) = watch.dyn_receiver() else { return };
        loop {
            println!("{:?}", states.changed().await);
        }
    };
    let mut random = host_random;
    block_on(select(tell, board(open, (&name, port), &mut random, watch.dyn_sender(), talk)));
}
