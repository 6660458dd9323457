//! The bandwidth of a link.

use core::fmt;
use core::str::FromStr;

/// A bandwidth in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bandwidth(u64);

impl Bandwidth {
    /// A radio modem, a phone at the edge of its cell, DSL upstream, and Wi-Fi.
    pub(crate) const TYPICAL: [Self; 4] = [Self(9_600), Self(64_000), Self(1_000_000), Self(50_000_000)];

    pub(crate) const fn bits_per_second(self) -> u64 {
        self.0
    }

    pub(crate) const fn bytes_per_second(self) -> u64 {
        self.0 / 8
    }
}

impl FromStr for Bandwidth {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected bits per second, such as 9600, 64k or 1.5M";
        let number = text.trim_end_matches(['k', 'K', 'M', 'G']);
        let factor = match text.get(number.len()..) {
            Some("") => 1.0,
            Some("k" | "K") => 1e3,
            Some("M") => 1e6,
            Some("G") => 1e9,
            _ => return Err(EXPECTED),
        };
        let bits = number.parse::<f64>().map_err(|_| EXPECTED)? * factor;
        if !(8.0..=1e15).contains(&bits) {
            return Err(EXPECTED);
        }
        // 4.1 times a million is a little less than 4,100,000.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within bounds, just above"
        )]
        Ok(Self(bits.round() as u64))
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "for reading")]
        let bits = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{bits} bit/s"),
            1_000..1_000_000 => write!(f, "{} kbit/s", bits / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{} Mbit/s", bits / 1e6),
            _ => write!(f, "{} Gbit/s", bits / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_thousands() {
        for (text, bytes, shown) in [
            ("9600", 1_200, "9.6 kbit/s"),
            ("64k", 8_000, "64 kbit/s"),
            ("1.5M", 187_500, "1.5 Mbit/s"),
            ("4.1M", 512_500, "4.1 Mbit/s"),
            ("8.2M", 1_025_000, "8.2 Mbit/s"),
            ("10G", 1_250_000_000, "10 Gbit/s"),
        ] {
            let link: Bandwidth = text.parse().unwrap();
            assert_eq!((link.bytes_per_second(), link.to_string().as_str()), (bytes, shown));
        }
        for text in ["", "k", "0", "-5k", "64kk", "64x", "inf", "NaN", "1e30"] {
            assert!(text.parse::<Bandwidth>().is_err(), "{text}");
        }
    }
}
