//! Requests for a WebSocket.

use std::sync::Arc;

use eio_core::handshake::Transport;
use http::Response;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

use crate::server::admission::{admit, callback, check_origin, known, open, open_text, transport, unknown};
use crate::server::session::{run_websocket, span};
use crate::server::sessions::ServerShared;
use crate::server::surplus::turn_away;
use crate::server::websocket::Opening;
use crate::web::activity::CameOn;
use crate::web::opening_handshake::OpeningHandshake;
use crate::web::request::NamedSession;
use crate::web::request::{Query, take};
use crate::web::respond::{BadRequest, Body, Refusal, append_all};
use crate::wire::sync;
use crate::wire::targets;

/// Answers a WebSocket request, for a new session or as a candidate for an open one. All checks come before the answer that
/// switches protocols, because no refusal can be sent after it. There is one exception: if a session does not need another
/// WebSocket, the protocol requires it to be opened and closed.
pub(super) async fn answer(
    server: &Arc<ServerShared>,
    parts: &mut Parts,
    query: &Query,
    upgrade: OnUpgrade,
    came_on: Option<CameOn>,
) -> Result<Response<Body>, Refusal> {
    let transport = transport(server, query)?;
    check_origin(server, parts, query)?;
    let candidate_of = query.sid.map(|sid| known(server, sid, query)).transpose()?;
    let handshake = OpeningHandshake::read(parts)?;
    if transport != Transport::WebSocket {
        return Err(Refusal::BadRequest(BadRequest::Upgrade));
    }
    let mut response = handshake.accept(choose_subprotocol(server, parts, &handshake)?)?;
    if let Some(session) = candidate_of {
        if !server.http.allow_upgrades {
            return Err(Refusal::BadRequest(BadRequest::UpgradesOff));
        }
        if !session.catch_up().await {
            return Err(unknown(server, NamedSession::Id(session.context.id)));
        }
        if !session.lock().expects_upgrade() {
            admit(server, parts)?;
        }
        return match session.offer_candidate(upgrade) {
            Ok(()) => Ok(response),
            Err(upgrade) => {
                if turn_away(&session, upgrade) {
                    Ok(response)
                } else {
                    Err(Refusal::BadRequest(BadRequest::Surplus))
                }
            }
        };
    }
    let (session, headers) = open(server, parts, query, transport).await?;
    append_all(response.headers_mut(), &headers);
    let opening = Opening::new(upgrade, &open_text(server, &session)?)
        .map_err(|_| Refusal::impossible("the open packet"))?;
    callback("on_initial_headers", || {
        server.http.add_initial_headers(parts, response.headers_mut());
    })?;
    let span = span(&session);
    if let Some(engine) = session.hand_over() {
        if let Some(CameOn(activity)) = came_on {
            activity.opens_websocket();
        }
        sync::spawn(run_websocket(engine, span, opening, take(parts)));
    }
    Ok(response)
}

/// Returns the subprotocol for the answer: the application's choice among those that the client offers, or the first.
/// A client fails if the answer names none, or one that it has not offered.
fn choose_subprotocol<'r>(
    server: &ServerShared,
    parts: &Parts,
    handshake: &OpeningHandshake<'r>,
) -> Result<Option<&'r str>, Refusal> {
    let offered = &handshake.subprotocols;
    let Some(choose) = &server.http.choose_subprotocol else { return Ok(offered.first().copied()) };
    if offered.is_empty() {
        return Ok(None);
    }
    let chosen = callback("choose_subprotocol", || choose(parts, offered))?;
    if let Some(chosen) = chosen.filter(|chosen| !offered.contains(chosen)) {
        tracing::error!(
            target: targets::REQUEST,
            chosen,
            offered = offered.len(),
            "the application chose a subprotocol that was not offered: none is answered"
        );
        return Ok(None);
    }
    Ok(chosen)
}
