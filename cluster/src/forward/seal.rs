//! By what a node shows that a request comes from a node, and an answer, too.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::forward::secret::Secret;
use crate::forward::seen::Seen;

/// The header of a request that a node has forwarded: a version, the node, the time, a random number and the code.
pub(super) const REQUEST: HeaderName = HeaderName::from_static("eio-forwarding");

/// The header of its answer: a version, how long the session may be silent in milliseconds, and the code.
pub(super) const ANSWER: HeaderName = HeaderName::from_static("eio-forwarded");

const VERSION: &str = "1";

/// Why a request that claims to come from a node is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The header has another form. A node of another version may have sent it.
    #[error("the header eio-forwarding has another form: expected that of version 1, once")]
    Malformed,
    /// The time is too far from that of this node: an old request was repeated, or the clocks of the two nodes differ.
    #[error("it is {0} ms away from the clock of this node: expected less than the window")]
    Expired(u64),
    /// The code is wrong: the nodes have different secrets, the request was changed on its way, or a client has forged it.
    #[error("its code is wrong: expected one by the secret of this node")]
    WrongCode,
    /// The same request came before.
    #[error("it came before")]
    Replayed,
    /// The last element of the header `Forwarded` is not that of the node.
    #[error("the last element of the header forwarded is not that of the node")]
    NotForwarded,
}

/// What is sealed of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed<'r> {
    pub(super) method: &'r str,
    /// The path with the query.
    pub(super) path: &'r str,
    /// The element of the header `Forwarded`.
    pub(super) element: &'r str,
}

/// An answer does not show that it comes from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotProven;

/// Seals what this node sends to others.
#[derive(Debug)]
pub(super) struct Sealer {
    pub(super) secret: Secret,
    pub(super) node: String,
}

impl Sealer {
    /// Returns the value of the header, and the code in it.
    pub(super) fn seal(&self, request: Sealed<'_>, now: u64, random: u64) -> (String, String) {
        let front = format!("{VERSION} {} {now} {random:016x}", self.node);
        let code = self.secret.code(&text(&front, request));
        (format!("{front} {code}"), code)
    }

    /// Returns the header of an answer to the request with this code.
    pub(super) fn answer(&self, code: &str, status: StatusCode, silence: Option<Duration>) -> String {
        let front = format!("{VERSION} {}", silence.unwrap_or_default().as_millis());
        let proof = self.secret.code(&answer_text(&front, code, status));
        format!("{front} {proof}")
    }

    /// Checks the header of an answer. Returns how long the session may be silent, if the node knows that.
    pub(super) fn check_answer(
        &self,
        headers: &HeaderMap,
        code: &str,
        status: StatusCode,
    ) -> Result<Option<Duration>, NotProven> {
        let value = headers.get(ANSWER).and_then(|value| value.to_str().ok()).ok_or(NotProven)?;
        let (front, proof) = value.rsplit_once(' ').ok_or(NotProven)?;
        if !self.secret.verify(&answer_text(front, code, status), proof) {
            return Err(NotProven);
        }
        let millis = front.split_once(' ').and_then(|(_, millis)| millis.parse().ok()).ok_or(NotProven)?;
        Ok((millis > 0).then(|| Duration::from_millis(millis)))
    }
}

/// Checks what claims to come from other nodes.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) window: Duration,
    seen: Mutex<Seen>,
}

/// A request of a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// The address of the client, if the node knew it.
    pub(super) client: Option<SocketAddr>,
    /// The code, by which the answer shows that it is one.
    pub(super) code: String,
}

impl Checker {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, seen: Mutex::default() }
    }

    /// Checks a request. Takes its header away, and the element of the node from `Forwarded`.
    pub(super) fn check(
        &self,
        secret: &Secret,
        (method, path): (&str, &str),
        headers: &mut HeaderMap,
        now: u64,
    ) -> Result<Checked, SealError> {
        let mut values = headers.get_all(REQUEST).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(SealError::Malformed) };
        let value = value.to_str().map_err(|_| SealError::Malformed)?.to_owned();
        headers.remove(REQUEST);
        let (front, code) = value.rsplit_once(' ').ok_or(SealError::Malformed)?;
        let &[VERSION, node, time, random] = front.split(' ').collect::<Vec<_>>().as_slice() else {
            return Err(SealError::Malformed);
        };
        let time: u64 = time.parse().map_err(|_| SealError::Malformed)?;
        let random = u64::from_str_radix(random, 16).map_err(|_| SealError::Malformed)?;
        let element = take_element(headers).ok_or(SealError::NotForwarded)?;
        if !secret.verify(&text(front, Sealed { method, path, element: &element }), code) {
            return Err(SealError::WrongCode);
        }
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        let distance = now.abs_diff(time);
        if distance > window {
            return Err(SealError::Expired(distance));
        }
        // A request is fit for the window on both sides of its time. Its number is random, so it is told from all others.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.note(random, now, window.saturating_mul(2)) {
            return Err(SealError::Replayed);
        }
        let client = client_of(&element, node)?;
        Ok(Checked { client, code: code.to_owned() })
    }
}

