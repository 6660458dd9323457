//! Ranges of addresses.

use core::net::IpAddr;
use core::str::FromStr;

/// A range of addresses with a common prefix, `10.0.0.0/8` or `2001:db8::/32`, or a single address, `::1`.
///
/// An IPv4-mapped IPv6 range is the IPv4 range: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Never an IPv4-mapped address.
    address: IpAddr,
    prefix: u8,
}

/// An error for text that is neither an IP address nor a network, or is a network in which IPv4-mapped addresses have a prefix
/// below 96.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is invalid: expected an IP address or a network such as 10.0.0.0/8")]
#[non_exhaustive]
pub struct InvalidNetwork(pub String);

/// The length of the prefix that IPv4-mapped addresses share (RFC 4291 section 2.5.5.2).
const MAPPED: u8 = 96;

impl Network {
    /// Returns whether the network contains `address`. An IPv4-mapped IPv6 address counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| invalid());
        };
        let written: IpAddr = address.parse().map_err(|_| invalid())?;
        let longest = if written.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.parse().ok().filter(|prefix: &u8| *prefix <= longest).ok_or_else(invalid)?;
        let address = written.to_canonical();
        let mapped_by = if address == written { 0 } else { MAPPED };
        Ok(Self { address, prefix: prefix.checked_sub(mapped_by).ok_or_else(invalid)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_strictly() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(contains("192.0.2.128/25", "192.0.2.200"));
        assert!(!contains("192.0.2.128/25", "192.0.2.100"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("::/0", "8.8.8.8"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(contains("::ffff:0:0/96", "::ffff:8.8.8.8"));
        assert!(!contains("::ffff:10.0.0.0/104", "11.0.0.0"));
        assert_eq!("::ffff:10.0.0.0/104".parse::<Network>(), "10.0.0.0/8".parse());
        for text in [
            "::ffff:10.0.0.0/95",
            "::ffff:10.0.0.0/8",
            "",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "::/129",
            "10.0.0",
            "10.0.0.0/",
            "a/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork(text.to_owned())));
        }
    }
}
