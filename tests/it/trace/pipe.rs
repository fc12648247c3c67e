//! What a trace is written to, for tests.

use std::io::{self, Write};
use std::sync::mpsc::Sender;

/// A writer that another thread reads.
pub(crate) struct Pipe(pub(crate) Sender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
