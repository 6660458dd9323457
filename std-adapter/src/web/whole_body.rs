//! Reads a whole body.

use core::pin::pin;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};

/// Reads a body of at most `limit` bytes. Several pieces are copied into one as they come: kept apart, pieces of one byte
/// would take forty times the limit.
pub(crate) async fn read_whole<B>(
    body: B,
    limit: usize,
) -> Result<Bytes, Box<dyn core::error::Error + Send + Sync>>
where
    B: Body,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let mut body = pin!(Limited::new(body, limit));
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(mut piece) = frame?.into_data() else { continue };
        if first.is_empty() && whole.is_empty() {
            first = piece.copy_to_bytes(piece.remaining());
        } else {
            whole.put(core::mem::take(&mut first));
            whole.put(piece);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;
    use core::pin::Pin;
    use core::task::{Context, Poll};

    use http_body::Frame;
    use http_body_util::LengthLimitError;

    use super::*;

    struct Pieces(Vec<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece))))
        }
    }

    #[tokio::test]
    async fn pieces_become_one_in_their_order_and_a_single_one_is_not_copied() {
        for (pieces, expected) in [
            (&[][..], ""),
            (&["whole"], "whole"),
            (&["", "whole", ""], "whole"),
            (&["a", "", "bc", "def"], "abcdef"),
        ] {
            let reversed: Vec<_> =
                pieces.iter().rev().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
            let whole = read_whole(Pieces(reversed), 6).await.unwrap();
            assert_eq!(whole, expected);
            if let [single] = pieces {
                assert_eq!(whole.as_ptr(), single.as_ptr());
            }
        }
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_refused() {
        let error = read_whole(Pieces(vec![Bytes::from_static(b"de"), Bytes::from_static(b"abc")]), 4).await;
        assert!(error.unwrap_err().is::<LengthLimitError>());
    }
}
