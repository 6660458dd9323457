//! What a client that comes back says about the session before.

use crate::args::RawArgs;
use crate::server::recovery::trail::Pid;
use crate::value::Value;

/// What a client that comes back says about the session before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) pid: String,
    pub(crate) offset: Option<String>,
}

impl Before {
    /// Takes it out of the data of a request to join: the client's library has put it there, beside what its application has
    /// passed. Where nothing else is, the application has passed nothing.
    pub(crate) fn take_from(auth: RawArgs) -> (RawArgs, Option<Self>) {
        match auth.first() {
            Ok(Value::Object(mut object)) => {
                let pid = object.get("pid").and_then(Value::as_str).filter(|pid| Pid::parse(pid).is_some());
                let Some(pid) = pid.map(str::to_owned) else { return (auth, None) };
                let offset = object.get("offset").and_then(Value::as_str).map(str::to_owned);
                object.shift_remove("pid");
                if offset.is_some() {
                    object.shift_remove("offset");
                }
                let rest =
                    if object.is_empty() { Ok(RawArgs::none()) } else { RawArgs::new(Value::Object(object)) };
                (rest.unwrap_or(auth), Some(Self { pid, offset }))
            }
            _ => (auth, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Args;

    const PID: &str = "aaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn the_application_sees_what_the_application_of_the_client_has_passed() {
        for (sent, seen, offset) in [
            (json!([{ "pid": PID }]), json!([]), Some(None)),
            (json!([{ "pid": PID, "offset": "o" }]), json!([]), Some(Some("o"))),
            (json!([{ "pid": PID, "offset": "o", "token": 1 }]), json!([{ "token": 1 }]), Some(Some("o"))),
            (json!([{ "pid": PID, "offset": 7 }]), json!([{ "offset": 7 }]), Some(None)),
            (json!([{ "pid": "mine", "offset": "o" }]), json!([{ "pid": "mine", "offset": "o" }]), None),
            (json!([{ "pid": 1 }]), json!([{ "pid": 1 }]), None),
            (json!([{ "offset": "o" }]), json!([{ "offset": "o" }]), None),
            (json!([{}]), json!([{}]), None),
            (json!([[PID]]), json!([[PID]]), None),
            (json!([PID]), json!([PID]), None),
            (json!([]), json!([]), None),
        ] {
            let text = RawArgs::new(Args(&sent)).unwrap();
            let values = RawArgs::from_values(text.values().unwrap());
            for form in [text, values] {
                let (rest, before) = Before::take_from(form);
                assert_eq!(rest.all::<serde_json::Value>().unwrap(), seen, "{sent}");
                let expected = offset
                    .map(|offset: Option<&str>| Before { pid: PID.into(), offset: offset.map(Into::into) });
                assert_eq!(before, expected, "{sent}");
            }
        }
    }
}
