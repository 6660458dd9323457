//! Lines on standard output, written by a thread of their own.
//!
//! A reader that is slow, or has stopped, must not delay any session. So lines wait in a bounded queue, and lines that
//! do not fit are dropped and counted. When the reader goes away, the output ends without an error. When a line cannot
//! be written for another reason, such as a full disk, [`OnError`] says what happens.

#[cfg(unix)]
mod reader;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};

use tokio::sync::Notify;

/// How many lines can wait for a slow reader.
const QUEUE: usize = 16_384;

/// About how many bytes are written at once.
const BATCH: usize = 16_384;

/// How long the last lines may take.
const FINISH_LIMIT: Duration = Duration::from_secs(1);

/// The time between attempts to write after an error.
const RETRY: Duration = Duration::from_secs(1);

/// The time between attempts to write to a full pipe that another program has made nonblocking.
const FULL_PIPE: Duration = Duration::from_millis(10);

/// A value that is written as a line.
pub(crate) trait Line: Send + 'static {
    /// Writes the line and its line feed.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
    /// Returns the line that stands in for the `count` lines that were dropped before this one.
    fn lost(&self, count: u64) -> Self;
}

/// What to do when a line cannot be written although the reader is still there, for example because the disk is full.
pub(crate) enum OnError {
    /// Lines wait, and the thread tries again every second. It reports when this begins and when it ends.
    Retry(Report),
    /// The output ends, and [`Output::closed`] and [`Output::finish`] return the error.
    End,
}

/// Gets the first error of a series, and the success that ends the series.
type Report = Box<dyn FnMut(Result<(), &OutputError>) + Send>;

/// Lines could not be written although the reader is still there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub(crate) struct OutputError(Arc<io::Error>);

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// Queues lines for the thread that writes them. A clone is another handle to the same queue.
pub(crate) struct Output<L> {
    shared: Arc<Shared<L>>,
}

struct Shared<L> {
    queue: Mutex<Option<SyncSender<L>>>,
    lost: AtomicU64,
    end: Arc<End>,
    thread: Thread,
}

/// The end of the output.
#[derive(Default)]
struct End {
    /// No more lines are queued. The thread writes those that wait, and gives up at the first error.
    is_finishing: AtomicBool,
    /// Set once no more lines are written: `Ok` if all of them were, or if nobody reads.
    result: OnceLock<Result<(), OutputError>>,
    notify: Notify,
}

impl End {
    /// Ends the output. The first result counts.
    fn set(&self, result: Result<(), OutputError>) {
        let _ = self.result.set(result);
        self.notify.notify_waiters();
    }
}

