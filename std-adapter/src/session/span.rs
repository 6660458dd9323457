//! The span of a session, in which its task runs.

use std::sync::Arc;

use tracing::{Span, Value};

use crate::session::guard::{Panicked, guarded};

/// The span of a session, or nothing if no subscriber wants it: then it costs a session its eight bytes.
#[derive(Clone, Default)]
pub(crate) struct SessionSpan(Option<Arc<Span>>);

impl SessionSpan {
    pub(crate) fn new(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Arc::new(span)))
    }

    /// Runs `code` in the span. Catches its panic, and the subscriber's.
    #[inline]
    pub(crate) fn run<T>(&self, code: impl FnOnce() -> T) -> Result<T, Panicked> {
        match &self.0 {
            None => guarded(code),
            Some(span) => run_in(span, code),
        }
    }

    /// Records a field of the span. Returns the subscriber's panic.
    pub(crate) fn record(&self, field: &'static str, value: impl Value) -> Result<(), Panicked> {
        match &self.0 {
            Some(span) => guarded(|| {
                span.record(field, value);
            }),
            None => Ok(()),
        }
    }
}

/// Guarded within the span as well, so that the span is left in order.
#[inline(never)]
fn run_in<T>(span: &Span, code: impl FnOnce() -> T) -> Result<T, Panicked> {
    guarded(|| span.in_scope(|| guarded(code))).and_then(|ran| ran)
}
