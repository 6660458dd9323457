//! What the server may tell the board.
//!
//! | Engine.IO text | Socket.IO event and arguments | |
//! |---|---|---|
//! | `lamp on`, `lamp off`, `lamp auto` | `lamp`, `"on"` .. | the lamp; `auto` blinks while connected |
//! | `every 500` | `every`, `500` | milliseconds between readings; 0 for none |
//! | `say ..` | `say`, any JSON | the board sends it back, as `said` |
//! | `upload 5000` | – | the board sends so many bytes |
//! | `upload text 5000` | – | the same as text |
//! | `stop` | `stop` | the board closes the session and stops |

use embassy_time::Duration;

use crate::lamp::Mode;

/// A command that needs nothing but itself; `say` has a text, and is read where it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Command {
    Lamp(Mode),
    Every(Option<Duration>),
    Upload { len: u32, text: bool },
    Stop,
}

impl Command {
    /// Reads the Engine.IO form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (verb, object) = text.split_once(' ').unwrap_or((text, ""));
        Self::read(verb, object)
    }

    /// Reads a verb and its object. Quotation marks around the object, which JSON wants, are none of its business.
    pub(crate) fn read(verb: &str, object: &str) -> Option<Self> {
        let object = object.trim_matches('"');
        match verb {
            "lamp" => Mode::parse(object).map(Self::Lamp),
            "every" => {
                let millis: u64 = object.parse().ok()?;
                Some(Self::Every((millis > 0).then(|| Duration::from_millis(millis))))
            }
            "upload" => {
                let (text, len) = object.strip_prefix("text ").map_or((false, object), |len| (true, len));
                Some(Self::Upload { len: len.parse().ok()?, text })
            }
            "stop" => Some(Self::Stop),
            _ => None,
        }
    }
}
