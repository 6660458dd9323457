//! An echo server whose metrics Prometheus fetches from `/metrics`.
//!
//! Run `cargo run --example metrics`, connect any Engine.IO client to <http://127.0.0.1:3000>, and open
//! <http://127.0.0.1:3000/metrics>. `docs/grafana.json` shows them in Grafana.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{Server, Socket, metrics};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the first session: what happens without a recorder is not counted.
    let exporter = exporter()?.install_recorder()?;
    metrics::describe();

    let server = Server::builder(echo).build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let router = router(&server, exporter).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router).await?;
    Ok(())
}

/// An exporter with buckets for the histograms. Without buckets it would export quantiles, which cannot be added up over
/// several servers.
pub(crate) fn exporter() -> Result<PrometheusBuilder, BuildError> {
    metrics::BUCKETS.iter().try_fold(PrometheusBuilder::new(), |exporter, (histogram, buckets)| {
        exporter.set_buckets_for_metric(Matcher::Full((*histogram).to_owned()), buckets)
    })
}

/// The sessions, and what Prometheus fetches. In production, serve `/metrics` where only Prometheus can reach it.
pub(crate) fn router(server: &Server, exporter: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(async move || exporter.render())).engine_io(server)
}

pub(crate) async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}
