//! What a server can be told. Built and validated by [`ServerBuilder`](crate::ServerBuilder).

mod http;

use std::sync::Arc;
use std::time::Duration;

use ::http::request::Parts;
use eio_core::Heartbeat;
use eio_core::settings::ServerSettings;

use crate::session::mailbox::Limits;
use crate::session::observer::Observer;
use crate::session::socket::{Disconnect, Sender, Socket};
use crate::session::task::Application;
use crate::wire::message::Message;

pub(crate) use self::http::HttpConfig;

/// Asks whether a client may open a session.
pub(crate) type AllowRequest =
    Arc<dyn Fn(&Parts) -> core::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Is told of a session's end once its application has ended too.
pub(crate) type OnDisconnect = Arc<dyn Fn(Sender, Disconnect) -> Application + Send + Sync>;

/// Chooses a session's own periods.
pub(crate) type ChooseHeartbeat = Arc<dyn Fn(&Parts) -> Option<Heartbeat> + Send + Sync>;

/// Everything a server's sessions are served by.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each with a name of the reference's"
)]
pub(crate) struct Config {
    pub(crate) path: String,
    /// Heartbeat, liveness, payload limits and timeouts. A session may have periods of its own.
    pub(crate) settings: ServerSettings,
    pub(crate) first_ping_jitter: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_sessions: usize,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_connections_per_address: Option<usize>,
    pub(crate) limits: Limits,
    /// How many packets the answer to a poll carries.
    pub(crate) max_packets_per_payload: usize,
    pub(crate) polling: bool,
    pub(crate) websocket: bool,
    pub(crate) allow_upgrades: bool,
    pub(crate) eio3: bool,
    pub(crate) initial_packet: Option<Message>,
    pub(crate) allow_request: Option<AllowRequest>,
    pub(crate) choose_heartbeat: Option<ChooseHeartbeat>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) on_disconnect: Option<OnDisconnect>,
    pub(crate) http: HttpConfig,
    pub(crate) application: Box<dyn Fn(Socket) -> Application + Send + Sync>,
}
