//! Connections with little room, and messages that fill them.

use super::{Harness, WebSocket};

/// The room of a connection that takes less than a kilobyte.
pub(crate) const NARROW: usize = 900;

pub(crate) fn kilobyte(letter: &str) -> String {
    letter.repeat(1_000)
}

impl Harness {
    /// A session on WebSocket, its `open` packet received, over a connection that holds so many bytes in each direction.
    pub(crate) async fn websocket_with_room(&self, bytes: usize) -> WebSocket {
        let mut websocket = self.connect_with_room(bytes).upgrade(4, None).await;
        assert!(websocket.text().await.starts_with("0{"));
        websocket
    }
}
