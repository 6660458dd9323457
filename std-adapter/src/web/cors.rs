//! Cross-origin resource sharing, like the `cors` option of the reference server, which is the npm module `cors`.

use core::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use crate::web::origins::{AllowedOrigins, InvalidOrigin, OriginPattern, parse_all};
use crate::web::respond::{Body, empty};

/// Decides which pages of other origins may read the answers to polling requests, and how.
///
/// The server adds the headers to every answer, errors included, and answers an `OPTIONS` request as a preflight. CORS
/// does not apply to WebSockets; [`AllowedOrigins`] decides there.
///
/// ```
/// use eio_tokio::Cors;
///
/// let cors = Cors::origins(["https://example.org"])?.credentials(true);
/// # Ok::<(), eio_tokio::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    methods: Vec<Method>,
    allowed_headers: Option<Vec<HeaderName>>,
    exposed_headers: Vec<HeaderName>,
    max_age: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Origins {
    Any,
    Reflect,
    List(Vec<OriginPattern>),
}

impl Cors {
    /// Allows every origin with `*`, which browsers accept only for requests without cookies.
    #[must_use]
    pub fn any() -> Self {
        Self {
            origins: Origins::Any,
            credentials: false,
            methods: vec![
                Method::GET,
                Method::HEAD,
                Method::PUT,
                Method::PATCH,
                Method::POST,
                Method::DELETE,
            ],
            allowed_headers: None,
            exposed_headers: Vec::new(),
            max_age: None,
        }
    }

    /// Allows every origin, by repeating the origin of the request. With [`credentials`](Self::credentials), every page on
    /// the internet can act as its visitor.
    #[must_use]
    pub fn reflecting() -> Self {
        Self { origins: Origins::Reflect, ..Self::any() }
    }

    /// Allows these origins, and those of the subdomains that an [`OriginPattern`] matches. Allows [any](Self::any) if
    /// one of them is `*`. Building a server with an empty list fails.
    ///
    /// # Errors
    /// Returns an [`InvalidOrigin`] with the first entry that is not an origin: no browser sends it, so it could never
    /// match.
    pub fn origins<I>(origins: I) -> Result<Self, InvalidOrigin>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let origins: Vec<I::Item> = origins.into_iter().collect();
        if origins.iter().any(|origin| origin.as_ref() == "*") {
            return Ok(Self::any());
        }
        Ok(Self::matching(parse_all(origins)?))
    }

    /// Allows the origins that these patterns match.
    pub(crate) fn matching(origins: Vec<OriginPattern>) -> Self {
        Self { origins: Origins::List(origins), ..Self::any() }
    }

    /// Sets whether requests with cookies may be answered. Default: no. Browsers do not accept it together with
    /// [`any`](Self::any), so building a server with both fails.
    #[must_use]
    pub fn credentials(mut self, credentials: bool) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets the methods that a preflight names. Default: `GET,HEAD,PUT,PATCH,POST,DELETE`, as in the reference; the
    /// protocol uses `GET` and `POST`.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// Sets the request headers that a preflight allows. Default: the headers that the preflight asks for.
    #[must_use]
    pub fn allowed_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.allowed_headers = Some(headers.into_iter().collect());
        self
    }

    /// Sets the response headers that a page may read. Default: only those that every page may read.
    #[must_use]
    pub fn exposed_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.exposed_headers = headers.into_iter().collect();
        self
    }

    /// Sets how long a browser may remember a preflight's answer, in whole seconds. Default: the answer does not say,
    /// and browsers use 5 s.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Returns whether browsers refuse this combination of settings.
    pub(crate) fn is_contradictory(&self) -> bool {
        self.credentials && matches!(self.origins, Origins::Any)
    }

    /// Returns whether the list of origins is empty, so that no page is allowed.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.origins, Origins::List(origins) if origins.is_empty())
    }

    /// Returns the pages that may open sessions if [`ServerBuilder::allowed_origins`](crate::ServerBuilder::allowed_origins)
    /// does not say otherwise: those that may read answers.
    #[must_use]
    pub fn allowed_origins(&self) -> AllowedOrigins {
        match &self.origins {
            Origins::Any | Origins::Reflect => AllowedOrigins::Any,
            Origins::List(origins) => AllowedOrigins::List(origins.clone()),
        }
    }

    /// Returns the headers that every answer to this request carries.
    pub(crate) fn headers(&self, request: &Parts) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let requested = request.headers.get(header::ORIGIN);
        let allowed = match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Reflect => requested.cloned(),
            // The only allowed origin is sent to every page: browsers compare it with their own.
            Origins::List(patterns) if patterns.len() == 1 && lone_header(patterns).is_some() => {
                lone_header(patterns)
            }
            Origins::List(patterns) => requested
                .filter(|requested| {
                    requested
                        .to_str()
                        .is_ok_and(|origin| patterns.iter().any(|pattern| pattern.matches_text(origin)))
                })
                .cloned(),
        };
        put(&mut headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if !matches!(self.origins, Origins::Any) {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        put(&mut headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, join(&self.exposed_headers));
        headers
    }

    /// Returns the answer to a preflight. Its [common headers](Self::headers) are added as on every other answer.
    pub(crate) fn preflight(&self, request: &Parts, common: &mut HeaderMap) -> Response<Body> {
        let mut response = empty(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, join(&self.methods));
        let allowed_headers = if let Some(allowed) = &self.allowed_headers {
            join(allowed)
        } else {
            let known = common.get_all(header::VARY).iter().map(HeaderValue::as_bytes);
            let all: Vec<_> = known.chain([&b"Access-Control-Request-Headers"[..]]).collect();
            put(common, header::VARY, HeaderValue::from_bytes(&all.join(&b", "[..])).ok());
            request.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned()
        };
        put(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers);
        put(headers, header::ACCESS_CONTROL_MAX_AGE, self.max_age.map(|age| age.as_secs().into()));
        response
    }
}

