//! What `eio-legacy` shares with this crate. It is not part of the API: any version may change it, and `eio-legacy`
//! pins the exact version.

use core::time::Duration;

use crate::Instant;
use crate::detect::{self, Detection};
use crate::socketio::{Args, Event};

pub use crate::time::Clock;

/// JSON, checked and split into tokens without memory.
pub mod json {
    pub use crate::json::{
        Error, ErrorKind, Kind, Reader, Token, check_list, expect_end, raw_eq, skip_value, trim,
    };
}

/// Text in the caller's buffer, and decimal numbers.
pub mod text {
    pub use crate::text::{Decimal, Parts, read_decimal, split_once, write};
}

/// The old names of settings, and the generations that had them.
pub mod old {
    pub use crate::settings::names::OldKey;
    pub use crate::settings::old::{Generation, Measure, OldSetting, OldValues};
}

/// Whole milliseconds.
pub mod period {
    pub use crate::settings::{Unfit, whole_millis};
}

/// Returns `instant` plus `millis` milliseconds, or the last possible instant.
#[must_use]
pub const fn add_millis(instant: Instant, millis: u32) -> Instant {
    instant.add_millis(millis)
}

/// Returns the worst cases of a session. `shortest` and `longest` bound the time from the peer's death to the end.
#[must_use]
pub const fn detection(
    after_heartbeat: Option<Duration>,
    longest: Duration,
    shortest: Duration,
) -> Detection {
    detect::bounds(after_heartbeat, longest, shortest)
}

/// Does what `Duration::saturating_add` does, without a panic in the image.
#[must_use]
pub const fn sum(a: Duration, b: Duration) -> Duration {
    detect::sum(a, b)
}

/// Does what `Duration::saturating_sub` does, without a panic in the image.
#[must_use]
pub const fn difference(a: Duration, b: Duration) -> Duration {
    detect::difference(a, b)
}

/// Creates an event with a plain name. `args` must come from [`args`].
#[must_use]
pub const fn event<'a>(name: &'a str, args: Args<'a>) -> Event<'a> {
    Event::new(name, args)
}

/// Creates an event from the text of a packet. Returns `None` if `name` cannot be a name.
#[must_use]
pub fn event_from_json<'a>(name: json::Token<'a>, args: Args<'a>) -> Option<Event<'a>> {
    Event::from_json(name, args)
}

/// Passes the name of an event to `put` as a JSON value.
pub fn put_event_name(event: &Event<'_>, put: &mut dyn FnMut(&str)) {
    event.put_name(put);
}

/// Creates arguments from text that is known to be a valid list of values.
#[must_use]
pub fn args(list: &str) -> Args<'_> {
    Args::new(list)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;

    use super::*;

    #[test]
    fn times_are_added_and_subtracted() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(3));
        assert_eq!(add_millis(Instant::from_micros(1), 2), Instant::from_micros(2_001));
        assert_eq!(
            (sum(long, short), difference(long, short)),
            (Duration::from_secs(4), Duration::from_secs(2))
        );
    }

    #[test]
    fn an_event_is_made_of_the_text_of_its_name_and_of_its_arguments() {
        let read = |name| event_from_json(json::Reader::new(name, 0, 0).next().unwrap(), args(" 1,2 "));
        let event = read(r#""a\nb""#).unwrap();
        let mut name = String::new();
        put_event_name(&event, &mut |part| name.push_str(part));
        assert_eq!((name.as_str(), event.args().as_str()), (r#""a\nb""#, "1,2"));
        assert_eq!(read("null"), None);
    }
}
