//! A cable between a client and a server, which can be pulled or cut, and which can keep WebSockets waiting.

use std::net::SocketAddr;

use tokio::io::{AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What carries connections until it is pulled. They stay open then, and carry nothing.
pub struct Cable {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    _carries: JoinSet<()>,
}

#[derive(Clone, Copy)]
struct Orders {
    is_pulled: bool,
    may_upgrade: bool,
    cuts: u32,
    /// Whether it carries no new connection either.
    is_down: bool,
}

impl Cable {
    /// Carries everything to `target`.
    pub async fn start(target: SocketAddr) -> Self {
        Self::start_with(target, true).await
    }

    /// Carries everything but requests for a WebSocket, which wait until [`let_upgrade`](Self::let_upgrade).
    pub async fn start_without_websockets(target: SocketAddr) -> Self {
        Self::start_with(target, false).await
    }

    async fn start_with(target: SocketAddr, may_upgrade: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (orders, followed) =
            watch::channel(Orders { is_pulled: false, may_upgrade, cuts: 0, is_down: false });
        let mut carries = JoinSet::new();
        carries.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, target, followed.clone()));
            }
        });
        Self { address, orders, _carries: carries }
    }

    /// The URL at which a client finds it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port at which a client finds it, on this machine.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Keeps the connections open, and carries nothing any more.
    pub fn pull(&self) {
        self.orders.send_modify(|orders| orders.is_pulled = true);
    }

    /// Ends the connections that it carries. It carries those that come later.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Ends the connections that it carries, and each new one until [`mend`](Self::mend).
    pub fn cut_until_mended(&self) {
        self.orders.send_modify(|orders| {
            orders.is_down = true;
            orders.cuts += 1;
        });
    }

    /// Carries new connections again.
    pub fn mend(&self) {
        self.orders.send_modify(|orders| orders.is_down = false);
    }

    /// Lets the requests for a WebSocket through that wait, and those that come.
    pub fn let_upgrade(&self) {
        self.orders.send_modify(|orders| orders.may_upgrade = true);
    }
}

async fn carry(client: TcpStream, target: SocketAddr, mut orders: watch::Receiver<Orders>) {
    let Orders { cuts, is_down, .. } = *orders.borrow();
    if is_down {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    // Where the head of a request says what it is for.
    let mut start = [0; 128];
    let read = client.peek(&mut start).await.unwrap_or_default();
    if start[..read].windows(9).any(|window| window == b"websocket") {
        let _ = orders.wait_for(|orders| orders.may_upgrade).await;
    }
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = async {
        let _ = copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let down = async {
        let _ = copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::select! {
        biased;
        order = orders.wait_for(|orders| orders.is_pulled || orders.cuts > cuts) => {
            if order.is_ok_and(|orders| orders.cuts > cuts) {
                return;
            }
        }
        _ = async { tokio::join!(up, down) } => return,
    }
    core::future::pending::<()>().await;
}
