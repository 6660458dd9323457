//! Asks a node whether a session lives, before its silence counts as its end, and to answer a poll, before this node goes away.
//!
//! A session may live and say nothing for long: while its application does not read, silence is not judged, and under
//! [`AnyPacket`](eio_tokio::Liveness::AnyPacket) a client that sends messages need not answer pings. Only its node knows.

use core::pin::Pin;
use core::time::Duration;

use bytes::Bytes;
use eio_tokio::PeerAddr;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use tokio::time::timeout;

use crate::forward::dial::DialError;
use crate::forward::error::ForwardError;
use crate::forward::exchange::{Exchange, Outgoing};
use crate::forward::head::Asks;

/// The method of a question. Requests of clients with this method are not forwarded.
pub(super) const METHOD: Method = Method::HEAD;

/// In a question, asks the node to answer the poll of the session that waits.
pub(super) const RELEASE: HeaderName = HeaderName::from_static("eio-forwarding-leaves");

/// How long a node may take to answer once it is connected. One that is busy needs a while, and a session that lives must not
/// end because of that.
const ANSWERS: Duration = Duration::from_secs(5);

/// How long the last bytes of a session may be on their way when its node does not know it any more.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// An answer that is to come: whether the session lives.
pub(super) type Asking = Pin<Box<dyn Future<Output = bool> + Send>>;

/// The question whether the session of a request lives on its node.
pub(super) struct Question {
    exchange: Exchange,
    uri: Uri,
    host: Option<HeaderValue>,
    client: Option<PeerAddr>,
}

impl Question {
    pub(super) fn new(exchange: &Exchange, request: &Request<Empty<Bytes>>) -> Self {
        Self {
            exchange: exchange.clone(),
            uri: request.uri().clone(),
            host: request.headers().get(header::HOST).cloned(),
            client: PeerAddr::of(request.extensions()),
        }
    }

    /// Asks. A node that cannot be asked now, because all connections to it are taken, counts as one that says yes.
    pub(super) fn ask(&self) -> Asking {
        self.send(false)
    }

    /// Asks the node to answer the poll that waits, also if there is nothing to say.
    pub(super) fn release(&self) -> Asking {
        self.send(true)
    }

    fn send(&self, releases: bool) -> Asking {
        let asked = self.request(releases);
        let shared = self.exchange.shared.clone();
        Box::pin(async move {
            let Ok((request, code)) = asked else { return false };
            let limit = shared.limits.connect.saturating_add(ANSWERS);
            match timeout(limit, shared.client.request(request)).await {
                Ok(Ok(answer)) => {
                    let told = shared.sealer.check_answer(answer.headers(), &code, answer.status());
                    matches!(told, Ok(Some(_)))
                }
                Ok(Err(error)) => {
                    matches!(ForwardError::of(&error), ForwardError::Unreachable(DialError::Full(_)))
                }
                Err(_) => false,
            }
        })
    }

    /// Returns the request to the node, and its code.
    fn request(&self, releases: bool) -> Result<(Request<Outgoing>, String), ForwardError> {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = METHOD;
        head.uri = self.uri.clone();
        if let Some(host) = &self.host {
            head.headers.insert(header::HOST, host.clone());
        }
        if releases {
            head.headers.insert(RELEASE, HeaderValue::from_static("1"));
        }
        if let Some(client) = self.client {
            head.extensions.insert(client);
        }
        let code = self.exchange.address_and_seal(&mut head, Asks::Nothing)?;
        Ok((Request::from_parts(head, Outgoing::new(Empty::new().map_err(Into::into))), code))
    }
}
