//! Serves Socket.IO clients.

mod rooms;
