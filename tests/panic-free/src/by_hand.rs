//! The functions that have an address only once their types are chosen: one line each, `("name", function)`.
//!
//! `cargo xtask test panic-free` names each one that is missing here, and each one here that need not be.

use eio_core::handshake::{Transport, Transports};
use eio_core::packet::Packet;
use eio_core::payload::v3::Framing;
use eio_core::payload::v4::EncodeError;
use eio_core::payload::{Format, Layout};
use eio_core::polling::{Batch, ClientPolling, Hold, Limits, Request, ServerPolling};
use eio_core::settings::{OldSettingsError, ServerSettings, v1_v2};
use eio_core::transports::ServerTransports;
use eio_core::ws::opening::{Opening, RequestHead};
use eio_core::{BufferTooSmall, ClientSession, Instant, ServerSession};
use eio_legacy::handshake::LegacyHandshake;
use eio_legacy::settings::LegacySettings;

/// The functions, each under the name by which `cargo xtask` asks for it.
pub(crate) const ENTRY_POINTS: &[(&str, *const ())] = &[
    (
        "<eio_core::handshake::Transports as FromIterator<eio_core::handshake::Transport>>::from_iter",
        collect_transports as *const (),
    ),
    ("eio_core::handshake::Transports::iter", last_transport as *const ()),
    ("eio_core::payload::Format::layout", layout_of as *const ()),
    ("eio_core::payload::Layout::encode", encode_layout as *const ()),
    ("eio_core::payload::v3::Framing::of", framing_of as *const ()),
    ("eio_core::polling::Batch::encode", encode_batch as *const ()),
    ("eio_core::polling::Batch::packets", last_of_batch as *const ()),
    ("eio_core::polling::ClientPolling::poll_request", request as *const ()),
    ("eio_core::polling::ServerPolling::poll_answer", answer as *const ()),
    ("eio_core::settings::v1_v2::read", read_old_settings as *const ()),
    ("eio_core::transports::ServerTransports::poll_answer", answer_of_transports as *const ()),
    ("eio_core::ws::opening::Opening::protocols", last_protocol as *const ()),
    ("eio_core::ws::opening::RequestHead::all", last_header as *const ()),
    ("eio_legacy::handshake::LegacyHandshake::transports", last_legacy_transport as *const ()),
    ("eio_legacy::payload::encode", encode_legacy_payload as *const ()),
    ("eio_legacy::settings::LegacySettings::read", read_legacy_settings as *const ()),
];

fn collect_transports(transports: &[Transport]) -> Transports {
    transports.iter().copied().collect()
}

fn last_transport(transports: Transports) -> Option<Transport> {
    transports.iter().last()
}

fn framing_of(packets: &[Packet<'_>], supports_binary: bool) -> Framing {
    Framing::of(packets, supports_binary)
}

fn layout_of(format: Format, packets: &[Packet<'_>]) -> Layout {
    format.layout(packets.iter().copied())
}

fn encode_layout<'o>(
    layout: &Layout,
    packets: &[Packet<'_>],
    out: &'o mut [u8],
) -> Result<&'o [u8], EncodeError> {
    layout.encode(packets.iter().copied(), out)
}

fn encode_batch<'o>(batch: &Batch, queue: &[Packet<'_>], out: &'o mut [u8]) -> Result<&'o [u8], EncodeError> {
    batch.encode(queue.iter().copied(), out)
}

fn last_of_batch<'a>(batch: &Batch, queue: &[Packet<'a>]) -> Option<Packet<'a>> {
    batch.packets(queue.iter().copied()).last()
}

fn request(
    polling: &mut ClientPolling,
    now: Instant,
    session: &mut ClientSession,
    queue: &[Packet<'_>],
    limits: &Limits,
    hold: Hold,
) -> Option<Request> {
    polling.poll_request(now, session, queue.iter().copied(), limits, hold)
}

fn answer(
    polling: &mut ServerPolling,
    now: Instant,
    session: &mut ServerSession,
    queue: &[Packet<'_>],
    limits: &Limits,
) -> Option<Batch> {
    polling.poll_answer(now, session, queue.iter().copied(), limits)
}

fn answer_of_transports(
    transports: &mut ServerTransports,
    now: Instant,
    queue: &[Packet<'_>],
    limits: &Limits,
) -> Option<Batch> {
    transports.poll_answer(now, queue.iter().copied(), limits)
}

fn read_old_settings<'a>(pairs: &[(&'a str, &'a str)]) -> Result<ServerSettings, OldSettingsError<'a>> {
    v1_v2::read(pairs.iter().copied())
}

fn last_protocol<'h>(opening: &Opening<'h>) -> Option<&'h str> {
    opening.protocols().last()
}

fn last_header<'h>(head: &RequestHead<'h>, name: &str) -> Option<&'h [u8]> {
    head.all(name).last()
}

fn last_legacy_transport<'a>(handshake: &LegacyHandshake<'a>) -> Option<&'a str> {
    handshake.transports().last()
}

fn encode_legacy_payload<'o>(packets: &[&str], out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
    eio_legacy::payload::encode(packets.iter().copied(), out)
}

fn read_legacy_settings<'a>(pairs: &[(&'a str, &'a str)]) -> Result<LegacySettings, OldSettingsError<'a>> {
    LegacySettings::read(pairs.iter().copied())
}
