//! Certificates as RFC 5280, section 4.1, lays them out.

use der::{AnyRef, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use super::{Field, Refusal};

/// A certificate's parts.
pub(super) struct Certificate<'c> {
    /// The signed part, with its tag and length.
    pub(super) tbs_certificate: &'c [u8],
    /// The signature and what follows it.
    rest: SliceReader<'c>,
}

/// The name of a signature's algorithm, and a signature by it.
pub(super) struct Signed<'c> {
    /// The algorithm, with its tag and length.
    pub(super) algorithm: &'c [u8],
    /// The signature's bytes.
    pub(super) signature: &'c [u8],
}

/// The signed part, up to the public key.
pub(super) struct Body<'c> {
    /// The name of the signature's algorithm, with its tag and length.
    pub(super) signature: &'c [u8],
    /// The content of the dates.
    pub(super) validity: &'c [u8],
    /// The public key, with its tag and length.
    pub(super) public_key_info: &'c [u8],
    /// What follows the public key.
    rest: SliceReader<'c>,
}

impl<'c> Certificate<'c> {
    pub(super) fn read(der: &'c [u8]) -> Result<Self, Refusal> {
        let mut outer = reader(der, Field::Certificate)?;
        let mut rest = reader(element(&mut outer, Tag::Sequence, Field::Certificate)?, Field::Certificate)?;
        finished(&outer, Field::Certificate)?;
        Ok(Self { tbs_certificate: whole(&mut rest, Field::TbsCertificate)?, rest })
    }

    pub(super) fn signed(mut self) -> Result<Signed<'c>, Refusal> {
        let algorithm = whole(&mut self.rest, Field::SignatureAlgorithm)?;
        let bits = element(&mut self.rest, Tag::BitString, Field::SignatureValue)?;
        finished(&self.rest, Field::SignatureValue)?;
        match bits {
            // No bit of the last byte is left out.
            [0, signature @ ..] => Ok(Signed { algorithm, signature }),
            _ => Err(Refusal::Malformed(Field::SignatureValue)),
        }
    }

    pub(super) fn body(&self) -> Result<Body<'c>, Refusal> {
        let mut tbs = reader(self.tbs_certificate, Field::TbsCertificate)?;
        let mut rest =
            reader(element(&mut tbs, Tag::Sequence, Field::TbsCertificate)?, Field::TbsCertificate)?;
        if rest.peek_tag() == Ok(context(TagNumber::N0)) {
            element(&mut rest, context(TagNumber::N0), Field::Version)?;
        }
        element(&mut rest, Tag::Integer, Field::SerialNumber)?;
        let signature = whole(&mut rest, Field::Signature)?;
        element(&mut rest, Tag::Sequence, Field::Issuer)?;
        let validity = element(&mut rest, Tag::Sequence, Field::Validity)?;
        element(&mut rest, Tag::Sequence, Field::Subject)?;
        let public_key_info = whole(&mut rest, Field::SubjectPublicKeyInfo)?;
        Ok(Body { signature, validity, public_key_info, rest })
    }
}

impl<'c> Body<'c> {
    /// Returns the list of extensions, which is empty if the certificate has none.
    pub(super) fn extensions(mut self) -> Result<SliceReader<'c>, Refusal> {
        // Identifiers that nobody uses any more.
        for number in [TagNumber::N1, TagNumber::N2] {
            if self.rest.peek_tag() == Ok(Tag::ContextSpecific { constructed: false, number }) {
                whole(&mut self.rest, Field::Extensions)?;
            }
        }
        if self.rest.is_finished() {
            return Ok(self.rest);
        }
        let mut outer =
            reader(element(&mut self.rest, context(TagNumber::N3), Field::Extensions)?, Field::Extensions)?;
        finished(&self.rest, Field::Extensions)?;
        let list = element(&mut outer, Tag::Sequence, Field::Extensions)?;
        finished(&outer, Field::Extensions)?;
        reader(list, Field::Extensions)
    }
}

const fn context(number: TagNumber) -> Tag {
    Tag::ContextSpecific { constructed: true, number }
}

pub(super) fn reader(bytes: &[u8], field: Field) -> Result<SliceReader<'_>, Refusal> {
    SliceReader::new(bytes).map_err(|_| Refusal::Malformed(field))
}

/// Reads the value that must come next, and returns its content.
pub(super) fn element<'c>(reader: &mut SliceReader<'c>, tag: Tag, field: Field) -> Result<&'c [u8], Refusal> {
    match reader.decode::<AnyRef<'c>>() {
        Ok(value) if value.tag() == tag => Ok(value.value()),
        _ => Err(Refusal::Malformed(field)),
    }
}

/// Reads any value, and returns it with its tag and length.
fn whole<'c>(reader: &mut SliceReader<'c>, field: Field) -> Result<&'c [u8], Refusal> {
    reader.tlv_bytes().map_err(|_| Refusal::Malformed(field))
}

pub(super) fn finished(reader: &SliceReader<'_>, field: Field) -> Result<(), Refusal> {
    if reader.is_finished() { Ok(()) } else { Err(Refusal::Malformed(field)) }
}
