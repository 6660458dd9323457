//! One request on its way to another node, and the answer on its way back.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use eio_tokio::{PeerAddr, UpgradedStream};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Body, Incoming};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::forward::address::Address;
use crate::forward::body::NodeBody;
use crate::forward::dial::Link;
use crate::forward::error::ForwardError;
use crate::forward::forwarder::{LONGEST, Shared};
use crate::forward::head::{Asks, asks, to_client, to_node};
use crate::forward::limited::{BoxError, Limited, Progress};
use crate::forward::question::{LOOK_AGAIN, Question};
use crate::forward::relay::{Ended, relay};
use crate::forward::seal::{ANSWER, NotProven, REQUEST, Sealed, add_element, element};
use crate::forward::tunnels::{Phase, Tunnel};

/// The body of a request to another node.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, BoxError>;

/// How much longer than a session may be silent a node may be: its own end of a silent session is on its way then.
const MARGIN: Duration = Duration::from_secs(1);

/// How long a poll may wait at a node that leaves. It is not zero, because the client may send its next poll there, too.
const LAST_WAIT: Duration = Duration::from_millis(200);

/// How long the client's connection may take to become a WebSocket behind the answer.
const SWITCHING: Duration = Duration::from_secs(10);

/// A request for another node.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) shared: Arc<Shared>,
    pub(super) node: String,
    pub(super) address: Address,
}

impl Exchange {
    /// Answers a request by another node, or says why that cannot be.
    pub(super) async fn answer<B>(self, mut request: Request<B>) -> Response<NodeBody>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let asks = asks(&head);
        let own = without_body(&head);
        let question = Question::new(&self, &own);
        match self.forward(head, asks, body, upgrade, question).await {
            Ok(answer) => {
                self.shared.report.forwarded();
                answer
            }
            Err(error) => {
                self.shared.report.failed(&self.node, &error);
                let answer = match error {
                    ForwardError::Stalled(_) => cut_short(StatusCode::REQUEST_TIMEOUT),
                    ForwardError::BrokenOff => cut_short(StatusCode::BAD_REQUEST),
                    // The session is gone for the client, or nobody knows whether it is: it opens another one.
                    _ => self.shared.session_unknown(own).await,
                };
                answer.map(NodeBody::own)
            }
        }
    }

    async fn forward<B>(
        &self,
        mut head: Parts,
        asks: Asks,
        body: B,
        upgrade: OnUpgrade,
        question: Question,
    ) -> Result<Response<NodeBody>, ForwardError>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let shared = &self.shared;
        let is_poll = asks == Asks::Nothing && head.method == Method::GET;
        let tunnel = match asks {
            Asks::Nothing => None,
            _ => Some(shared.tunnels.begin().ok_or(ForwardError::Leaving)?),
        };
        let version = head.version;
        let code = self.address_and_seal(&mut head, asks)?;
        let progress = Progress::begin();
        let body = match asks {
            Asks::Nothing => Outgoing::new(Limited::new(body, shared.limits.body, Arc::clone(&progress))),
            _ => Outgoing::new(Empty::new().map_err(Into::into)),
        };
        let asking = self.ask(Request::from_parts(head, body), &progress, &question);
        let mut answer = match &tunnel {
            None if is_poll => self.release_at_the_end(asking, &question).await?,
            None => asking.await?,
            Some(tunnel) => tokio::select! {
                biased;
                answer = asking => answer?,
                () = tunnel.reaches(Phase::Leaving) => return Err(ForwardError::Leaving),
            },
        };
        let status = answer.status();
        let told = shared.sealer.check_answer(answer.headers(), &code, status);
        let silence = told.map_err(|NotProven| ForwardError::NotANode(status))?;
        let silence = silence.unwrap_or(shared.limits.silence).min(LONGEST);
        answer.headers_mut().remove(ANSWER);
        to_client(&mut answer, version, asks);
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let limit = shared.limits.body;
            return Ok(answer.map(|body| NodeBody::node(Limited::new(body, limit, Progress::begin()))));
        }
        let tunnel = tunnel.ok_or(ForwardError::NotANode(status))?;
        let switched = hyper::upgrade::on(&mut answer);
        let (shared, node) = (Arc::clone(shared), self.node.clone());
        tokio::spawn(async move {
            if let Some(how) = carry(switched, upgrade, silence + MARGIN, &tunnel, &question).await {
                shared.report.ended(&node, &how);
            }
            drop(tunnel);
        });
        Ok(answer.map(|_| NodeBody::own(Full::default())))
    }

    /// Waits for the answer to a poll. When this node leaves, it has the other one answer: otherwise the session would end with
    /// the connections of this node.
    async fn release_at_the_end<T>(&self, asking: impl Future<Output = T>, question: &Question) -> T {
        let mut asking = core::pin::pin!(asking);
        loop {
            let released = async {
                self.shared.tunnels.leaving().await;
                sleep(LAST_WAIT).await;
                question.release().await
            };
            tokio::select! {
                biased;
                answer = asking.as_mut() => return answer,
                // All connections to the node may have been taken, or the poll was not there yet. So this goes on until its answer.
                _ = released => {}
            }
        }
    }

    /// Addresses the request to the node, names the client, and seals both. Returns the code.
    pub(super) fn address_and_seal(&self, head: &mut Parts, asks: Asks) -> Result<String, ForwardError> {
        let peer: Option<SocketAddr> = PeerAddr::of(&head.extensions).map(|peer| peer.0);
        let path = head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|_| ForwardError::NoRandom)?;
        let (number, key) = random.split_at(8);
        let number = number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        to_node(head, asks, &base64::engine::general_purpose::STANDARD.encode(key));
        head.uri = self.address.uri(path.clone()).ok_or(ForwardError::Path)?;
        let element = element(peer, &self.shared.sealer.node);
        let sealed = Sealed { method: head.method.as_str(), path: path.as_str(), element: &element };
        let (value, code) = self.shared.sealer.seal(sealed, now(), number);
        add_element(&mut head.headers, &element).ok_or(ForwardError::Path)?;
        head.headers.insert(REQUEST, HeaderValue::from_str(&value).map_err(|_| ForwardError::Path)?);
        Ok(code)
    }

    /// Sends the request, and waits for the head of the answer: as long as the body of the request makes progress, and then
    /// as long as the session lives, which the node is asked when it has been silent for as long as sessions may be.
    async fn ask(
        &self,
        request: Request<Outgoing>,
        progress: &Progress,
        question: &Question,
    ) -> Result<Response<Incoming>, ForwardError> {
        let limits = &self.shared.limits;
        let limit = limits.connect + limits.silence + MARGIN;
        let mut asking = core::pin::pin!(self.shared.client.request(request));
        let mut alive_at = progress.last();
        let answer = loop {
            let due = progress.last().max(alive_at) + limit;
            if let Ok(answer) = timeout_at(due, asking.as_mut()).await {
                break answer;
            }
            if Instant::now() < progress.last() + limit {
                continue;
            }
            tokio::select! {
                biased;
                answer = asking.as_mut() => break answer,
                is_alive = question.ask() => if is_alive {
                    alive_at = Instant::now();
                    continue;
                },
            }
            // The session may have ended just now, and its last answer may be on its way.
            match timeout(LOOK_AGAIN, asking.as_mut()).await {
                Ok(answer) => break answer,
                Err(_) => return Err(ForwardError::Silent(limit)),
            }
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(_) if progress.has_stalled() => Err(ForwardError::Stalled(limits.body)),
            Err(error) => Err(match ForwardError::of(&error) {
                stalled @ ForwardError::Stalled(_) => stalled,
                _ if progress.was_broken_off() => ForwardError::BrokenOff,
                other => other,
            }),
        }
    }
}

