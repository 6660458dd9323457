//! What a certificate says about its use. RFC 5280, section 4.2.

use core::net::IpAddr;

use der::{AnyRef, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use super::certificate::{element, finished, reader};
use super::{Field, Refusal, ServerName};

/// The extensions that decide whether a certificate is the one of a server.
#[derive(Default)]
pub(super) struct Extensions<'c> {
    subject_alt_name: Option<&'c [u8]>,
    basic_constraints: Option<&'c [u8]>,
    key_usage: Option<&'c [u8]>,
    ext_key_usage: Option<&'c [u8]>,
}

impl<'c> Extensions<'c> {
    pub(super) fn read(mut list: SliceReader<'c>) -> Result<Self, Refusal> {
        let mut found = Self::default();
        while !list.is_finished() {
            let mut extension =
                reader(element(&mut list, Tag::Sequence, Field::Extensions)?, Field::Extensions)?;
            let name = element(&mut extension, Tag::ObjectIdentifier, Field::Extensions)?;
            let is_critical = extension.peek_tag() == Ok(Tag::Boolean)
                && element(&mut extension, Tag::Boolean, Field::Extensions)? != [0];
            let value = element(&mut extension, Tag::OctetString, Field::Extensions)?;
            finished(&extension, Field::Extensions)?;
            // 2.5.29 is the arc of all extensions of the standard.
            let place = match name {
                [0x55, 0x1d, 15] => &mut found.key_usage,
                [0x55, 0x1d, 17] => &mut found.subject_alt_name,
                [0x55, 0x1d, 19] => &mut found.basic_constraints,
                [0x55, 0x1d, 37] => &mut found.ext_key_usage,
                _ if is_critical => return Err(Refusal::CriticalExtension),
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Refusal::Malformed(Field::Extensions));
            }
        }
        Ok(found)
    }

    /// Checks that the certificate may be a server's in TLS.
    pub(super) fn allow_server(&self) -> Result<(), Refusal> {
        const SERVER_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 1];
        if let Some(value) = self.basic_constraints {
            let mut constraints = content(value, Tag::Sequence)?;
            let is_authority = constraints.peek_tag() == Ok(Tag::Boolean)
                && element(&mut constraints, Tag::Boolean, Field::Extensions)? != [0];
            if is_authority {
                return Err(Refusal::IsAuthority);
            }
        }
        if let Some(value) = self.key_usage {
            let mut outer = reader(value, Field::Extensions)?;
            let bits = element(&mut outer, Tag::BitString, Field::Extensions)?;
            // The first bit is digitalSignature; the byte before says how many bits at the end do not count.
            if bits.get(1).is_none_or(|first| first & 0x80 == 0) {
                return Err(Refusal::NotForServers);
            }
        }
        if let Some(value) = self.ext_key_usage {
            let mut purposes = content(value, Tag::Sequence)?;
            let mut is_for_servers = false;
            while !purposes.is_finished() {
                is_for_servers |=
                    element(&mut purposes, Tag::ObjectIdentifier, Field::Extensions)? == SERVER_AUTH;
            }
            if !is_for_servers {
                return Err(Refusal::NotForServers);
            }
        }
        Ok(())
    }

    /// Checks that the certificate has this name among its alternative names. The common name does not count
    /// (RFC 9525, section 2).
    pub(super) fn have_name(&self, server: ServerName<'_>) -> Result<(), Refusal> {
        let mut names = content(self.subject_alt_name.ok_or(Refusal::OtherName)?, Tag::Sequence)?;
        while !names.is_finished() {
            let Ok(name) = names.decode::<AnyRef<'_>>() else {
                return Err(Refusal::Malformed(Field::Extensions));
            };
            let is_same = match (name.tag(), server) {
                (DNS_NAME, ServerName::Dns(host)) => is_name_of(name.value(), host.as_bytes()),
                (IP_ADDRESS, ServerName::Ip(IpAddr::V4(address))) => name.value() == address.octets(),
                (IP_ADDRESS, ServerName::Ip(IpAddr::V6(address))) => name.value() == address.octets(),
                _ => false,
            };
            if is_same {
                return Ok(());
            }
        }
        Err(Refusal::OtherName)
    }
}

const DNS_NAME: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber::N2 };
const IP_ADDRESS: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber::N7 };

/// Returns the content of an extension that is one value of this kind.
fn content(value: &[u8], tag: Tag) -> Result<SliceReader<'_>, Refusal> {
    let mut outer = reader(value, Field::Extensions)?;
    let content = element(&mut outer, tag, Field::Extensions)?;
    finished(&outer, Field::Extensions)?;
    reader(content, Field::Extensions)
}

/// Compares a name of a certificate with the server's. A star may stand for the first label (RFC 9525, section 6.3).
fn is_name_of(name: &[u8], host: &[u8]) -> bool {
    match name {
        [b'*', domain @ ..] => {
            let label = host.iter().position(|&byte| byte == b'.');
            let rest = label.filter(|&len| len > 0).and_then(|len| host.get(len..));
            // Not for all names of a top-level domain.
            let has_two_labels = domain.iter().skip(1).any(|&byte| byte == b'.');
            has_two_labels && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(domain))
        }
        name => !name.is_empty() && name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_whole_label() {
        for (name, host) in [
            ("server.example", "server.example"),
            ("SERVER.example", "server.EXAMPLE"),
            ("*.farm.example", "a.farm.example"),
        ] {
            assert!(is_name_of(name.as_bytes(), host.as_bytes()), "{name} {host}");
        }
        for (name, host) in [
            ("", ""),
            ("server.example", "server.example.org"),
            ("server.example", "xserver.example"),
            ("*.farm.example", "a.b.farm.example"),
            ("*.farm.example", "farm.example"),
            ("*.farm.example", ".farm.example"),
            ("*.example", "server.example"),
            ("*", "example"),
            ("*", "server.example"),
            ("s*.farm.example", "server.farm.example"),
            ("server.example\0.org", "server.example"),
        ] {
            assert!(!is_name_of(name.as_bytes(), host.as_bytes()), "{name} {host}");
        }
    }
}
