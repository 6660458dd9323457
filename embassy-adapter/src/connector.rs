//! The connector: opens a stream for each session, and closes it.

use core::ops::ControlFlow;

use embassy_time::Timer;
use embedded_io_async::{Read, Write};

use crate::reconnect::{Loss, Reconnect, Report};
use crate::{Buffers, Client, ClientSettings, ConnectError, Endpoint};

/// Opens a stream to one server for each session, and closes it afterwards.
///
/// [`TcpConnector`](crate::TcpConnector) opens TCP connections by embassy-net, and [`EdgeConnector`](crate::EdgeConnector)
/// by any stack that implements edge-nal's traits. Implement it for another kind of stream: for a modem that is driven by
/// AT commands, for example, or for a layer such as TLS over another connector.
///
/// The halves must be streams whose `read` and `write` futures may be dropped while they wait; see
/// [`Client`](Client#cancellation).
///
/// ```
/// use core::ops::ControlFlow;
/// use eio_core::backoff::Backoff;
/// use eio_embassy::{Buffers, ClientSettings, Connector, Endpoint, Loss, Reconnect, State};
/// use embassy_sync::{blocking_mutex::raw::NoopRawMutex, watch::Watch};
/// use embassy_time::{Duration, with_timeout};
/// use embedded_io_async::{ErrorKind, Read, Write};
///
/// // A modem with one socket. Its driver implements `Read` and `Write` for the halves.
/// # #[derive(Default)]
/// struct Modem { /* the UART, what it has reported */ }
/// # impl Modem {
/// #     async fn dial(&mut self, _: &str) -> Result<(), ErrorKind> { Err(ErrorKind::ConnectionRefused) }
/// #     fn split(&mut self) -> (&'static [u8], &'static mut [u8]) { (&[], &mut []) }
/// #     async fn hang_up(&mut self) {}
/// #     fn lower_dtr(&mut self) {}
/// # }
///
/// // What closes the stream if the future is dropped may not wait. A modem hangs up when its line DTR goes low.
/// struct Call<'m>(&'m mut Modem);
///
/// impl Drop for Call<'_> {
///     fn drop(&mut self) {
///         self.0.lower_dtr();
///     }
/// }
///
/// impl Connector for Modem {
///     # /*
///     type Reader<'s> = Receiver<'s>;
///     type Writer<'s> = Sender<'s>;
///     # */
///     # type Reader<'s> = &'s [u8];
///     # type Writer<'s> = &'s mut [u8];
///
///     async fn connect(&mut self, session: impl for<'s> AsyncFnOnce(Self::Reader<'s>, Self::Writer<'s>) -> Loss) -> Loss {
///         let Call(modem) = &mut Call(self);
///         let dialled = with_timeout(Duration::from_secs(60), modem.dial("server.example:3000")).await;
///         let Ok(Ok(())) = dialled else { return Loss::Unreachable };
///         let (reader, writer) = modem.split();
///         let loss = session(reader, writer).await;
///         if loss.is_orderly() {
///             let _ = with_timeout(Duration::from_secs(5), modem.hang_up()).await;
///         }
///         loss
///     }
/// }
///
/// # async fn task(mut random: impl FnMut() -> u32) {
/// # let (mut rx, mut tx, mut modem) = ([0; 512], [0; 512], Modem::default());
/// let watch: Watch<NoopRawMutex, State, 2> = Watch::new();
/// let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut random, watch.dyn_sender());
/// let buffers = Buffers { rx: &mut rx, tx: &mut tx };
/// let endpoint = Endpoint::engineio("server.example:3000");
/// modem
///     .run(&mut reconnect, &endpoint, buffers, &ClientSettings::DEFAULT, async |client| {
///         while client.recv().await.is_ok() {}
///         ControlFlow::<()>::Continue(())
///     })
///     .await;
/// # }
/// ```
#[expect(async_fn_in_trait, reason = "a session and its connector live in one task")]
pub trait Connector {
    /// Whether the streams are TLS, and the server is who it says it is. If not, [`run`](Self::run) refuses an endpoint
    /// that asks for TLS ([`Endpoint::secure`]) with [`ConnectError::NeedsTls`].
    const IS_SECURE: bool = false;

    /// The half that is read.
    type Reader<'s>: Read;
    /// The half that is written to.
    type Writer<'s>: Write;

    /// Waits until the board has a network. Calls [`Report::offline`] if it has to wait. [`run`](Self::run) calls it
    /// before each attempt. If it had to wait, `run` waits for a random time, up to the shortest delay of
    /// [`Backoff`](eio_core::backoff::Backoff), and calls it again. The default returns at once.
    async fn wait_online(&mut self, report: &Report<'_, '_>) {
        let _ = report;
    }

    /// Opens a stream, lends its halves to `session`, and closes the stream when `session` returns: in order if
    /// [`Loss::is_orderly`], otherwise at once.
    ///
    /// Returns why no stream could be opened, or what `session` has returned. It must end in a bounded time apart from
    /// `session`, also where the server is silent. The future may be dropped, and must close the stream then.
    async fn connect(
        &mut self,
        session: impl for<'s> AsyncFnOnce(Self::Reader<'s>, Self::Writer<'s>) -> Loss,
    ) -> Loss;

    /// Connects, calls `session` with the open session, and cleans up when `session` returns. Repeats this after a delay
    /// until `session` returns [`ControlFlow::Break`].
    ///
    /// `session` may return at any time. If the session is still open then, it is closed. If it ended because the server
    /// was silent, the connection is reset, so that nothing is kept for a dead server.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection without a close frame. The watch keeps its last state.
    async fn run<B>(
        &mut self,
        reconnect: &mut Reconnect<'_>,
        endpoint: &Endpoint<'_>,
        mut buffers: Buffers<'_>,
        settings: &ClientSettings,
        mut session: impl for<'b, 's> AsyncFnMut(
            &mut Client<'b, Self::Reader<'s>, Self::Writer<'s>>,
        ) -> ControlFlow<B>,
    ) -> B {
        reconnect
            .run(async |attempt| {
                loop {
                    self.wait_online(attempt.report()).await;
                    let Some(until) = attempt.spread_until() else { break };
                    Timer::at(until).await;
                }
                attempt.report().connecting();
                let mut flow = ControlFlow::Continue(());
                let loss = self
                    .connect(async |reader, writer| {
                        if endpoint.secure && !Self::IS_SECURE {
                            return ConnectError::NeedsTls.into();
                        }
                        let (rng, report) = attempt.split();
                        let buffers = buffers.reborrow();
                        let mut client = match Client::new(reader, writer, buffers, rng, settings) {
                            Ok(client) => client,
                            Err(error) => return error.into(),
                        };
                        let loss = match client.connect(endpoint).await {
                            Ok(()) => {
                                report.opened(&client);
                                flow = session(&mut client).await;
                                client.close().await.into()
                            }
                            Err(error) => error.into(),
                        };
                        report.lost(loss);
                        loss
                    })
                    .await;
                flow.map_continue(|()| loss)
            })
            .await
    }
}

impl Buffers<'_> {
    fn reborrow(&mut self) -> Buffers<'_> {
        Buffers { rx: self.rx, tx: self.tx }
    }
}
