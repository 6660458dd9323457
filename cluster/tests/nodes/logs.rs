//! What an operator finds in the log.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::Once;

use eio_cluster::bus::{Memory, NotPublished};
use eio_cluster::{Incoming, To};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{nodes, settle, start};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the warnings and errors of each thread. It is the subscriber of all of them: what a thread without one learns about a
/// line counts for all threads.
pub(crate) struct Log;

impl Log {
    pub(crate) fn listen() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tracing::subscriber::set_global_default(Self).unwrap());
        Self::take();
    }

    fn take() -> Vec<String> {
        LINES.take()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            let _ = write!(self.0, "; {field}={value:?}");
        }
    }
}

impl Subscriber for Log {
    /// Another subscriber may want what this one does not.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("eio_cluster")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn the_first_message_of_a_connection_that_is_refused_while_the_bus_is_up() {
    Log::listen();
    let bus = Memory::new();
    let [a, _b] = nodes(&bus, ["a", "b"]).await;
    let channel = a.channel("test", |_: Incoming<'_>| {}).unwrap();
    let too_long = || channel.publish(To::All, &vec![0; 1_000_001]).unwrap_err();
    assert!(matches!(too_long(), NotPublished::TooLong { .. }));
    let lines = Log::take();
    let refused =
        "a message of this node is not published to other nodes; from now on, such messages are only counted";
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with(refused) && line.contains("cause=the message has 1000"), "{line}");
    too_long();
    assert_eq!(channel.publish(To::Node("no name"), b""), Err(NotPublished::InvalidNode));
    while channel.publish(To::All, &vec![0; 100_000]).is_ok() {}
    assert_eq!((Log::take(), a.status().bus.lost), (Vec::new(), 4));
    // What is refused because there is no connection is not told beside the outage.
    bus.cut("a");
    settle().await;
    too_long();
    assert_eq!(channel.publish(To::All, b""), Err(NotPublished::Down));
    bus.mend("a");
    a.connected().await;
    Log::take();
    assert_eq!(channel.publish(To::Node("no name"), b""), Err(NotPublished::InvalidNode));
    let lines = Log::take();
    assert!(lines.len() == 1 && lines[0].ends_with("cause=no node can have this name"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn nodes_whose_names_are_not_of_one_length() {
    Log::listen();
    let bus = Memory::new();
    let (a, b2) = (start(&bus, "a"), start(&bus, "b2"));
    a.connected().await;
    b2.connected().await;
    settle().await;
    let mut lines = Log::take();
    lines.sort();
    let line = |node| {
        format!(
            "the name of a node is of another length than that of this one: \
             give all names the same number of characters; node={node:?}"
        )
    };
    assert_eq!(lines, [line("a"), line("b2")]);
}
