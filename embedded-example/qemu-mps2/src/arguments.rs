//! The firmware's command line, which QEMU hands over by semihosting: words of the form `name=value`.

use heapless::String;
use static_cell::StaticCell;

/// The longest command line.
const LONGEST: usize = 256;

/// The command line.
#[derive(Debug)]
pub struct Arguments {
    line: String<LONGEST>,
}

impl Arguments {
    /// Reads it. Without semihosting, or when it is too long, there are none.
    pub fn read() -> &'static Self {
        static ARGUMENTS: StaticCell<Arguments> = StaticCell::new();
        let mut line = String::new();
        if let Ok(words) = semihosting::experimental::env::args::<LONGEST>() {
            // The first is the image's name.
            for word in (&words).skip(1).map_while(Result::ok) {
                if line.push_str(word).and_then(|()| line.push(' ')).is_err() {
                    defmt::warn!(
                        "the command line is too long: what follows {=str} is ignored",
                        line.as_str()
                    );
                    break;
                }
            }
        }
        ARGUMENTS.init(Self { line })
    }

    /// The value after `name=`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The same as a number.
    #[must_use]
    pub fn number<N: core::str::FromStr>(&self, name: &str) -> Option<N> {
        self.text(name)?.parse().ok()
    }
}