/// Carries a WebSocket from when both connections have switched to it until its end. Returns `None` if they do not switch.
async fn carry(
    switched: OnUpgrade,
    upgrade: OnUpgrade,
    silence: Duration,
    tunnel: &Tunnel,
    question: &Question,
) -> Option<Ended> {
    let (link, received) = switched.await.ok().and_then(link_of)?;
    let client = tokio::select! {
        biased;
        client = timeout(SWITCHING, upgrade) => client.ok().and_then(Result::ok),
        () = tunnel.reaches(Phase::Gone) => None,
    };
    let Some(client) = client else {
        link.reset();
        return None;
    };
    let client = UpgradedStream::new(client);
    Some(relay(client, link, &received, silence, tunnel, question).await)
}

/// Returns the connection of an answer that has switched protocols, and what was read of it beyond the answer.
fn link_of(upgraded: Upgraded) -> Option<(Link, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<Link>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}

/// Answers a request whose client has not sent the rest of it. The connection cannot carry another one.
fn cut_short(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Returns the time of day, in milliseconds since 1970. Other nodes compare it with theirs.
#[expect(clippy::disallowed_methods, reason = "the nodes have no other clock in common")]
pub(super) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the same request without its body.
fn without_body(head: &Parts) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.extensions_mut() = head.extensions.clone();
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers.clone();
    request
}

impl Shared {
    /// Answers that the session is unknown, as the server does, with its headers for pages of other origins.
    async fn session_unknown(&self, request: Request<Empty<Bytes>>) -> Response<Full<Bytes>> {
        use tower_service::Service as _;
        let Ok(answer) = self.engine.clone().call(request).await;
        answer
    }
}
