//! The page: one document with its style and its script.

use http::{HeaderValue, Response, StatusCode, header};

use super::{Body, full, guarded, text};

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// The parts of the script. Each can use what the others declare; the last one asks for the data.
const SCRIPT: [&str; 7] = [
    include_str!("shared.js"),
    include_str!("words.js"),
    include_str!("graphs.js"),
    include_str!("sessions.js"),
    include_str!("namespaces.js"),
    include_str!("nodes.js"),
    include_str!("page.js"),
];

/// Marks the places of a number that is different in every answer. The browser runs only the script that carries it.
const NONCE: &str = "{nonce}";

/// Returns the page, with a policy that allows its own style and script and nothing else.
pub(super) fn page() -> Response<Body> {
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the system has no random numbers\n".to_owned());
    }
    let nonce = format!("{:032x}", u128::from_ne_bytes(random));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let mut response = guarded(Response::new(full(document(&nonce))), "text/html; charset=utf-8");
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn document(nonce: &str) -> String {
    DOCUMENT.replace(NONCE, nonce).replacen("{style}", STYLE, 1).replacen("{script}", &SCRIPT.concat(), 1)
}

#[cfg(test)]
mod tests {
    use eio_core::DisconnectReason;
    use eio_core::packet::DecodeErrorKind;

    use super::*;

    /// It is one answer, and loads nothing else.
    #[test]
    fn the_page_has_at_most_60_kb() {
        let bytes = document("0123").len();
        assert!(bytes <= 60_000, "{bytes} bytes");
    }

    #[test]
    fn every_reason_of_a_servers_session_has_a_colour_and_an_explanation() {
        let page = document("0123");
        let reasons = [
            DisconnectReason::LocalClose,
            DisconnectReason::PeerClose,
            DisconnectReason::TransportError,
            DisconnectReason::PingTimeout,
            DisconnectReason::ParseError(DecodeErrorKind::Empty),
            DisconnectReason::ApplicationStalled,
        ];
        for reason in reasons.map(DisconnectReason::as_str) {
            let id = reason.replace(' ', "-");
            let parts = [format!("\n.end-{id} {{"), format!("id=\"word-{id}\""), format!("\"{reason}\"")];
            for part in parts {
                assert!(page.contains(&part), "{part}");
            }
        }
    }

    #[test]
    fn the_page_has_its_nonce_twice_and_loads_nothing_from_elsewhere() {
        let page = document("0123");
        assert_eq!(page.matches("nonce=\"0123\"").count(), 2);
        assert!(page.contains("\nbody {") && page.contains("\"use strict\""));
        for outside in
            ["https://", "http://", "src=", "innerHTML", "style=\"", "onclick=\"", "{style}", "{script}"]
        {
            let allowed =
                page.matches("http://www.w3.org/2000/svg").count() * usize::from(outside == "http://");
            assert_eq!(page.matches(outside).count(), allowed, "{outside}");
        }
    }
}
