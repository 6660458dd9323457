//! The client's halves of the stream: the stream's own.

pub(crate) use crate::fakes::{FarReader as Reader, FarWriter as Writer};

pub(crate) fn halves(reader: Reader, writer: Writer) -> (Reader, Writer) {
    (reader, writer)
}

/// How many stories the storm tells.
pub(crate) const STORIES: u64 = 60;
