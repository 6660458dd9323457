//! What the suite is expected to find: `OK`, except where this list says otherwise, and why.

use serde_json::{Value, json};

/// What the suite says of a case: about the messages, and about the closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict<'v> {
    pub(crate) behavior: &'v str,
    pub(crate) close: &'v str,
}

const OK: Verdict<'_> = Verdict { behavior: "OK", close: "OK" };
const NON_STRICT: Verdict<'_> = Verdict { behavior: "NON-STRICT", close: "OK" };
const INFORMATIONAL: Verdict<'_> = Verdict { behavior: "INFORMATIONAL", close: "INFORMATIONAL" };
const FAILED: Verdict<'_> = Verdict { behavior: "FAILED", close: "OK" };

/// The number of cases in each group, so that none disappears unnoticed. 9 is about size and speed: `cargo xtask prove
/// autobahn-limits` plays it. 12 and 13 are about permessage-deflate, which we do not offer.
pub(crate) fn check_suite(groups: &Value) {
    let known = json!({
        "1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1, "12": 90, "13": 126
    });
    assert_eq!(groups, &known, "the suite has other cases than those that are known");
}

/// Cases whose verdict is not, or not always, `OK`.
struct Exception {
    /// What the names of the peers begin with.
    peers: &'static [&'static str],
    cases: &'static [&'static str],
    verdicts: &'static [Verdict<'static>],
    /// What the peer must have said last, if that matters.
    last: Option<&'static str>,
    why: &'static str,
}

/// The adapters, which read many frames at once and hand messages to an application.
const ADAPTERS: &[&str] = &["tokio", "board"];

const EXCEPTIONS: &[Exception] = &[
    Exception {
        peers: &[""],
        cases: &["7.1.6", "7.13.1", "7.13.2"],
        verdicts: &[INFORMATIONAL],
        last: None,
        why: "the suite has no other verdict where RFC 6455 leaves the behaviour open",
    },
    Exception {
        peers: ADAPTERS,
        cases: &["2.10", "2.11"],
        verdicts: &[OK, FAILED],
        last: Some("('pong', 'payload-9')"),
        why: "of several pings that wait, only the latest is answered (RFC 6455 section 5.5.3: an endpoint MAY); the suite \
              wants ten pongs, and says itself that the RFC does not",
    },
    Exception {
        peers: ADAPTERS,
        cases: &["3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"],
        verdicts: &[OK, NON_STRICT],
        last: None,
        why: "a message and a broken frame come in one read: the connection fails before the application has answered",
    },
    Exception {
        peers: &["board that checks late"],
        cases: &["6.4.1", "6.4.2", "6.4.3", "6.4.4"],
        verdicts: &[NON_STRICT],
        last: None,
        why: "the firmware has chosen to check text when the message is complete, and has less code for it",
    },
];

/// Compares a verdict with what is expected of this peer in this case. `last` is what the peer said last.
///
/// # Errors
/// What is expected, and why.
pub(crate) fn check(peer: &str, number: &str, verdict: Verdict<'_>, last: &str) -> Result<(), String> {
    let applies = |exception: &&Exception| {
        exception.cases.contains(&number) && exception.peers.iter().any(|name| peer.starts_with(name))
    };
    match EXCEPTIONS.iter().find(applies) {
        None if verdict == OK => Ok(()),
        None => Err("OK".to_owned()),
        Some(exception) => {
            let said = exception.last.is_none_or(|expected| last == expected);
            let Exception { verdicts, why, .. } = exception;
            if verdicts.contains(&verdict) && said {
                Ok(())
            } else {
                Err(format!("one of {verdicts:?} and last {:?}, because {why}", exception.last))
            }
        }
    }
}
