//! stub
use crate::Heartbeat;
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Handshake<'a> {
    pub sid: &'a str,
    pub heartbeat: Heartbeat,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("x")]
pub struct HandshakeError;
impl<'a> Handshake<'a> {
    pub fn parse(json: &'a str) -> Result<Self, HandshakeError> {
        let _ = json;
        Ok(Self { sid: "", heartbeat: Heartbeat::DEFAULT })
    }
}
