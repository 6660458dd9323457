//! What the server promises, exact to the millisecond: paused time, and pipes in memory instead of sockets.

mod support;

mod answers;
mod application;
mod batches;
mod callbacks;
mod cancellation;
mod cancelled_requests;
mod close_frames;
mod closing;
mod due;
mod during_passes;
mod faults;
mod flushing;
mod frames;
mod groups;
mod large_messages;
mod last_words;
mod log_subscribers;
mod long_turns;
#[cfg(feature = "metrics")]
mod metrics;
mod separator;
mod shutdown;
mod silence;
mod slow_readers;
mod spans;
#[cfg(feature = "stream")]
mod streams;
mod upgrade;
mod volatile;
mod wakers;
