//! Streams that are one of several: each call goes to the stream in the variant.

/// Implements `AsyncRead` by the stream in each variant. A variant names its binding, and the place of the stream in it.
macro_rules! read_from_variants {
    ($type:ident: $( $(#[$attribute:meta])* $variant:ident($binding:ident) => $stream:expr ),+ $(,)?) => {
        impl tokio::io::AsyncRead for $type {
            fn poll_read(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> core::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $( $(#[$attribute])* Self::$variant($binding) => {
                        core::pin::Pin::new(&mut $stream).poll_read(cx, buf)
                    } )+
                }
            }
        }
    };
}

/// Implements `AsyncWrite` in the same way.
macro_rules! write_to_variants {
    ($type:ident: $( $(#[$attribute:meta])* $variant:ident($binding:ident) => $stream:expr ),+ $(,)?) => {
        impl tokio::io::AsyncWrite for $type {
            fn poll_write(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
                buf: &[u8],
            ) -> core::task::Poll<std::io::Result<usize>> {
                match self.get_mut() {
                    $( $(#[$attribute])* Self::$variant($binding) => {
                        core::pin::Pin::new(&mut $stream).poll_write(cx, buf)
                    } )+
                }
            }

            fn poll_write_vectored(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> core::task::Poll<std::io::Result<usize>> {
                match self.get_mut() {
                    $( $(#[$attribute])* Self::$variant($binding) => {
                        core::pin::Pin::new(&mut $stream).poll_write_vectored(cx, bufs)
                    } )+
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $( $(#[$attribute])* Self::$variant($binding) => $stream.is_write_vectored(), )+
                }
            }

            fn poll_flush(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $( $(#[$attribute])* Self::$variant($binding) => {
                        core::pin::Pin::new(&mut $stream).poll_flush(cx)
                    } )+
                }
            }

            fn poll_shutdown(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $( $(#[$attribute])* Self::$variant($binding) => {
                        core::pin::Pin::new(&mut $stream).poll_shutdown(cx)
                    } )+
                }
            }
        }
    };
}

pub(super) use {read_from_variants, write_to_variants};
