//! Settings that are tables in a configuration file.

use core::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::lists::{OneOrMany, OneOrManyVisitor, values};
use super::names::Named;
use super::numbers::Number;
use super::texts::{FromText, Text};
use super::times;
use crate::web::cookie::{Cookie, SameSite};
use crate::web::cors::Cors;
use crate::web::network::Network;
use crate::web::origins::OriginPattern;
use crate::web::proxies::{Forwarding, TrustedProxies};

pub(super) fn cors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cors>, D::Error> {
    let Some(Table(table)) = Option::<Table<CorsTable>>::deserialize(deserializer)? else { return Ok(None) };
    let mut cors = table.origins.0;
    if cors.is_empty() {
        return Err(D::Error::custom("the list of `origins` is empty: expected at least one origin"));
    }
    cors = cors.credentials(table.credentials.unwrap_or(false));
    if cors.is_contradictory() {
        return Err(D::Error::custom(
            "`credentials` cannot be combined with the origin \"*\", which browsers refuse: expected a list of origins",
        ));
    }
    if let Some(methods) = table.methods {
        cors = cors.methods(values(methods));
    }
    if let Some(headers) = table.allowed_headers {
        cors = cors.allowed_headers(values(headers));
    }
    if let Some(headers) = table.exposed_headers {
        cors = cors.exposed_headers(values(headers));
    }
    if let Some(max_age) = table.max_age {
        cors = cors.max_age(max_age);
    }
    Ok(Some(cors))
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a table such as { origins = [\"https://example.org\"] }")]
struct CorsTable {
    origins: CorsOrigins,
    credentials: Option<bool>,
    methods: Option<Vec<Text<Method>>>,
    allowed_headers: Option<Vec<Text<HeaderName>>>,
    exposed_headers: Option<Vec<Text<HeaderName>>>,
    #[serde(default, deserialize_with = "times::max_age")]
    max_age: Option<Duration>,
}

/// The origins of CORS: a list, `*`, or `true` as in the reference server, which allows every origin by repeating it.
struct CorsOrigins(Cors);

impl<'de> Deserialize<'de> for CorsOrigins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CorsOriginsVisitor).map(Self)
    }
}

struct CorsOriginsVisitor;

impl<'de> Visitor<'de> for CorsOriginsVisitor {
    type Value = Cors;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a list of origins such as \"https://example.org\", or \"*\", or true to repeat every origin",
        )
    }

    fn visit_bool<E: Error>(self, reflects: bool) -> Result<Cors, E> {
        if reflects {
            Ok(Cors::reflecting())
        } else {
            Err(E::invalid_value(serde::de::Unexpected::Bool(false), &self))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cors, E> {
        OneOrManyVisitor::new().visit_str(text).map(cors_for)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Cors, A::Error> {
        OneOrManyVisitor::new().visit_seq(list).map(cors_for)
    }
}

enum CorsOrigin {
    Any,
    Matching(OriginPattern),
}

impl FromText for CorsOrigin {
    const EXPECTED: &'static str = "an origin such as \"https://example.org\", or \"*\"";

    fn from_text(text: &str) -> Result<Self, String> {
        if text == "*" { Ok(Self::Any) } else { OriginPattern::from_text(text).map(Self::Matching) }
    }
}

fn cors_for(OneOrMany(origins): OneOrMany<CorsOrigin>) -> Cors {
    let mut patterns = Vec::new();
    for origin in origins {
        match origin {
            CorsOrigin::Any => return Cors::any(),
            CorsOrigin::Matching(pattern) => patterns.push(pattern),
        }
    }
    Cors::matching(patterns)
}

pub(super) fn trusted_proxies<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TrustedProxies>, D::Error> {
    let Some(Table(table)) = Option::<Table<ProxiesTable>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let without_address = table.without_address.unwrap_or(false);
    let networks = values(table.networks.unwrap_or_default());
    if networks.is_empty() && !without_address {
        return Err(D::Error::custom("no proxy is trusted: expected `networks`, or `withoutAddress = true`"));
    }
    let proxies = TrustedProxies::from_networks(table.header.0, networks);
    Ok(Some(if without_address { proxies.and_without_address() } else { proxies }))
}

#[derive(serde::Deserialize)]
#[serde(
    rename_all = "camelCase",
    expecting = "a table such as { header = \"x-forwarded-for\", networks = [\"10.0.0.0/8\"] }"
)]
struct ProxiesTable {
    header: Text<Forwarding>,
    networks: Option<Vec<Text<Network>>>,
    without_address: Option<bool>,
}

pub(super) fn cookie<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cookie>, D::Error> {
    Ok(Option::<CookieText>::deserialize(deserializer)?.map(|cookie| cookie.0))
}

/// A cookie: its name, or a table.
struct CookieText(Cookie);

impl<'de> Deserialize<'de> for CookieText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CookieVisitor).map(Self)
    }
}

struct CookieVisitor;

impl<'de> Visitor<'de> for CookieVisitor {
    type Value = Cookie;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a cookie, or a table such as { name = \"io\", secure = true }")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cookie, E> {
        Cookie::new(name).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cookie, A::Error> {
        let table = CookieTable::deserialize(Named(MapAccessDeserializer::new(map)))?;
        let mut cookie = Cookie::new(table.name).map_err(A::Error::custom)?;
        if let Some(path) = table.path {
            cookie = cookie.path(path).map_err(A::Error::custom)?;
        }
        cookie = cookie.http_only(table.http_only.unwrap_or(true)).secure(table.secure.unwrap_or(false));
        if let Some(Text(same_site)) = table.same_site {
            cookie = cookie.same_site(same_site);
        }
        Ok(match table.max_age {
            Some(max_age) => cookie.max_age(max_age),
            None => cookie,
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct CookieTable {
    name: String,
    path: Option<String>,
    http_only: Option<bool>,
    secure: Option<bool>,
    same_site: Option<Text<SameSite>>,
    #[serde(default, deserialize_with = "times::max_age")]
    max_age: Option<Duration>,
}

pub(super) fn handshakes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<(u32, Duration)>, D::Error> {
    let Some(Table(table)) = Option::<Table<HandshakesTable>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let count = u32::try_from(table.count.0).unwrap_or(u32::MAX);
    Ok(Some((count, table.period)))
}

#[derive(serde::Deserialize)]
#[serde(expecting = "a table such as { count = 100, period = \"1m\" }")]
struct HandshakesTable {
    count: Number<1>,
    #[serde(deserialize_with = "times::with_unit_above_zero")]
    period: Duration,
}

pub(super) fn response_headers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<HeaderMap>, D::Error> {
    Ok(Option::<Headers>::deserialize(deserializer)?.map(|headers| headers.0))
}

struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor).map(Self)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = HeaderMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of headers and their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderMap, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some(Text::<HeaderName>(name)) = map.next_key()? {
            let OneOrMany::<HeaderValue>(given) = map.next_value()?;
            for value in given {
                headers.append(name.clone(), value);
            }
        }
        Ok(headers)
    }
}

/// A table whose names [`Named`] reads.
struct Table<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Named(deserializer)).map(Self)
    }
}
