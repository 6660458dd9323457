//! The commands that the server can send to the board.
//!
//! | Engine.IO text | Socket.IO event and arguments | effect |
//! |---|---|---|
//! | `lamp on`, `lamp off`, `lamp auto` | `lamp`, `"on"` .. | switches the lamp; `auto` blinks while connected |
//! | `every 500` | `every`, `500` | sets the milliseconds between readings; 0 stops them |
//! | `say ..` | `say`, any JSON | sends it back, as text or as the event `said` |
//! | `upload 5000` | `upload`, `600` | sends a binary message of that many bytes, or the event `uploaded` with an attachment of at most 600 |
//! | `upload text 5000` | – | sends a text of that many bytes |
//! | `stop` | `stop` | closes the session and stops |

use embassy_time::Duration;

use crate::lamp::Mode;

/// A command without borrowed text. `say` carries a text, so it is handled where it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Command {
    Lamp(Mode),
    Every(Option<Duration>),
    Upload { len: u32, text: bool },
    Stop,
}

impl Command {
    /// Parses the Engine.IO form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (verb, object) = text.split_once(' ').unwrap_or((text, ""));
        Self::read(verb, object)
    }

    /// Parses a verb and its object. Ignores quotation marks around the object, which JSON adds.
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
