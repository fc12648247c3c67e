//! A trace of the next seconds, as Go's `/debug/pprof/trace` takes it.

use super::answer::Answer;
use crate::trace;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// A trace that gets longer is not sent: it lies in memory until it ends.
const MOST: usize = 256 << 20;

/// Takes so long. Blocks its thread.
pub(super) fn take(time: Duration) -> Answer {
    match record(time) {
        Ok(bytes) => Answer::file("trace", bytes),
        Err(error) => Answer::refusal(500, &format!("could not trace: {error}")),
    }
}

fn record(time: Duration) -> io::Result<Vec<u8>> {
    let (pieces, taken) = channel();
    trace::start(Pieces { to: pieces, left: MOST })?;
    std::thread::sleep(time);
    trace::stop()?;
    Ok(collect(&taken))
}

fn collect(taken: &Receiver<Vec<u8>>) -> Vec<u8> {
    taken.iter().flatten().collect()
}

/// What the collector writes to.
struct Pieces {
    to: Sender<Vec<u8>>,
    left: usize,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| {
            io::Error::other(format!("it has more than {} MiB: ask for less time", MOST >> 20))
        })?;
        self.to.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused() {
        let (to, taken) = channel();
        let mut pieces = Pieces { to, left: 5 };
        pieces.write_all(b"abc").unwrap();
        pieces.write_all(b"def").unwrap_err();
        drop(pieces);
        assert_eq!(collect(&taken), b"abc");
    }
}
