//! The methods that the handles of both roles share.

/// Implements them for `$handle`, whose field `shared` is the session. `$socket` has the same methods, and describes them.
macro_rules! handle {
    ($handle:ident of $socket:ident) => {
        impl $handle {
            /// Sends a message, as
            #[doc = concat!("[`", stringify!($socket), "::send`] does.")]
            ///
            /// # Errors
            /// The same as for
            #[doc = concat!("[`", stringify!($socket), "::send`].")]
            pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), SendError>> {
                self.shared.send(message.into())
            }

            /// Sends a message if the outbox has room now, as
            #[doc = concat!("[`", stringify!($socket), "::try_send`] does.")]
            ///
            /// # Errors
            /// The same as for
            #[doc = concat!("[`", stringify!($socket), "::try_send`].")]
            pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
                self.shared.try_send(Outgoing::Message(message.into()))
            }

            /// Sends a message only if the transport takes it at once. Returns whether it was sent, as
            #[doc = concat!("[`", stringify!($socket), "::send_volatile`] does.")]
            pub fn send_volatile(&self, message: impl Into<Message>) -> bool {
                self.shared.send_volatile(Outgoing::Message(message.into()))
            }

            /// Sends several messages as one unit, as
            #[doc = concat!("[`", stringify!($socket), "::send_batch`] does.")]
            ///
            /// # Errors
            /// The same as for
            #[doc = concat!("[`", stringify!($socket), "::send_batch`].")]
            pub fn send_batch(
                &self,
                messages: impl IntoIterator<Item = impl Into<Message>>,
            ) -> impl Future<Output = Result<(), crate::session::send::SendBatchError>> {
                self.shared.send_batch(crate::session::batch::collect(messages))
            }

            /// Sends several messages as one unit if the outbox has room now, as
            #[doc = concat!("[`", stringify!($socket), "::try_send_batch`] does.")]
            ///
            /// # Errors
            /// The same as for
            #[doc = concat!("[`", stringify!($socket), "::try_send_batch`].")]
            pub fn try_send_batch(
                &self,
                messages: impl IntoIterator<Item = impl Into<Message>>,
            ) -> Result<(), crate::session::send::TrySendBatchError> {
                self.shared.try_send_batch(crate::session::batch::collect(messages))
            }

            /// Sends several messages as one unit only if the transport takes the first of them at once. Returns whether
            /// they were sent, as
            #[doc = concat!("[`", stringify!($socket), "::send_batch_volatile`] does.")]
            pub fn send_batch_volatile(
                &self,
                messages: impl IntoIterator<Item = impl Into<Message>>,
            ) -> bool {
                self.shared.send_batch_volatile(crate::session::batch::collect(messages))
            }

            /// Waits until every message that was sent before this call has been passed on, as
            #[doc = concat!("[`", stringify!($socket), "::flush`] does.")]
            ///
            /// # Errors
            /// The same as for
            #[doc = concat!("[`", stringify!($socket), "::flush`].")]
            pub fn flush(&self) -> impl Future<Output = Result<(), Disconnect>> {
                self.shared.flush()
            }

            /// Returns a sink that sends to the session.
            #[cfg(feature = "stream")]
            #[must_use]
            pub fn sink(&self) -> crate::session::sink::MessageSink {
                crate::session::sink::MessageSink::new(Arc::clone(&self.shared))
            }

            /// Closes the session, as
            #[doc = concat!("[`", stringify!($socket), "::close`] does.")]
            pub fn close(&self) {
                self.shared.close(None);
            }

            /// Closes the session with a code and a reason, as
            #[doc = concat!("[`", stringify!($socket), "::close_with`] does.")]
            pub fn close_with(&self, frame: CloseFrame) {
                self.shared.close(Some(frame));
            }

            /// Waits until the session has ended, and returns how it ended, as
            #[doc = concat!("[`", stringify!($socket), "::closed`] does.")]
            pub fn closed(&self) -> impl Future<Output = Disconnect> {
                self.shared.closed()
            }
        }
    };
}

pub(crate) use handle;
