//! Answers the requests of sessions: from this server, or from the node that has the session.

use core::convert::Infallible;
use core::pin::Pin;

use bytes::Bytes;
use eio_cluster::forward::{ForwardService, NodeBody};
use eio_tokio::{EngineService, Server, TimedBody};
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower_service::Service as _;

use crate::serve::cluster::Node;

/// The service of the sessions.
#[derive(Clone)]
pub(crate) struct Sessions {
    engine: EngineService,
    /// The same, with the sessions of other nodes.
    forward: Option<ForwardService<EngineService>>,
}

type Answer = Response<Either<Full<Bytes>, NodeBody>>;

impl Sessions {
    pub(crate) fn new(server: &Server, node: Option<&Node>) -> Self {
        let forwarder = node.and_then(|node| node.forwarder.as_ref());
        Self { engine: server.service(), forward: forwarder.map(eio_cluster::forward::Forwarder::service) }
    }

    pub(super) fn serves(&self, path: &str) -> bool {
        self.engine.serves(path)
    }

    pub(super) fn path(&self) -> &str {
        self.engine.path()
    }

    pub(super) fn call(
        &mut self,
        request: Request<TimedBody>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>> {
        if let Some(forward) = &mut self.forward {
            return Box::pin(forward.call(request));
        }
        let answer = self.engine.call(request);
        Box::pin(async move { Ok(answer.await?.map(Either::Left)) })
    }
}
