//! Adds a server to a router.

use axum::Router;

use crate::server::Server;

/// Adds an Engine.IO server to an axum [`Router`].
pub trait RouterExt: private::Sealed {
    /// Adds the routes of the server: its [path](crate::ServerBuilder::path), with its final slash and without it, and
    /// every path below it.
    ///
    /// As with every route, layers that were added to the router before do not apply to these routes, and later ones do:
    /// [the guide](crate::guide::axum) says which layers harm sessions. In a router that is [nested](Router::nest) the paths are those below the
    /// prefix: under `nest("/api", ..)` clients use the path `/api/engine.io/`.
    ///
    /// # Panics
    /// Panics if the router already has one of these routes, as [`Router::route_service`] does.
    #[must_use]
    fn engine_io(self, server: &Server) -> Self;
}

impl<S> RouterExt for Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    #[track_caller]
    fn engine_io(self, server: &Server) -> Self {
        let service = server.service();
        // Braces would be parameters of the route.
        let path = service.path().replace('{', "{{").replace('}', "}}");
        let mut router = self
            .route_service(&path, service.clone())
            .route_service(&format!("{path}{{*below}}"), service.clone());
        if let Some(without_slash) = path.strip_suffix('/').filter(|path| !path.is_empty()) {
            router = router.route_service(without_slash, service);
        }
        router
    }
}

mod private {
    #[expect(unnameable_types, reason = "so that no other crate implements the trait")]
    pub trait Sealed {}

    impl<S> Sealed for axum::Router<S> {}
}
