//! The fields of a packed head.
//!
//! A number takes one byte for each seven of its bits. A text follows its length. A header begins with the place of its
//! name among those that most clients send, or with zero and the name itself.

use http::header::{self, HeaderName, HeaderValue};

/// The names of headers that browsers, libraries and proxies send with most requests. Their order is that of the packed
/// numbers, and those that each WebSocket request has come first.
static KNOWN: [HeaderName; 40] = [
    header::HOST,
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::USER_AGENT,
    header::ORIGIN,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::COOKIE,
    header::ACCEPT,
    header::REFERER,
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::DNT,
    header::FORWARDED,
    header::VIA,
    header::TE,
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-storage-access"),
    HeaderName::from_static("sec-ch-ua"),
    HeaderName::from_static("sec-ch-ua-mobile"),
    HeaderName::from_static("sec-ch-ua-platform"),
    HeaderName::from_static("sec-gpc"),
    HeaderName::from_static("priority"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-requested-with"),
    HeaderName::from_static("traceparent"),
];

/// Packs fields one after the other.
pub(super) struct Packer(Vec<u8>);

impl Packer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(super) fn put_number(&mut self, mut number: usize) {
        while number > 0x7f {
            self.0.push(low_bits(number) | 0x80);
            number >>= 7;
        }
        self.0.push(low_bits(number));
    }

    pub(super) fn put(&mut self, field: &[u8]) {
        self.put_number(field.len());
        self.0.extend_from_slice(field);
    }

    pub(super) fn put_header(&mut self, name: &HeaderName, value: &HeaderValue) {
        if let Some(place) = KNOWN.iter().position(|known| known == name) {
            self.put_number(place + 1);
        } else {
            self.put_number(0);
            self.put(name.as_str().as_bytes());
        }
        // Whether the value is sensitive takes the lowest bit of its length.
        self.put_number(value.len() << 1 | usize::from(value.is_sensitive()));
        self.0.extend_from_slice(value.as_bytes());
    }

    /// Returns the fields in an allocation of their size.
    pub(super) fn finish(self) -> Box<[u8]> {
        self.0.as_slice().into()
    }
}

/// Returns the lowest seven bits.
fn low_bits(number: usize) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// Takes packed fields out again, in the same order.
pub(super) struct Unpacker<'p>(&'p [u8]);

impl<'p> Unpacker<'p> {
    pub(super) fn new(packed: &'p [u8]) -> Self {
        Self(packed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take_number(&mut self) -> usize {
        let mut number = 0;
        let mut shift = 0;
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 {
                break;
            }
        }
        number
    }

    pub(super) fn take(&mut self) -> &'p [u8] {
        let len = self.take_number();
        self.take_bytes(len)
    }

    fn take_bytes(&mut self, len: usize) -> &'p [u8] {
        let (field, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        field
    }

    pub(super) fn take_header(&mut self) -> Option<(HeaderName, HeaderValue)> {
        let name = match self.take_number().checked_sub(1) {
            Some(place) => KNOWN.get(place).cloned(),
            None => HeaderName::from_bytes(self.take()).ok(),
        };
        let len_and_flag = self.take_number();
        let mut value = HeaderValue::from_bytes(self.take_bytes(len_and_flag >> 1)).ok()?;
        value.set_sensitive(len_and_flag & 1 != 0);
        Some((name?, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_fields_of_every_size_come_out_as_they_were() {
        let numbers = [0, 1, 127, 128, 300, 16_383, 16_384, 65_535, 1 << 20];
        let mut packer = Packer::with_capacity(0);
        for number in numbers {
            packer.put_number(number);
        }
        packer.put(&[7; 200]);
        packer.put(b"");
        let bytes = packer.finish();
        let mut fields = Unpacker::new(&bytes);
        assert_eq!(numbers.map(|_| fields.take_number()), numbers);
        assert_eq!(fields.take(), [7; 200]);
        assert_eq!(fields.take(), b"");
        assert!(fields.is_empty());
    }

    #[test]
    fn a_name_that_most_clients_send_takes_one_byte() {
        for name in &KNOWN {
            let mut packer = Packer::with_capacity(0);
            packer.put_header(name, &HeaderValue::from_static("a"));
            let bytes = packer.finish();
            assert_eq!(bytes.len(), 3, "{name}");
            assert_eq!(
                Unpacker::new(&bytes).take_header(),
                Some((name.clone(), HeaderValue::from_static("a")))
            );
        }
    }
}
