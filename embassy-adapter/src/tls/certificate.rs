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
