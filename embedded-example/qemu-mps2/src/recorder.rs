//! A stream that logs the bytes that pass through it, with the board's time, so that a host can replay the session.

use embedded_io_async::{ErrorType, Read, Write};

/// Logs `in` and the bytes that were read, `out` and the bytes that were written, as numbers.
#[derive(Debug)]
pub struct Recorder<S>(pub S);

impl<S: ErrorType> ErrorType for Recorder<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Recorder<S> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        let len = self.0.read(buffer).await?;
        defmt::info!("in {=[u8]}", buffer.get(..len).unwrap_or_default());
        Ok(len)
    }
}

impl<S: Write> Write for Recorder<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        let len = self.0.write(bytes).await?;
        defmt::info!("out {=[u8]}", bytes.get(..len).unwrap_or_default());
        Ok(len)
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.0.flush().await
    }
}
