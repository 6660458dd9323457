//! Certificates as RFC 5280, section 4.1, lays them out.

use der::{AnyRef, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use super::{Field, Refusal};

/// Returns the `SubjectPublicKeyInfo` of a certificate, with its tag and length.
///
/// Reads the fields before it for their lengths, and nothing behind it.
pub(super) fn public_key_info(certificate: &[u8]) -> Result<&[u8], Refusal> {
    let mut outer = reader(certificate, Field::Certificate)?;
    let whole = element(&mut outer, Tag::Sequence, Field::Certificate)?;
    if !outer.is_finished() {
        return Err(Refusal::Malformed(Field::Certificate));
    }
    let mut parts = reader(whole, Field::Certificate)?;
    let mut body = reader(element(&mut parts, Tag::Sequence, Field::TbsCertificate)?, Field::TbsCertificate)?;

    if body.peek_tag() == Ok(VERSION) {
        element(&mut body, VERSION, Field::Version)?;
    }
    element(&mut body, Tag::Integer, Field::SerialNumber)?;
    for field in [Field::Signature, Field::Issuer, Field::Validity, Field::Subject] {
        element(&mut body, Tag::Sequence, field)?;
    }
    body.tlv_bytes().map_err(|_| Refusal::Malformed(Field::SubjectPublicKeyInfo))
}

const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };

fn reader(bytes: &[u8], field: Field) -> Result<SliceReader<'_>, Refusal> {
    SliceReader::new(bytes).map_err(|_| Refusal::Malformed(field))
}

/// Reads the value that must come next, and returns its content.
fn element<'c>(reader: &mut SliceReader<'c>, tag: Tag, field: Field) -> Result<&'c [u8], Refusal> {
    match reader.decode::<AnyRef<'c>>() {
        Ok(value) if value.tag() == tag => Ok(value.value()),
        _ => Err(Refusal::Malformed(field)),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::tls::PublicKey;

    #[test]
    fn no_certificate_panics_and_none_that_is_cut_off_has_a_key() {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = [std::string::String::from("server.example")];
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let (der, info) = (certificate.der(), rcgen::PublicKeyData::subject_public_key_info(&key));
        assert_eq!(public_key_info(der), Ok(&info[..]));
        for len in 0..der.len() {
            assert!(public_key_info(&der[..len]).is_err(), "{len}");
        }
        let mut changed = der.to_vec();
        for position in 0..der.len() {
            for byte in 0..=u8::MAX {
                changed[position] = byte;
                // Also a length or a tag that is wrong ends in an error or in bytes that are there.
                let _ = public_key_info(&changed).map(PublicKey::from_der);
            }
            changed[position] = der[position];
        }
    }
}
