//! Our programs against other people's, and against those who mean harm: what these tests share.
//!
//! A test is a [`Case`]: a name and a future that panics when something does not hold. Cases run beside one another
//! in one process. Each has a [`Log`] of its own, which is printed when the case fails: what our side did and what
//! the other side's process said, in the order in which it happened.

mod browser;
mod cable;
mod child;
mod daemon;
mod descriptors;
mod events;
mod identity;
mod kept_socket;
mod log;
mod messages;
mod network;
mod our_client;
mod raw_client;
mod routes;
mod runner;
mod stock_client;
mod stock_server;
mod stock_session;
mod test_server;

pub use browser::Browser;
pub use cable::Cable;
pub use child::{Child, interop_folder};
pub use daemon::{Daemon, Folder, free_port};
pub use descriptors::need_descriptors;
pub use events::{Event, Events};
pub use identity::Identity;
pub use kept_socket::{KeptSocket, KeptSockets};
pub use log::Log;
pub use messages::{from_json, to_json};
pub use network::Network;
pub use our_client::OurClient;
pub use raw_client::{Answer, RawClients, RawSocket};
pub use runner::{Case, run, run_in_turn};
pub use stock_client::{Mode, StockClients, StockKind, python};
pub use stock_server::{ServerKind, StockServer};
pub use stock_session::{Closed, StockSession};
pub use test_server::{ServerEnd, TestServer};

use core::time::Duration;

/// How long anything that must happen may take before a test gives up. Machines are slow when all cases start.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How late a machine that has other things to do may notice what it should notice at once.
pub const LATE: Duration = Duration::from_secs(5);

/// Waits for something that must happen.
///
/// # Panics
/// When it does not, naming `what`.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(PATIENCE, future).await;
    in_time.unwrap_or_else(|_| panic!("waited for {PATIENCE:?}, in vain, for {what}"))
}