impl<L> Clone for Output<L> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<L: Line> Output<L> {
    /// Starts the thread, which writes to `sink`.
    pub(crate) fn start(sink: impl Write + Send + 'static, on_error: OnError) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        let end = Arc::new(End::default());
        let mut writer = Writer { sink, on_error, end: Arc::clone(&end), is_failing: false };
        let thread = thread::spawn(move || {
            let result = match writer.write_all(&receiver) {
                Err(error) if error.0.kind() != ErrorKind::BrokenPipe => Err(error),
                _ => Ok(()),
            };
            writer.end.set(result);
        });
        let shared = Shared {
            queue: Mutex::new(Some(sender)),
            lost: AtomicU64::new(0),
            end,
            thread: thread.thread().clone(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Ends the output as soon as nobody reads `sink` any more, also while there is nothing to write.
    #[cfg(unix)]
    pub(crate) fn end_when_nobody_reads(&self, sink: impl std::os::fd::AsFd + Send + 'static) {
        let end = Arc::clone(&self.shared.end);
        thread::spawn(move || {
            if reader::wait_until_gone(&sink).is_ok() {
                end.set(Ok(()));
            }
        });
    }

    /// Does nothing: on this system, only writing a line shows that nobody reads.
    #[cfg(not(unix))]
    pub(crate) fn end_when_nobody_reads(&self, _: impl Send + 'static) {}

    /// Queues a line. Never waits.
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

    /// Waits until no more lines are written: because nobody reads or, with [`OnError::End`], because writing failed.
    pub(crate) async fn closed(&self) -> Result<(), OutputError> {
        let end = &self.shared.end;
        loop {
            let notified = end.notify.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(result) = end.result.get() {
                return result.clone();
            }
            notified.await;
        }
    }

    /// Writes the lines that are queued, as far as the reader takes them within a second, and none afterwards.
    pub(crate) async fn finish(&self) -> Result<(), OutputError> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.end.is_finishing.store(true, Ordering::Release);
        self.shared.thread.unpark();
        tokio::time::timeout(FINISH_LIMIT, self.closed()).await.unwrap_or(Ok(()))
    }
}

/// The thread's side.
struct Writer<W> {
    sink: W,
    on_error: OnError,
    end: Arc<End>,
    /// The latest attempt failed, and that was reported.
    is_failing: bool,
}

impl<W: Write> Writer<W> {
    /// Writes lines until the queue is closed. Flushes after every batch.
    fn write_all<L: Line>(&mut self, lines: &Receiver<L>) -> Result<(), OutputError> {
        let mut batch = Vec::new();
        while let Ok(line) = lines.recv() {
            line.write(&mut batch)?;
            while batch.len() < BATCH
                && let Ok(line) = lines.try_recv()
            {
                line.write(&mut batch)?;
            }
            self.write_batch(&batch)?;
            batch.clear();
            batch.shrink_to(BATCH);
        }
        Ok(())
    }

    /// Writes whole lines, each of them once, however many attempts it takes.
    fn write_batch(&mut self, mut rest: &[u8]) -> Result<(), OutputError> {
        while let Err(error) = write_on(&mut self.sink, &mut rest) {
            match error.kind() {
                ErrorKind::WouldBlock => thread::park_timeout(FULL_PIPE),
                ErrorKind::BrokenPipe => return Err(error.into()),
                _ => self.wait_after(error.into())?,
            }
        }
        if core::mem::take(&mut self.is_failing)
            && let OnError::Retry(report) = &mut self.on_error
        {
            report(Ok(()));
        }
        Ok(())
    }

    /// Waits before the next attempt, or returns the error if there is none.
    fn wait_after(&mut self, error: OutputError) -> Result<(), OutputError> {
        let OnError::Retry(report) = &mut self.on_error else { return Err(error) };
        if !core::mem::replace(&mut self.is_failing, true) {
            report(Err(&error));
        }
        if self.end.is_finishing.load(Ordering::Acquire) {
            return Err(error);
        }
        thread::park_timeout(RETRY);
        Ok(())
    }
}

/// Writes and flushes. `rest` keeps the bytes that are not written yet.
fn write_on(sink: &mut impl Write, rest: &mut &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match sink.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => *rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    sink.flush()
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

    /// A reader that takes a write for each permit from the test, and is gone when the test drops the permits.
    struct Reader {
        permits: Receiver<()>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.taken.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output() -> (Output<String>, Sender<()>, Receiver<Vec<u8>>) {
        let (permits, permitted) = channel();
        let (taken, takings) = channel();
        (Output::start(Reader { permits: permitted, taken }, OnError::End), permits, takings)
    }

    #[test]
    fn lines_that_a_stopped_reader_does_not_take_are_counted_and_nobody_waits() {
        const PUT: usize = QUEUE + 10_000;
        let (output, permits, takings) = output();
        for number in 0..PUT {
            output.put(number.to_string());
        }
        // The reader is back: room, and the next line finds it.
        for _ in 0..PUT {
            let _ = permits.send(());
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
    async fn a_reader_that_goes_away_ends_the_output() {
        let (output, permits, _) = output();
        drop(permits);
        output.put("into the void".to_owned());
        output.closed().await.unwrap();
        output.put("nowhere".to_owned());
        output.finish().await.unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_reader_that_goes_away_ends_an_output_that_has_nothing_to_write() {
        let (reader, writer) = io::pipe().unwrap();
        let output: Output<String> = Output::start(writer.try_clone().unwrap(), OnError::End);
        output.end_when_nobody_reads(writer);
        drop(reader);
        tokio::time::timeout(Duration::from_secs(20), output.closed()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn finishing_writes_what_is_queued() {
        let (output, permits, takings) = output();
        output.put("a".to_owned());
        output.put("b".to_owned());
        permits.send(()).unwrap();
        permits.send(()).unwrap();
        output.finish().await.unwrap();
        let text: Vec<u8> = takings.try_iter().flatten().collect();
        assert_eq!(text, b"a\nb\n");
    }

    /// A disk: takes a byte at a time, and none while it is full.
    struct Disk {
        is_full: Arc<AtomicBool>,
        written: Sender<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_full.load(Ordering::SeqCst) {
                return Err(ErrorKind::StorageFull.into());
            }
            let Some(byte) = bytes.first() else { return Ok(0) };
            self.written.send(*byte).map_err(|_| ErrorKind::BrokenPipe)?;
            // It is full in the middle of every line.
            self.is_full.store(*byte == b':', Ordering::SeqCst);
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_full_disk_ends_an_output_that_must_be_complete_and_says_why() {
        let (written, _written) = channel();
        let disk = Disk { is_full: Arc::new(AtomicBool::new(true)), written };
        let output = Output::start(disk, OnError::End);
        output.put("a line".to_owned());
        let error = output.closed().await.unwrap_err();
        assert_eq!(error.to_string(), "cannot write to standard output: no storage space");
        assert!(output.finish().await.is_err());
    }

    #[tokio::test]
    async fn an_output_that_retries_reports_a_full_disk_once_and_loses_no_part_of_a_line() {
        let (written, takings) = channel();
        let is_full = Arc::new(AtomicBool::new(false));
        let (reports, mut reported) = tokio::sync::mpsc::unbounded_channel();
        let report = move |result: Result<(), &OutputError>| {
            let _ = reports.send(result.map_err(ToString::to_string));
        };
        let disk = Disk { is_full: Arc::clone(&is_full), written };
        let output = Output::start(disk, OnError::Retry(Box::new(report)));
        output.put("one: two".to_owned());
        assert!(reported.recv().await.unwrap().unwrap_err().ends_with("no storage space"));
        output.put("three".to_owned());
        is_full.store(false, Ordering::SeqCst);
        output.shared.thread.unpark();
        assert_eq!(reported.recv().await, Some(Ok(())));
        output.finish().await.unwrap();
        assert_eq!(takings.try_iter().collect::<Vec<u8>>(), b"one: two\nthree\n");
        drop(output);
        assert_eq!(reported.recv().await, None, "it is reported once");
    }

    #[tokio::test]
    async fn finishing_tries_a_full_disk_once_more_and_gives_up() {
        let (written, _written) = channel();
        let disk = Disk { is_full: Arc::new(AtomicBool::new(true)), written };
        let (reports, mut reported) = tokio::sync::mpsc::unbounded_channel();
        let report = move |_: Result<(), &OutputError>| {
            let _ = reports.send(());
        };
        let output = Output::start(disk, OnError::Retry(Box::new(report)));
        output.put("a line".to_owned());
        reported.recv().await.unwrap();
        assert!(output.finish().await.is_err());
    }
}
