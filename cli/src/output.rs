//! Lines on standard output, written by a thread of their own.
//!
//! A reader that is slow, or has stopped, must hold up no session: lines wait in a bounded queue, and what does not
//! fit is counted instead.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// How many lines wait for a slow reader.
const QUEUE: usize = 16_384;

/// How long the last lines may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Something that becomes lines.
pub(crate) trait Line: Send + 'static {
    /// Writes the lines, line feeds included.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
    /// Stands for `count` lines before this one that found no room.
    fn lost(&self, count: u64) -> Self;
}

/// Where lines are put. Cloning gives another handle to the same queue.
pub(crate) struct Output<L> {
    shared: Arc<Shared<L>>,
}

struct Shared<L> {
    queue: Mutex<Option<SyncSender<L>>>,
    lost: AtomicU64,
    finished: Arc<Finished>,
}

/// The thread has ended: all is written, or nobody reads.
#[derive(Default)]
struct Finished {
    ended: AtomicBool,
    notify: Notify,
}

impl<L> Clone for Output<L> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<L: Line> Output<L> {
    /// Starts the thread, which writes to `sink`.
    pub(crate) fn start(sink: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        let finished = Arc::new(Finished::default());
        let shared = Arc::new(Shared {
            queue: Mutex::new(Some(sender)),
            lost: AtomicU64::new(0),
            finished: Arc::clone(&finished),
        });
        std::thread::spawn(move || {
            // The only error is a reader that has gone; `finished` tells.
            let _ = write_all(&receiver, &mut BufWriter::new(sink));
            finished.ended.store(true, Ordering::Release);
            finished.notify.notify_waiters();
        });
        Self { shared }
    }

    /// Puts a line at the end of the queue, never waiting.
    pub(crate) fn put(&self, line: L) {
        let queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = &*queue else { return };
        let lost = self.shared.lost.load(Ordering::Relaxed);
        if lost > 0 && sender.try_send(line.lost(lost)).is_ok() {
            self.shared.lost.store(0, Ordering::Relaxed);
        }
        if let Err(TrySendError::Full(_)) = sender.try_send(line) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ready once nobody reads any more, or after [`finish`](Self::finish).
    pub(crate) async fn closed(&self) {
        let finished = &self.shared.finished;
        let notified = finished.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !finished.ended.load(Ordering::Acquire) {
            notified.await;
        }
    }

    /// Writes what is queued, as far as the reader takes it, and nothing afterwards.
    pub(crate) async fn finish(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = tokio::time::timeout(LAST_WORDS, self.closed()).await;
    }
}

/// Writes lines until the queue is given up; flushes whenever it is empty.
fn write_all<L: Line>(lines: &Receiver<L>, out: &mut impl Write) -> io::Result<()> {
    while let Ok(line) = lines.recv() {
        line.write(out)?;
        while let Ok(line) = lines.try_recv() {
            line.write(out)?;
        }
        out.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    impl Line for String {
        fn write(&self, out: &mut dyn Write) -> io::Result<()> {
            writeln!(out, "{self}")
        }

        fn lost(&self, count: u64) -> Self {
            format!("lost {count}")
        }
    }

    /// A reader that takes what was written once it has the test's leave, and is gone when the test drops that.
    struct Reader {
        leave: Receiver<()>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.leave.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.taken.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output() -> (Output<String>, Sender<()>, Receiver<Vec<u8>>) {
        let (leave, leaves) = channel();
        let (taken, takings) = channel();
        (Output::start(Reader { leave: leaves, taken }), leave, takings)
    }

    #[test]
    fn what_a_stopped_reader_does_not_take_is_counted_and_nobody_waits() {
        const PUT: usize = QUEUE + 10_000;
        let (output, leave, takings) = output();
        for number in 0..PUT {
            output.put(number.to_string());
        }
        // The reader is back: room, and the next line finds it.
        for _ in 0..PUT {
            let _ = leave.send(());
        }
        let mut text = String::new();
        while !text.ends_with("last\n") {
            output.put("last".to_owned());
            text.push_str(core::str::from_utf8(&takings.recv().unwrap()).unwrap());
        }
        let numbers = text.lines().filter(|line| line.parse::<usize>().is_ok()).count();
        let lost: usize = text
            .lines()
            .filter_map(|line| line.strip_prefix("lost "))
            .map(|count| count.parse::<usize>().unwrap())
            .sum();
        let repeated = text.lines().filter(|line| *line == "last").count();
        assert!((QUEUE..PUT).contains(&numbers), "{numbers} lines of {PUT}");
        assert!(lost >= PUT - numbers && repeated >= 1, "{lost} lost, {numbers} written");
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_is_noticed() {
        let (output, leave, _) = output();
        drop(leave);
        output.put("into the void".to_owned());
        output.closed().await;
        output.put("nowhere".to_owned());
        output.finish().await;
    }

    #[tokio::test]
    async fn finishing_writes_what_is_queued() {
        let (output, leave, takings) = output();
        output.put("a".to_owned());
        output.put("b".to_owned());
        leave.send(()).unwrap();
        leave.send(()).unwrap();
        output.finish().await;
        let text: Vec<u8> = takings.try_iter().flatten().collect();
        assert_eq!(text, b"a\nb\n");
    }
}
