//! What the answers of a Redis server mean.

use redis::{ErrorKind, RedisError, Value};

use crate::bus::server::Broken;

/// Whether the user may not do this. The server answers other commands.
pub(super) fn is_forbidden(error: &RedisError) -> bool {
    error.code() == Some("NOPERM")
}

/// Whether the server answers this command so whenever it is asked: the user may not use it, or the server does not know it.
/// Every other error is about the state of the server: it runs a script (`BUSY`), loads its data (`LOADING`), has no master
/// (`MASTERDOWN`), or is in a cluster that is down or has moved the channel (`CLUSTERDOWN`, `MOVED`).
pub(super) fn is_lasting(error: &RedisError) -> bool {
    is_forbidden(error) || error.code() == Some("ERR")
}

/// Takes the answer to `ROLE`. What is published on a replica reaches its own subscribers alone, and is no error.
pub(super) fn check_role(role: &Value) -> Result<(), Broken> {
    match role {
        Value::Array(role) if matches!(&role[..], [Value::BulkString(name), ..] if name == b"slave") => {
            Err(Broken::new("the server is a replica: what is published there reaches no other server"))
        }
        _ => Ok(()),
    }
}

pub(super) fn broken(error: &RedisError) -> Broken {
    match error.kind() {
        ErrorKind::AuthenticationFailed => Broken::refused(words(error)),
        ErrorKind::RESP3NotSupported => Broken::refused("the server is older than Redis 6, which has RESP3"),
        _ if error.is_connection_dropped() => Broken::new("the server has closed the connection"),
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => Broken::refused(words(error)),
        _ => Broken::new(words(error)),
    }
}

/// What a server has said, or else what the client says.
pub(super) fn words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("the server says `{code} {detail}`"),
        _ => error.to_string(),
    }
}