/// Returns the header for a list with a single origin.
fn lone_header(patterns: &[OriginPattern]) -> Option<HeaderValue> {
    match patterns {
        [pattern] => pattern.lone_header(),
        _ => None,
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

/// Joins the items as `a,b`. Returns `None` if there are none.
fn join<T: AsRef<str>>(items: &[T]) -> Option<HeaderValue> {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.is_empty() { None } else { HeaderValue::try_from(items.join(",")).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::request::with_headers;

    fn told(headers: &HeaderMap) -> Vec<String> {
        let mut told: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        told.sort();
        told
    }

    #[test]
    fn any_origin_is_a_star_and_varies_with_nothing() {
        let headers = Cors::any().headers(&with_headers(&[("origin", "https://a.test")]));
        assert_eq!(told(&headers), ["access-control-allow-origin: *"]);
    }

    #[test]
    fn a_lone_origin_is_named_to_everybody() {
        let cors = Cors::origins(["https://a.test"]).unwrap().credentials(true);
        for asked in [&[][..], &[("origin", "https://a.test")], &[("origin", "https://b.test")]] {
            assert_eq!(
                told(&cors.headers(&with_headers(asked))),
                [
                    "access-control-allow-credentials: true",
                    "access-control-allow-origin: https://a.test",
                    "vary: Origin",
                ]
            );
        }
    }

    #[test]
    fn of_several_origins_the_one_that_asks_is_named() {
        let cors = Cors::origins(["https://a.test", "https://b.test"]).unwrap();
        let headers = |origin| told(&cors.headers(&with_headers(&[("origin", origin)])));
        assert_eq!(
            headers("https://b.test"),
            ["access-control-allow-origin: https://b.test", "vary: Origin"]
        );
        assert_eq!(headers("https://c.test"), ["vary: Origin"]);
    }

    #[test]
    fn a_subdomain_that_asks_is_named_and_a_port_that_is_the_schemes_own_is_no_difference() {
        let cors = Cors::origins(["https://*.a.test"]).unwrap();
        let headers = |cors: &Cors, origin| told(&cors.headers(&with_headers(&[("origin", origin)])));
        assert_eq!(
            headers(&cors, "https://b.a.test"),
            ["access-control-allow-origin: https://b.a.test", "vary: Origin"]
        );
        assert_eq!(headers(&cors, "https://a.test"), ["vary: Origin"]);
        let cors = Cors::origins(["http://a.test:443", "https://b.test:443"]).unwrap();
        for origin in ["http://a.test:443", "https://b.test"] {
            assert_eq!(headers(&cors, origin).len(), 2, "{origin}");
        }
    }

    #[test]
    fn a_reflecting_server_repeats_what_it_is_asked() {
        let headers = |asked: &[(&str, &str)]| told(&Cors::reflecting().headers(&with_headers(asked)));
        assert_eq!(
            headers(&[("origin", "https://a.test")]),
            ["access-control-allow-origin: https://a.test", "vary: Origin"]
        );
        assert_eq!(headers(&[]), ["vary: Origin"]);
    }

    #[test]
    fn a_preflight_is_told_methods_headers_and_how_long_to_remember() {
        let request = with_headers(&[
            ("origin", "https://a.test"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ]);
        let cors = Cors::origins(["https://a.test"])
            .unwrap()
            .methods([Method::GET, Method::POST])
            .max_age(Duration::from_mins(10));
        let mut common = cors.headers(&request);
        let response = cors.preflight(&request, &mut common);
        assert_eq!(response.status(), 204);
        assert_eq!(
            told(response.headers()),
            [
                "access-control-allow-headers: content-type",
                "access-control-allow-methods: GET,POST",
                "access-control-max-age: 600",
                "content-length: 0",
            ]
        );
        assert_eq!(common[header::VARY], "Origin, Access-Control-Request-Headers");

        let cors = cors.allowed_headers([header::CONTENT_TYPE, header::AUTHORIZATION]);
        let mut common = cors.headers(&request);
        let response = cors.preflight(&request, &mut common);
        assert_eq!(response.headers()["access-control-allow-headers"], "content-type,authorization");
        assert_eq!(common[header::VARY], "Origin");
    }

    #[test]
    fn a_star_among_origins_means_any() {
        assert!(matches!(Cors::origins(["https://a.test", "*"]).unwrap().origins, Origins::Any));
        assert_eq!(Cors::origins(["a.test"]).unwrap_err(), InvalidOrigin("a.test".to_owned()));
    }

    #[test]
    fn credentials_for_any_origin_contradict_each_other() {
        assert!(Cors::any().credentials(true).is_contradictory());
        assert!(!Cors::reflecting().credentials(true).is_contradictory());
    }
}
