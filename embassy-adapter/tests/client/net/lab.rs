//! A board and a machine with servers, each with a stack of embassy-net, and everything that runs on them.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::net::IpAddr;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::time::Duration;
use std::rc::Rc;

use eio_core::backoff::Backoff;
use eio_core::packet::{Data, WebSocketMessage};
use eio_embassy::{
    ClientSettings, Connector, Endpoint, IncomingMessage, Limits, Reconnect, State, TcpClient, TcpConnector,
};
use embassy_futures::select::{Either, select};
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{
    Config, ConfigV4, ConfigV6, Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr, Stack, StackResources,
    StaticConfigV4, StaticConfigV6,
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::{Receiver, Watch};
use embassy_time::Timer;
use embedded_io_async::{Read, Write};

use super::cable::{Cable, Side};
use crate::fakes::{self, OPEN, Reader, Sent, Server, Task, Writer, buffers, rng};

/// The address of the machine with the servers.
pub(crate) const FAR: &str = "10.0.0.2";
/// Its address of IPv6.
pub(crate) const FAR_V6: &str = "fd00::2";
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
    /// The kinds that its name server was asked for: "A" or "AAAA".
    queries: Rc<RefCell<Vec<Kind>>>,
    /// Whether the server leaves its half of a connection open when the client has closed its own.
    pub(crate) is_lazy: Rc<Cell<bool>>,
    watch: &'static States,
    receiver: Receiver<'static, NoopRawMutex, State, 1>,
    states: Vec<(u64, State)>,
    board_wakes: Vec<u64>,
}

struct Background {
    /// Whether it runs on the board, and not on the far machine.
    on_board: bool,
    task: Task,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// What the far machine's server has to do with one client.
pub(crate) struct Connection {
    pub(crate) server: Server,
    /// The address that the client has found the server at, unless the connection is gone already.
    address: Option<IpAddr>,
    end: Rc<Cell<Option<End>>>,
}

/// The kind of address that a name server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    V4,
    V6,
}

/// What a name server does with a query.
pub(crate) enum Answer {
    /// Says that nobody has this name.
    NoSuchName,
    /// Says that the name has these addresses, of which it names those of the kind that it was asked for.
    Addresses(Vec<IpAddr>),
    /// Never answers.
    Silence,
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
pub(crate) async fn talk(client: &mut TcpClient<'_, '_>, journal: &Journal) -> ControlFlow<&'static str> {
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

fn config_v6(last: u16, name_servers: &[Ipv6Address]) -> StaticConfigV6 {
    let address = Ipv6Cidr::new(Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, last), 64);
    StaticConfigV6 { address, gateway: None, dns_servers: name_servers.iter().copied().collect() }
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

    /// The board's stack has this configuration of IPv4, and none of IPv6.
    pub(crate) fn with_config(near: ConfigV4) -> Self {
        let mut config = Config::default();
        config.ipv4 = near;
        Self::with_stack(config)
    }

    /// The board has addresses of these kinds. What is in no network of its own goes to the far machine, and no further.
    pub(crate) fn with_kinds(kinds: &[Kind]) -> Self {
        let mut near = Config::default();
        for kind in kinds {
            match kind {
                Kind::V4 => {
                    let gateway = Some(FAR.parse().expect("an address"));
                    near.ipv4 = ConfigV4::Static(StaticConfigV4 { gateway, ..board_config() });
                }
                Kind::V6 => {
                    let far = FAR_V6.parse().expect("an address");
                    let config = config_v6(1, &[far]);
                    near.ipv6 = ConfigV6::Static(StaticConfigV6 { gateway: Some(far), ..config });
                }
            }
        }
        Self::with_stack(near)
    }

    /// The board's stack has this configuration; the far machine has an address of each kind.
    fn with_stack(near: Config) -> Self {
        let cable = Cable::new();
        let (near, mut near_runner) = embassy_net::new(cable.port(Side::Near), near, resources(), 1);
        let mut far = Config::ipv4_static(config(2, &[]));
        far.ipv6 = ConfigV6::Static(config_v6(2, &[]));
        let (far, mut far_runner) = embassy_net::new(cable.port(Side::Far), far, resources(), 2);
        let watch = Box::leak(Box::new(States::new()));
        let receiver = watch.receiver().expect("a receiver");
        let (connections, queries, is_lazy) = Default::default();
        let (tasks, states) = (Vec::new(), Vec::new());
        let board_wakes = Vec::new();
        let mut lab = Self {
            cable,
            near,
            far,
            tasks,
            connections,
            queries,
            is_lazy,
            watch,
            receiver,
            states,
            board_wakes,
        };
        lab.spawn_on_board(async move { near_runner.run().await });
        lab.spawn(async move { far_runner.run().await });
        lab
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.start_task(false, Box::pin(future));
    }

    pub(crate) fn spawn_on_board(&mut self, future: impl Future<Output = ()> + 'static) {
        self.start_task(true, Box::pin(future));
    }

