//! A board and a machine with servers, each with a stack of embassy-net, and everything that runs on them.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::time::Duration;
use std::rc::Rc;

use eio_core::backoff::Backoff;
use eio_core::packet::{Data, WebSocketMessage};
use eio_embassy::{
    ClientSettings, Endpoint, IncomingMessage, Limits, Reconnect, State, TcpClient, TcpConnector,
};
use embassy_futures::select::{Either, select};
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, ConfigV4, Ipv4Address, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::{Receiver, Watch};
use embassy_time::Timer;
use embedded_io_async::{Read, Write};

use super::cable::{Cable, Side};
use crate::fakes::{self, OPEN, Reader, Sent, Server, Task, Writer, buffers, rng};

/// The address of the machine with the servers.
pub(crate) const FAR: &str = "10.0.0.2";
/// Where its Engine.IO server listens.
pub(crate) const PORT: u16 = 3000;
const DNS_PORT: u16 = 53;

type States = Watch<NoopRawMutex, State, 1>;

/// Both machines, the cable between them, and what a watcher has seen.
pub(crate) struct Lab {
    pub(crate) cable: Cable,
    /// The board's stack.
    pub(crate) near: Stack<'static>,
    far: Stack<'static>,
    tasks: Vec<Background>,
    connections: Rc<RefCell<Vec<Connection>>>,
    /// Whether the server leaves its half of a connection open when the client has closed its own.
    pub(crate) is_lazy: Rc<Cell<bool>>,
    watch: &'static States,
    receiver: Receiver<'static, NoopRawMutex, State, 1>,
    states: Vec<(u64, State)>,
}

struct Background {
    task: Task,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// What the far machine's server has to do with one client.
pub(crate) struct Connection {
    pub(crate) server: Server,
    end: Rc<Cell<Option<End>>>,
}

/// How a connection ended, as the server's machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client sent FIN.
    Closed,
    /// The client sent RST.
    Reset,
    /// The server did.
    Ours,
}

/// What the board's application has sent and received; it outlives its sessions.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    pub(crate) sent: Rc<Cell<u32>>,
    pub(crate) received: Rc<RefCell<Vec<Sent>>>,
    /// What `run` has returned.
    pub(crate) result: Rc<Cell<Option<&'static str>>>,
}

/// What every session of the board does: sends the next number, then takes messages. "stop" ends it all, "return" ends
/// the session while it is open.
pub(crate) async fn talk(client: &mut TcpClient<'_>, journal: &Journal) -> ControlFlow<&'static str> {
    let number = journal.sent.get();
    if client.send(WebSocketMessage::Text(&number.to_string())).await.is_ok() {
        journal.sent.set(number + 1);
    }
    loop {
        match client.recv().await {
            Ok(IncomingMessage::Whole(Data::Text("stop"))) => return ControlFlow::Break("stopped"),
            Ok(IncomingMessage::Whole(Data::Text("return"))) | Err(_) => return ControlFlow::Continue(()),
            Ok(event) => journal.received.borrow_mut().push(fakes::received(event)),
        }
    }
}

/// The board's addresses.
pub(crate) fn board_config() -> StaticConfigV4 {
    config(1, &[Ipv4Address::new(10, 0, 0, 2)])
}

fn config(last: u8, name_servers: &[Ipv4Address]) -> StaticConfigV4 {
    let address = Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, last), 24);
    StaticConfigV4 { address, gateway: None, dns_servers: name_servers.iter().copied().collect() }
}

