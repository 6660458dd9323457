//! Lines on standard output, written by a thread of their own.
//!
//! A reader that is slow, or has stopped, must hold up no session: lines wait in a bounded queue, and what does not
//! fit is counted instead. A reader that has gone ends the output quietly. When lines cannot be written for another
//! reason, such as a full disk, the command's [`OnError`] says what happens.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};

use tokio::sync::Notify;

/// How many lines wait for a slow reader.
const QUEUE: usize = 16_384;

/// How many bytes are written at once, a line more or less.
const BATCH: usize = 16_384;

/// How long the last lines may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// When writing is tried again after an error.
const RETRY: Duration = Duration::from_secs(1);

/// When writing is tried again to a pipe without room that another program has set to not wait.
const NO_ROOM: Duration = Duration::from_millis(10);

/// Something that becomes lines.
pub(crate) trait Line: Send + 'static {
    /// Writes the lines, line feeds included.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
    /// Stands for `count` lines before this one that found no room.
    fn lost(&self, count: u64) -> Self;
}

/// What happens when lines cannot be written although their reader has not gone: the disk is full, for example.
pub(crate) enum OnError {
    /// Lines wait, and writing is tried again every second.
    Retry(Tell),
    /// The output ends, and [`Output::closed`] and [`Output::finish`] return the error.
    End,
}

/// Hears of the first of several errors, and of the first success after them.
type Tell = Box<dyn FnMut(Result<(), &OutputError>) + Send>;

/// Why lines could not be written, although their reader has not gone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("standard output cannot be written: {0}")]
pub(crate) struct OutputError(Arc<io::Error>);

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// Where lines are put. Cloning gives another handle to the same queue.
pub(crate) struct Output<L> {
    shared: Arc<Shared<L>>,
}

struct Shared<L> {
    queue: Mutex<Option<SyncSender<L>>>,
    lost: AtomicU64,
    end: Arc<End>,
    thread: Thread,
}

/// How the thread ends.
#[derive(Default)]
struct End {
    /// Nothing is put any more: the thread writes what is queued, and tries nothing twice.
    is_finishing: AtomicBool,
    /// Set when the thread has ended. `Ok` if all is written, or nobody reads.
    result: OnceLock<Result<(), OutputError>>,
    notify: Notify,
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
            // The thread ends once.
            let _ = writer.end.result.set(result);
            writer.end.notify.notify_waiters();
        });
        let shared = Shared {
            queue: Mutex::new(Some(sender)),
            lost: AtomicU64::new(0),
            end,
            thread: thread.thread().clone(),
        };
        Self { shared: Arc::new(shared) }
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

    /// Ready once no line is written any more: nobody reads, or, with [`OnError::End`], one could not be written.
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

    /// Writes what is queued, as far as the reader takes it within a second, and nothing afterwards.
    pub(crate) async fn finish(&self) -> Result<(), OutputError> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.end.is_finishing.store(true, Ordering::Release);
        self.shared.thread.unpark();
        tokio::time::timeout(LAST_WORDS, self.closed()).await.unwrap_or(Ok(()))
    }
}

/// The thread's side.
struct Writer<W> {
    sink: W,
    on_error: OnError,
    end: Arc<End>,
    /// The latest attempt failed, and that has been told.
    is_failing: bool,
}

impl<W: Write> Writer<W> {
    /// Writes lines until the queue is given up; flushes whenever it is empty.
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

    /// Writes whole lines, each of them once, however often it takes.
    fn write_batch(&mut self, mut rest: &[u8]) -> Result<(), OutputError> {
        while let Err(error) = write_on(&mut self.sink, &mut rest) {
            match error.kind() {
                ErrorKind::WouldBlock => thread::park_timeout(NO_ROOM),
                ErrorKind::BrokenPipe => return Err(error.into()),
                _ => self.bear(error.into())?,
            }
        }
        if core::mem::take(&mut self.is_failing)
            && let OnError::Retry(tell) = &mut self.on_error
        {
            tell(Ok(()));
        }
        Ok(())
    }

    /// Waits for the time to try again, if that is wanted.
    fn bear(&mut self, error: OutputError) -> Result<(), OutputError> {
        let OnError::Retry(tell) = &mut self.on_error else { return Err(error) };
        if !core::mem::replace(&mut self.is_failing, true) {
            tell(Err(&error));
        }
        if self.end.is_finishing.load(Ordering::Acquire) {
            return Err(error);
        }
        thread::park_timeout(RETRY);
        Ok(())
    }
}

/// Writes and flushes; `rest` becomes what is not written yet.
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
        (Output::start(Reader { leave: leaves, taken }, OnError::End), leave, takings)
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
        output.closed().await.unwrap();
        output.put("nowhere".to_owned());
        output.finish().await.unwrap();
    }

    #[tokio::test]
    async fn finishing_writes_what_is_queued() {
        let (output, leave, takings) = output();
        output.put("a".to_owned());
        output.put("b".to_owned());
        leave.send(()).unwrap();
        leave.send(()).unwrap();
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
    async fn a_full_disk_ends_an_output_that_must_be_whole_and_says_why() {
        let (written, _written) = channel();
        let disk = Disk { is_full: Arc::new(AtomicBool::new(true)), written };
        let output = Output::start(disk, OnError::End);
        output.put("a line".to_owned());
        let error = output.closed().await.unwrap_err();
        assert_eq!(error.to_string(), "standard output cannot be written: no storage space");
        assert!(output.finish().await.is_err());
    }

    #[tokio::test]
    async fn an_output_that_goes_on_tells_of_a_full_disk_once_and_loses_no_part_of_a_line() {
        let (written, takings) = channel();
        let is_full = Arc::new(AtomicBool::new(false));
        let (told, mut tellings) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |result: Result<(), &OutputError>| {
            let _ = told.send(result.map_err(ToString::to_string));
        };
        let disk = Disk { is_full: Arc::clone(&is_full), written };
        let output = Output::start(disk, OnError::Retry(Box::new(tell)));
        output.put("one: two".to_owned());
        assert!(tellings.recv().await.unwrap().unwrap_err().ends_with("no storage space"));
        output.put("three".to_owned());
        is_full.store(false, Ordering::SeqCst);
        output.shared.thread.unpark();
        assert_eq!(tellings.recv().await, Some(Ok(())));
        output.finish().await.unwrap();
        assert_eq!(takings.try_iter().collect::<Vec<u8>>(), b"one: two\nthree\n");
        drop(output);
        assert_eq!(tellings.recv().await, None, "it is told once");
    }

    #[tokio::test]
    async fn finishing_tries_a_full_disk_once_more_and_leaves() {
        let (written, _written) = channel();
        let disk = Disk { is_full: Arc::new(AtomicBool::new(true)), written };
        let (told, mut tellings) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |_: Result<(), &OutputError>| {
            let _ = told.send(());
        };
        let output = Output::start(disk, OnError::Retry(Box::new(tell)));
        output.put("a line".to_owned());
        tellings.recv().await.unwrap();
        assert!(output.finish().await.is_err());
    }
}