    fn start_task(&mut self, on_board: bool, future: Pin<Box<dyn Future<Output = ()>>>) {
        let mut background = Background { on_board, task: Task::new(), future };
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
                    let address = socket.local_endpoint().map(|endpoint| endpoint.addr.into());
                    connections.borrow_mut().push(Connection { server, address, end: end.clone() });
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

    /// Lets the board learn the far machine's hardware address for each kind: smoltcp looks for one neighbour a second.
    pub(crate) fn meet(&mut self) {
        let stack = self.near;
        self.spawn(async move {
            let mut metadata = [[PacketMetadata::EMPTY; 1]; 2];
            let mut bytes = [[0; 8]; 2];
            let [rx_metadata, tx_metadata] = &mut metadata;
            let [rx, tx] = &mut bytes;
            let mut socket = UdpSocket::new(stack, rx_metadata, rx, tx_metadata, tx);
            socket.bind(9).expect("a free port");
            for address in [FAR, FAR_V6] {
                let address: IpAddr = address.parse().expect("an address");
                let _ = socket.send_to(b"hello", (address, 9)).await;
                Timer::after_secs(2).await;
            }
        });
        self.pass(4_000);
    }

    /// Lets the far machine's name server answer with one address: `None` from `lookup` is "no such name".
    pub(crate) fn serve_names(&mut self, lookup: impl Fn(&str) -> Option<[u8; 4]> + 'static) {
        self.serve_answers(move |name, _| {
            lookup(name).map_or(Answer::NoSuchName, |address| Answer::Addresses(vec![address.into()]))
        });
    }

    /// Lets the far machine's name server do what `lookup` says.
    pub(crate) fn serve_answers(&mut self, lookup: impl Fn(&str, Kind) -> Answer + 'static) {
        let (stack, queries) = (self.far, self.queries.clone());
        self.spawn(async move {
            let metadata = || vec![PacketMetadata::EMPTY; 4].leak();
            let bytes = || vec![0; 2048].leak();
            let mut socket = UdpSocket::new(stack, metadata(), bytes(), metadata(), bytes());
            socket.bind(DNS_PORT).expect("a free port");
            let mut query = [0; 512];
            loop {
                let (len, client) = socket.recv_from(&mut query).await.expect("a query");
                let question = Question::read(&query[..len]);
                queries.borrow_mut().push(question.kind);
                if let Some(answer) = question.answer(&lookup(&question.name, question.kind)) {
                    socket.send_to(&answer, client).await.expect("room");
                }
            }
        });
    }

    /// What the name server was asked for since the last call.
    pub(crate) fn take_queries(&self) -> Vec<Kind> {
        self.queries.take()
    }

    /// The board connects to a server, again and again, with [`talk`] as its application.
    pub(crate) fn start(&mut self, name: &'static str, port: u16) -> Journal {
        let journal = Journal::default();
        let kept = journal.clone();
        let application = async move |client: &mut TcpClient<'_, '_>| talk(client, &journal).await;
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
        application: impl AsyncFnMut(&mut TcpClient<'_, '_>) -> ControlFlow<&'static str> + 'static,
    ) {
        let mut connector = self.connector(name, port).with_limits(limits);
        let mut reconnect = self.reconnect();
        self.spawn_on_board(async move {
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
                let now = fakes::now() / 1_000;
                if woken && background.on_board && self.board_wakes.last() != Some(&now) {
                    self.board_wakes.push(now);
                }
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

    /// The address that the board has found the server at.
    pub(crate) fn address(&self, connection: usize) -> String {
        self.connections.borrow()[connection].address.expect("it is open").to_string()
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

    /// When the board has woken since the last call, in milliseconds.
    pub(crate) fn take_board_wakes(&mut self) -> Vec<u64> {
        core::mem::take(&mut self.board_wakes)
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

/// A query for the addresses of a name (RFC 1035 section 4.1, RFC 3596 section 2.1).
struct Question<'q> {
    /// The head and the question, without what may follow.
    query: &'q [u8],
    name: String,
    kind: Kind,
}

impl<'q> Question<'q> {
    fn read(query: &'q [u8]) -> Self {
        let (mut name, mut at) = (String::new(), 12);
        while let len @ 1.. = usize::from(query[at]) {
            let separator = if name.is_empty() { "" } else { "." };
            name += separator;
            name += core::str::from_utf8(&query[at + 1..=at + len]).expect("ASCII");
            at += 1 + len;
        }
        let kind = match query[at + 1..at + 5] {
            [0, 1, 0, 1] => Kind::V4,
            [0, 28, 0, 1] => Kind::V6,
            ref other => panic!("{other:?}"),
        };
        Self { query: &query[..at + 5], name, kind }
    }

    fn answer(&self, answer: &Answer) -> Option<Vec<u8>> {
        let mut bytes = self.query.to_vec();
        bytes[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
        match answer {
            Answer::Silence => return None,
            Answer::NoSuchName => bytes[3] |= 3,
            Answer::Addresses(addresses) => {
                for address in addresses {
                    // The name of the question, the kind, IN, an hour, the length.
                    match (self.kind, address) {
                        (Kind::V4, IpAddr::V4(address)) => {
                            bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4]);
                            bytes.extend(address.octets());
                        }
                        (Kind::V6, IpAddr::V6(address)) => {
                            bytes.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0x0e, 0x10, 0, 16]);
                            bytes.extend(address.octets());
                        }
                        _ => continue,
                    }
                    bytes[7] += 1;
                }
            }
        }
        Some(bytes)
    }
}
