//! The firmware's command line: words of the form `name=value`, which QEMU passes by semihosting.

use heapless::String;
use static_cell::StaticCell;

/// The length of the longest command line.
const LONGEST: usize = 512;

/// The command line.
#[derive(Debug)]
pub struct Arguments {
    line: String<LONGEST>,
}

impl Arguments {
    /// Reads the command line. Without semihosting, or if the line is too long for it, there are no arguments.
    pub fn read() -> &'static Self {
        static ARGUMENTS: StaticCell<Arguments> = StaticCell::new();
        let mut line = String::new();
        if let Ok(words) = semihosting::experimental::env::args::<LONGEST>() {
            // The first word is the image's name.
            for word in (&words).skip(1).map_while(Result::ok) {
                if line.push_str(word).and_then(|()| line.push(' ')).is_err() {
                    defmt::warn!(
                        "the command line is too long: the words after {=str} are ignored",
                        line.as_str()
                    );
                    break;
                }
            }
        }
        ARGUMENTS.init(Self { line })
    }

    /// Returns the value after `name=`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns the value after `name=` as a number.
    #[must_use]
    pub fn number<N: core::str::FromStr>(&self, name: &str) -> Option<N> {
        self.text(name)?.parse().ok()
    }
}