pub(crate) fn short_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(10)).expect("valid")
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_config(ConfigV4::Static(board_config()))
    }

    /// The board's stack has this configuration.
    pub(crate) fn with_config(near: ConfigV4) -> Self {
        let cable = Cable::new();
        let mut near_config = Config::default();
        near_config.ipv4 = near;
        let (near, mut near_runner) = embassy_net::new(cable.port(Side::Near), near_config, resources(), 1);
        let (far, mut far_runner) =
            embassy_net::new(cable.port(Side::Far), Config::ipv4_static(config(2, &[])), resources(), 2);
        let watch = Box::leak(Box::new(States::new()));
        let receiver = watch.receiver().expect("a receiver");
        let (connections, is_lazy) = Default::default();
        let (tasks, states) = (Vec::new(), Vec::new());
        let mut lab = Self { cable, near, far, tasks, connections, is_lazy, watch, receiver, states };
        lab.spawn(async move { near_runner.run().await });
        lab.spawn(async move { far_runner.run().await });
        lab
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        let mut background = Background { task: Task::new(), future: Box::pin(future) };
        if background.task.poll_once(background.future.as_mut()).is_pending() {
            self.tasks.push(background);
        }
        self.observe();
    }

    /// Lets the far machine's Engine.IO server listen. Each connection waits for [`accept`](Self::accept) then.
    pub(crate) fn listen(&mut self) {
        for _ in 0..4 {
            let mut socket = TcpSocket::new(self.far, vec![0; 4096].leak(), vec![0; 4096].leak());
            socket.set_nagle_enabled(false);
            let (connections, is_lazy) = (self.connections.clone(), self.is_lazy.clone());
            self.spawn(async move {
                loop {
                    socket.accept(PORT).await.expect("it listens");
                    let (server, reader, writer) = Server::new();
                    let end = Rc::new(Cell::new(None));
                    connections.borrow_mut().push(Connection { server, end: end.clone() });
                    let how = carry(&mut socket, reader, writer).await.unwrap_or(End::Reset);
                    end.set(Some(how));
                    while is_lazy.get() && socket.may_send() {
                        Timer::after_millis(1).await;
                    }
                    socket.close();
                    let _ = socket.flush().await;
                }
            });
        }
    }

    /// Lets the far machine's name server answer: `None` from `lookup` is "no such name".
    pub(crate) fn serve_names(&mut self, lookup: impl Fn(&str) -> Option<[u8; 4]> + 'static) {
        let stack = self.far;
        self.spawn(async move {
            let metadata = || vec![PacketMetadata::EMPTY; 4].leak();
            let bytes = || vec![0; 2048].leak();
            let mut socket = UdpSocket::new(stack, metadata(), bytes(), metadata(), bytes());
            socket.bind(DNS_PORT).expect("a free port");
            let mut query = [0; 512];
            loop {
                let (len, client) = socket.recv_from(&mut query).await.expect("a query");
                let answer = dns_answer(&query[..len], &lookup);
                socket.send_to(&answer, client).await.expect("room");
            }
        });
    }

    /// The board connects to a server, again and again, with [`talk`] as its application.
    pub(crate) fn start(&mut self, name: &'static str, port: u16) -> Journal {
        let journal = Journal::default();
        let kept = journal.clone();
        let application = async move |client: &mut TcpClient<'_>| talk(client, &journal).await;
        self.start_with(name, port, Limits::DEFAULT, kept.result.clone(), application);
        kept
    }

    /// The same with other limits and another application.
    pub(crate) fn start_with(
        &mut self,
        name: &'static str,
        port: u16,
        limits: Limits,
        result: Rc<Cell<Option<&'static str>>>,
        application: impl AsyncFnMut(&mut TcpClient<'_>) -> ControlFlow<&'static str> + 'static,
    ) {
        let mut connector = self.connector(name, port).with_limits(limits);
        let mut reconnect = self.reconnect();
        self.spawn(async move {
            let endpoint = Endpoint::engineio(name);
            let settings = ClientSettings::DEFAULT;
            let run = connector.run(&mut reconnect, &endpoint, buffers(1024, 512), &settings, application);
            result.set(Some(run.await));
        });
    }

    pub(crate) fn connector(&self, name: &'static str, port: u16) -> TcpConnector<'static> {
        TcpConnector::new(self.near, name, port, vec![0; 1024].leak(), vec![0; 1024].leak())
    }

    pub(crate) fn reconnect(&self) -> Reconnect<'static> {
        Reconnect::new(short_backoff(), rng(), self.watch.dyn_sender())
    }

    /// Lets everything happen that needs no time.
    pub(crate) fn settle(&mut self) {
        self.settle_with(|| false);
    }

    /// The same, with something else that is polled between: it says whether it has done anything.
    pub(crate) fn settle_with(&mut self, mut other: impl FnMut() -> bool) {
        for _ in 0..10_000 {
            let mut busy = other();
            self.observe();
            let mut at = 0;
            while at < self.tasks.len() {
                let background = &mut self.tasks[at];
                let woken = background.task.is_woken();
                busy |= woken;
                if woken && background.task.poll_once(background.future.as_mut()).is_ready() {
                    self.tasks.remove(at);
                } else {
                    at += 1;
                }
                self.observe();
            }
            if !busy {
                return;
            }
        }
        panic!("it wakes itself for ever")
    }

    /// Lets time pass, and everything happen in its time.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.settle();
        for _ in 0..millis {
            fakes::advance(1_000);
            self.settle();
        }
    }

    /// Answers the board's newest connection: a WebSocket, and a session.
    pub(crate) fn accept(&mut self) -> usize {
        self.settle();
        let index = self.connections.borrow().len().checked_sub(1).expect("a connection");
        self.serve(index, |server| {
            let (_, switch) = server.request();
            server.raw(switch.as_bytes());
            server.text(OPEN);
        });
        self.settle();
        index
    }

    /// The far machine's server does something in one of its connections.
    pub(crate) fn serve<T>(&mut self, connection: usize, story: impl FnOnce(&mut Server) -> T) -> T {
        let result = story(&mut self.connections.borrow_mut()[connection].server);
        self.settle();
        result
    }

    /// What has come to the server in one of its connections.
    pub(crate) fn take(&mut self, connection: usize) -> Vec<Sent> {
        self.serve(connection, Server::take)
    }

    /// How many connections the far machine's server has seen.
    pub(crate) fn connections(&self) -> usize {
        self.connections.borrow().len()
    }

    /// How a connection has ended, if it has.
    pub(crate) fn end(&self, connection: usize) -> Option<End> {
        self.connections.borrow()[connection].end.get()
    }

    /// What a watcher has seen since the last call, each with its time in milliseconds.
    pub(crate) fn take_states(&mut self) -> Vec<(u64, State)> {
        core::mem::take(&mut self.states)
    }

    /// Whether a client has sent something that was not taken.
    pub(crate) fn has_sent(&self, connection: usize) -> bool {
        self.connections.borrow()[connection].server.has_bytes()
    }

    /// What a watcher sees.
    pub(crate) fn state(&mut self) -> State {
        self.receiver.try_get().expect("a state")
    }

    fn observe(&mut self) {
        if let Some(state) = self.receiver.try_changed() {
            self.states.push((fakes::now() / 1_000, state));
        }
    }
}

