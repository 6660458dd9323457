//! The node whose session a request names.

use core::str::FromStr as _;

use eio_tokio::SessionId;
use http::Uri;

/// Returns the node whose session a request names, if it names exactly one session and that of another node than `own`.
pub(super) fn of_another_node(uri: &Uri, own: &str) -> Option<String> {
    let mut named = form_urlencoded::parse(uri.query()?.as_bytes()).filter(|(name, _)| name == "sid");
    let (Some((_, sid)), None) = (named.next(), named.next()) else { return None };
    SessionId::from_str(&sid).ok()?;
    let node = sid.get(..own.len())?;
    (node != own).then(|| node.to_owned())
}

/// Returns the identifier of the session that a request names.
pub(super) fn sid_of(uri: &Uri) -> Option<String> {
    let mut query = form_urlencoded::parse(uri.query()?.as_bytes());
    query.find(|(name, _)| name == "sid").map(|(_, sid)| sid.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_the_node_with_whose_name_its_sid_begins() {
        let node = |query: &str| {
            let uri = format!("/engine.io/?EIO=4{query}").parse().unwrap();
            of_another_node(&uri, "a7")
        };
        assert_eq!(node("&sid=b2345678901234567890").as_deref(), Some("b2"));
        assert_eq!(node("&sid=%622345678901234567890").as_deref(), Some("b2"));
        for own in [
            "",
            "&sid=",
            "&sid=a7345678901234567890",
            // No node has given such identifiers.
            "&sid=b2",
            "&sid=b2/45678901234567890",
            "&sid=%C3%A9345678901234567890",
            // The server refuses this, and two servers must not read it differently.
            "&sid=b2345678901234567890&sid=c3345678901234567890",
        ] {
            assert_eq!(node(own), None, "{own}");
        }
        assert_eq!(of_another_node(&"/engine.io/".parse().unwrap(), "a7"), None);
    }
}