/// Returns the element of `Forwarded` (RFC 7239) by which a node names the client.
pub(super) fn element(client: Option<SocketAddr>, node: &str) -> String {
    match client {
        Some(client) => format!("for=\"{client}\";by=_{node}"),
        None => format!("for=unknown;by=_{node}"),
    }
}

/// Adds an element to `Forwarded`.
pub(super) fn add_element(headers: &mut HeaderMap, element: &str) -> Option<()> {
    headers.append(header::FORWARDED, HeaderValue::from_str(element).ok()?);
    Some(())
}

/// Takes the last element from `Forwarded`. A proxy between the nodes may have put all into one line.
fn take_element(headers: &mut HeaderMap) -> Option<String> {
    let mut lines: Vec<_> = headers.get_all(header::FORWARDED).iter().cloned().collect();
    let last = lines.pop()?;
    let last = last.to_str().ok()?;
    // The element of a node has no comma.
    let (before, element) = match last.rsplit_once(',') {
        Some((before, element)) => (Some(before), element),
        None => (None, last),
    };
    headers.remove(header::FORWARDED);
    lines.extend(before.and_then(|before| HeaderValue::from_str(before).ok()));
    for line in lines {
        headers.append(header::FORWARDED, line);
    }
    Some(element.trim().to_owned())
}

/// Returns the client that an element of this node names, or `None` if the node did not know it.
fn client_of(element: &str, node: &str) -> Result<Option<SocketAddr>, SealError> {
    let element = element.strip_suffix(node).and_then(|element| element.strip_suffix(";by=_"));
    let client = element.and_then(|element| element.strip_prefix("for=")).ok_or(SealError::NotForwarded)?;
    if client == "unknown" {
        return Ok(None);
    }
    client.trim_matches('"').parse().map(Some).map_err(|_| SealError::NotForwarded)
}

/// The text of which a request has the code. No part of it can have a line feed.
fn text(front: &str, Sealed { method, path, element }: Sealed<'_>) -> String {
    format!("eio request\n{front}\n{method}\n{path}\n{element}")
}