/// A name for each state, for stories that are about their order.
pub(crate) fn names(states: &[(u64, State)]) -> Vec<&'static str> {
    let name = |(_, state): &(u64, State)| match state {
        State::Offline => "offline",
        State::Connecting => "connecting",
        State::Open { .. } => "open",
        State::Lost(_) => "lost",
        State::Waiting { .. } => "waiting",
        other => panic!("{other:?}"),
    };
    states.iter().map(name).collect()
}

fn resources() -> &'static mut StackResources<8> {
    Box::leak(Box::new(StackResources::new()))
}

/// Carries bytes between a TCP connection and the server, until one of the two has enough. `None` is a reset.
async fn carry(socket: &mut TcpSocket<'_>, mut reader: Reader, mut writer: Writer) -> Option<End> {
    let (mut down, mut up) = ([0; 256], [0; 256]);
    loop {
        let (mut rx, mut tx) = socket.split();
        match select(reader.read(&mut down), rx.read(&mut up)).await {
            Either::First(Ok(0)) => {
                socket.close();
                while socket.read(&mut up).await.ok()? > 0 {}
                return Some(End::Closed);
            }
            Either::First(Ok(len)) => tx.write_all(&down[..len]).await.ok()?,
            Either::First(Err(_)) => {
                socket.abort();
                let _ = socket.flush().await;
                return Some(End::Ours);
            }
            Either::Second(Ok(0)) => return Some(End::Closed),
            Either::Second(Ok(len)) => writer.write_all(&up[..len]).await.ok()?,
            Either::Second(Err(_)) => return None,
        }
    }
}

/// The answer to a query for one address (RFC 1035 section 4.1).
fn dns_answer(query: &[u8], lookup: &impl Fn(&str) -> Option<[u8; 4]>) -> Vec<u8> {
    let (mut name, mut at) = (String::new(), 12);
    while let len @ 1.. = usize::from(query[at]) {
        let separator = if name.is_empty() { "" } else { "." };
        name += separator;
        name += core::str::from_utf8(&query[at + 1..=at + len]).expect("ASCII");
        at += 1 + len;
    }
    let address = lookup(&name);
    let mut answer = query[..at + 5].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
    match address {
        Some(address) => {
            answer[7] = 1;
            // The name of the question, A, IN, an hour, four bytes.
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4]);
            answer.extend(address);
        }
        None => answer[3] |= 3,
    }
    answer
}
