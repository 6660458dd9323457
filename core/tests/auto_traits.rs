//! Every public type can be sent to another thread and shared with it, and what can be compared can be hashed.

use core::error::Error;
use core::hash::Hash;

use eio_core::backoff::{Backoff, BackoffError, BackoffSetting};
use eio_core::detect::Detection;
use eio_core::handshake::{
    Field, Handshake, HandshakeError, HandshakeErrorKind, ParseTransportError, Sid, SidError, Transport,
    Transports,
};
use eio_core::heartbeat::{Due, Machine, Reaction};
use eio_core::packet::{Base64, Data, DecodeError, DecodeErrorKind, Packet, PacketType, WebSocketMessage};
use eio_core::payload;
use eio_core::polling::{ClientPolling, ServerPolling};
use eio_core::session::{CheckSendError, Control, DisconnectReason, SessionEnd, SessionEvent, Violation};
use eio_core::settings::{HeartbeatError, Limit, ParseLivenessError, Period, ServerSettings, SettingsError};
use eio_core::socketio;
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeControl, UpgradeFailure, UpgradeOutcome};
use eio_core::ws;
use eio_core::{
    BufferTooSmall, ClientSession, Heartbeat, Instant, Liveness, ParseRevisionError, Revision, ServerSession,
};

fn shared<T: Send + Sync + Unpin + 'static>() {}

fn value<T: Eq + Hash + Send + Sync + Unpin + 'static>() {}

fn error<T: Error + Eq + Hash + Send + Sync + Unpin + 'static>() {}

#[test]
fn state_machines_and_codecs_can_move_between_threads() {
    shared::<ClientSession>();
    shared::<ServerSession>();
    shared::<Machine>();
    shared::<ClientUpgrade>();
    shared::<ServerUpgrade>();
    shared::<ClientPolling>();
    shared::<ServerPolling>();
    shared::<Backoff>();
    shared::<payload::v3::Decoder<'static>>();
    shared::<payload::v3::Encoder<'static>>();
    shared::<payload::v4::Decoder<'static>>();
    shared::<payload::v4::Encoder<'static>>();
    shared::<socketio::Decoder>();
    shared::<socketio::ArgsIter<'static>>();
    shared::<ws::Decoder>();
    shared::<ws::Reader<'static>>();
}

#[test]
fn values_can_be_shared_compared_and_hashed() {
    value::<Instant>();
    value::<Heartbeat>();
    value::<Liveness>();
    value::<Revision>();
    value::<ServerSettings>();
    value::<Limit>();
    value::<Period>();
    value::<BackoffSetting>();
    value::<Detection>();
    value::<Handshake<'static>>();
    value::<Field>();
    value::<Sid<'static>>();
    value::<Transport>();
    value::<Transports>();
    value::<Reaction>();
    value::<Due>();
    value::<WebSocketMessage<'static>>();
    value::<PacketType>();
    value::<Packet<'static>>();
    value::<Data<'static>>();
    value::<Base64<'static>>();
    value::<payload::v3::Framing>();
    value::<SessionEvent<'static>>();
    value::<Control>();
    value::<UpgradeControl>();
    value::<UpgradeOutcome>();
    value::<socketio::Packet<'static>>();
    value::<socketio::Body<'static>>();
    value::<socketio::Event<'static>>();
    value::<socketio::Args<'static>>();
    value::<socketio::Received<'static>>();
    value::<socketio::Expected>();
    value::<ws::OpCode>();
    value::<ws::FrameHeader>();
    value::<ws::MessageKind>();
    value::<ws::Decoded<'static>>();
    value::<ws::Item<'static>>();
    value::<ws::Piece<'static>>();
    value::<ws::Received<'static>>();
    value::<ws::ControlFrame<'static>>();
    value::<ws::Close<'static>>();
    value::<ws::CloseCode>();
    value::<ws::Key>();
}

#[test]
fn errors_can_be_boxed_compared_and_hashed() {
    error::<BufferTooSmall>();
    error::<ParseRevisionError>();
    error::<ParseLivenessError>();
    error::<ParseTransportError>();
    error::<HeartbeatError>();
    error::<SettingsError>();
    error::<BackoffError>();
    error::<HandshakeError>();
    error::<HandshakeErrorKind>();
    error::<SidError>();
    error::<DecodeError>();
    error::<DecodeErrorKind>();
    error::<payload::v4::EncodeError>();
    error::<CheckSendError>();
    error::<DisconnectReason>();
    error::<SessionEnd>();
    error::<Violation>();
    error::<UpgradeFailure>();
    error::<socketio::PacketError>();
    error::<socketio::PacketErrorKind>();
    error::<ws::CloseError>();
    error::<ws::ControlFrameError>();
    error::<ws::Error>();
    error::<ws::InvalidKey>();
}
