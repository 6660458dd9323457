//! Compressed answers to polls.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::web::respond::Body;

/// How many bytes are compressed in one turn of the runtime: about 0.2 ms of work.
const TURN: usize = 16 * 1024;

/// A content coding that a client can decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    /// Returns the best coding that `Accept-Encoding` allows (RFC 9110 section 12.5.3). Unless the client says otherwise,
    /// gzip comes before deflate, and both before no compression.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let (mut gzip, mut deflate, mut identity, mut other) = (None, None, None, None);
        for item in values.flat_map(|value| value.split(',')) {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let coding = coding.trim();
            let weight = if let Some((_, weight)) = parameters.split_once("q=") {
                weight.trim().parse::<f32>().unwrap_or(0.0)
            } else {
                1.0
            };
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                gzip = Some(weight);
            } else if coding.eq_ignore_ascii_case("deflate") {
                deflate = Some(weight);
            } else if coding.eq_ignore_ascii_case("identity") {
                identity = Some(weight);
            } else if coding == "*" {
                other = Some(weight);
            }
        }
        let gzip = gzip.or(other).unwrap_or(0.0);
        let deflate = deflate.or(other).unwrap_or(0.0);
        let least = identity.unwrap_or(0.0);
        if gzip > 0.0 && gzip >= deflate && gzip >= least {
            Some(Self::Gzip)
        } else if deflate > 0.0 && deflate >= least {
            Some(Self::Deflate)
        } else {
            None
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Compresses the body of `response` if it has at least `threshold` bytes and the client can decompress it.
pub(crate) async fn compress_large(
    response: Response<Body>,
    accepted: Option<Encoding>,
    threshold: Option<usize>,
) -> Response<Body> {
    let len = response.body().size_hint().lower();
    let is_large = threshold.is_some_and(|threshold| len >= u64::try_from(threshold).unwrap_or(u64::MAX));
    match accepted {
        Some(encoding) if is_large => compress(response, encoding).await,
        _ => response,
    }
}

/// Compresses the body of `response`, one piece per turn of the runtime, so that other sessions do not wait. The limits of
/// the outbox bound the size of the body.
async fn compress(response: Response<Body>, encoding: Encoding) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = body.collect().await;
    let whole = whole.to_bytes();
    let compressed = match encoding {
        Encoding::Gzip => {
            let encoder = GzEncoder::new(Vec::new(), Compression::fast());
            feed(encoder, &whole).await.and_then(GzEncoder::finish)
        }
        Encoding::Deflate => {
            let encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            feed(encoder, &whole).await.and_then(ZlibEncoder::finish)
        }
    };
    let body = match compressed {
        Ok(compressed) => {
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
            Bytes::from(compressed)
        }
        // Cannot happen: writing to memory does not fail.
        Err(_) => whole,
    };
    Response::from_parts(parts, Body::new(body))
}

async fn feed<W: Write>(mut encoder: W, whole: &[u8]) -> std::io::Result<W> {
    for piece in whole.chunks(TURN) {
        encoder.write_all(piece)?;
        if piece.len() == TURN {
            tokio::task::yield_now().await;
        }
    }
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn accepted(value: &'static str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        Encoding::accepted(&headers)
    }

    #[test]
    fn the_client_chooses_by_weight_and_gzip_wins_a_tie() {
        for (value, expected) in [
            ("gzip, deflate", Some(Encoding::Gzip)),
            ("deflate, gzip", Some(Encoding::Gzip)),
            ("gzip;q=0.5, deflate;q=0.8", Some(Encoding::Deflate)),
            ("GZIP; q=0.5", Some(Encoding::Gzip)),
            ("br, *", Some(Encoding::Gzip)),
            ("*;q=0.1, gzip;q=0", Some(Encoding::Deflate)),
            ("br", None),
            ("gzip;q=0, deflate;q=0", None),
            ("gzip;q=0", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip", Some(Encoding::Gzip)),
            ("gzip;q=nonsense", None),
            ("", None),
        ] {
            assert_eq!(accepted(value), expected, "{value}");
        }
        assert_eq!(Encoding::accepted(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn what_was_compressed_can_be_read_again() {
        let text = "a long long text ".repeat(10_000);
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            let response = compress(Response::new(Body::new(text.clone().into())), encoding).await;
            assert_eq!(response.headers()[header::CONTENT_ENCODING], encoding.as_str());
            let compressed = response.into_body().collect().await.unwrap().to_bytes();
            assert!(compressed.len() < text.len() / 10);
            let mut read = String::new();
            match encoding {
                Encoding::Gzip => flate2::read::GzDecoder::new(&*compressed).read_to_string(&mut read),
                Encoding::Deflate => flate2::read::ZlibDecoder::new(&*compressed).read_to_string(&mut read),
            }
            .unwrap();
            assert_eq!(read, text);
        }
    }
}