/// The text of which an answer has the code.
fn answer_text(front: &str, code: &str, status: StatusCode) -> String {
    format!("eio answer\n{front}\n{code}\n{}", status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/engine.io/?EIO=4&transport=polling&sid=b2xxxxxxxxxxxxxxxxxx";

    fn secret(byte: u8) -> Secret {
        Secret::new([byte; 16]).unwrap()
    }

    fn checker() -> Checker {
        Checker::new(Duration::from_secs(30))
    }

    /// The headers of a request from node a7, at time 1,000,000.
    fn sealed(client: Option<&str>) -> HeaderMap {
        let element = element(client.map(|client| client.parse().unwrap()), "a7");
        let sealer = Sealer { secret: secret(1), node: "a7".to_owned() };
        let (value, _) =
            sealer.seal(Sealed { method: "GET", path: PATH, element: &element }, 1_000_000, 0xfeed);
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST, value.parse().unwrap());
        add_element(&mut headers, &element).unwrap();
        headers
    }

    fn check(checker: &Checker, mut headers: HeaderMap, now: u64) -> Result<Checked, SealError> {
        checker.check(&secret(1), ("GET", PATH), &mut headers, now)
    }

    #[test]
    fn a_request_of_a_node_names_the_client_and_leaves_no_trace_of_the_node() {
        for client in [Some("203.0.113.7:49152"), Some("[2001:db8::7]:49152"), None] {
            let mut headers = sealed(client);
            // What a client or a proxy wrote stays, wherever a proxy between the nodes has put it.
            headers.insert(header::FORWARDED, "for=6.6.6.6, for=10.0.0.1".parse().unwrap());
            let own = element(client.map(|client| client.parse().unwrap()), "a7");
            add_element(&mut headers, &own).unwrap();
            let mut merged = headers.clone();
            merged.insert(header::FORWARDED, format!("for=6.6.6.6, for=10.0.0.1, {own}").parse().unwrap());
            for mut headers in [headers, merged] {
                let checked = checker().check(&secret(1), ("GET", PATH), &mut headers, 1_000_000).unwrap();
                assert_eq!(checked.client, client.map(|client| client.parse().unwrap()));
                assert_eq!(headers.len(), 1);
                assert_eq!(headers[header::FORWARDED], "for=6.6.6.6, for=10.0.0.1");
            }
        }
    }

    #[test]
    fn what_was_changed_forged_or_repeated_is_refused() {
        let fresh = || sealed(Some("203.0.113.7:1"));
        assert!(check(&checker(), fresh(), 1_000_000).is_ok());
        let with = |mut headers: HeaderMap, name: HeaderName, value: &str| {
            headers.insert(name, value.parse().unwrap());
            check(&checker(), headers, 1_000_000)
        };
        let forwarded = |value| with(fresh(), header::FORWARDED, value);
        assert_eq!(forwarded("for=\"6.6.6.6:1\";by=_a7"), Err(SealError::WrongCode));
        assert_eq!(forwarded("for=\"203.0.113.7:1\";by=_b2"), Err(SealError::WrongCode));
        let mut without = fresh();
        without.remove(header::FORWARDED);
        assert_eq!(check(&checker(), without, 1_000_000), Err(SealError::NotForwarded));

        let mut other = fresh();
        let path = PATH.replace("b2xx", "b2xy");
        for (method, path) in [("GET", path.as_str()), ("POST", PATH)] {
            let checked = checker().check(&secret(1), (method, path), &mut other.clone(), 1_000_000);
            assert_eq!(checked, Err(SealError::WrongCode));
        }
        let checked = checker().check(&secret(2), ("GET", PATH), &mut other, 1_000_000);
        assert_eq!(checked, Err(SealError::WrongCode));

        let value = fresh()[REQUEST].to_str().unwrap().to_owned();
        for (from, to) in [("1 a7", "1 b2"), ("1000000", "1000001"), ("feed", "beef")] {
            assert_eq!(with(fresh(), REQUEST, &value.replace(from, to)), Err(SealError::WrongCode));
        }
        for value in
            ["", "1", "2 a7 1000000 00 00", "1 a7 now 00 00", "1 a7 1 xx 00", &value.replace(' ', "  ")]
        {
            assert_eq!(with(fresh(), REQUEST, value), Err(SealError::Malformed), "{value:?}");
        }
        let mut twice = fresh();
        twice.append(REQUEST, value.parse().unwrap());
        assert_eq!(check(&checker(), twice, 1_000_000), Err(SealError::Malformed));
    }

    #[test]
    fn a_request_is_taken_once_and_within_the_window() {
        for now in [970_000, 1_030_000] {
            let checker = checker();
            assert!(check(&checker, sealed(None), now).is_ok());
            assert_eq!(check(&checker, sealed(None), 1_030_000), Err(SealError::Replayed));
        }
        for now in [0, 969_999, 1_030_001, u64::MAX] {
            let expired = SealError::Expired(now.abs_diff(1_000_000));
            assert_eq!(check(&checker(), sealed(None), now), Err(expired));
        }
    }

    #[test]
    fn an_answer_is_that_of_a_node_to_this_request() {
        let sealer = Sealer { secret: secret(1), node: "b2".to_owned() };
        let mut headers = HeaderMap::new();
        assert_eq!(sealer.check_answer(&headers, "code", StatusCode::OK), Err(NotProven));
        for silence in [None, Some(Duration::from_secs(45))] {
            let value = sealer.answer("code", StatusCode::OK, silence);
            headers.insert(ANSWER, value.parse().unwrap());
            assert_eq!(sealer.check_answer(&headers, "code", StatusCode::OK), Ok(silence));
            assert_eq!(sealer.check_answer(&headers, "edoc", StatusCode::OK), Err(NotProven));
            assert_eq!(sealer.check_answer(&headers, "code", StatusCode::NOT_FOUND), Err(NotProven));
            headers.insert(ANSWER, value.replacen("1 ", "1 9", 1).parse().unwrap());
            assert_eq!(sealer.check_answer(&headers, "code", StatusCode::OK), Err(NotProven));
        }
    }
}
