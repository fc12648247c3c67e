//! What all sockets have in common: try, and wait if it would block.

use crate::netpoll::{Direction, Side, Source, Wait};
use crate::sys::{clock, socket};
use crate::task;
use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A socket of std's that does not block, and its place in the poller.
///
/// The place goes first: it is left before the descriptor is closed.
pub(super) struct Socket<S> {
    source: Source,
    inner: S,
}

/// The handles of one socket.
pub(super) type Shared<S> = Arc<Socket<S>>;

/// The socket was closed with `close`.
///
/// It is what [`io::Error::get_ref`] gives then; the error's kind is
/// [`NotConnected`](io::ErrorKind::NotConnected). Go: `net.ErrClosed`.
///
/// ```
/// use gopark::net::{Closed, TcpListener};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// listener.close();
/// let error = listener.accept().unwrap_err();
/// assert!(error.get_ref().is_some_and(|inner| inner.is::<Closed>()));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the socket was closed")
    }
}

impl Error for Closed {}

#[cold]
fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, Closed)
}

impl<S: AsRawFd> Socket<S> {
    /// Takes a socket that does not block.
    pub(super) fn new(inner: S) -> io::Result<Shared<S>> {
        // The descriptor is closed after the source was dropped.
        Ok(Arc::new(Socket { source: Source::new(inner.as_raw_fd())?, inner }))
    }

    pub(super) fn get(&self) -> &S {
        &self.inner
    }

    /// Tries until it does not block any more. Parks the task for that, or blocks a
    /// thread.
    #[inline]
    pub(super) fn until_done<R>(
        &self,
        direction: Direction,
        site: &'static Location<'static>,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        let me = task::arrive();
        let side = self.source.side(direction);
        let mut wait = Wait::new(me, site);
        loop {
            let seen = side.events();
            if self.is_closed() {
                return Err(closed());
            }
            side.in_time()?;
            match attempt(&self.inner) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) if self.is_closed() => return Err(closed()),
                done => return done,
            }
            side.wait(seen, &mut wait)?;
        }
    }

    pub(super) fn read<R>(
        &self,
        site: &'static Location<'static>,
        attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        self.until_done(Direction::Read, site, attempt)
    }

    pub(super) fn write<R>(
        &self,
        site: &'static Location<'static>,
        attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        self.until_done(Direction::Write, site, attempt)
    }

    /// Closes the socket under those who use it: they fail with [`Closed`].
    pub(super) fn close(&self) {
        if self.is_closed() {
            return;
        }
        self.source.close();
        // Without a descriptor to spare it is closed when the last handle is dropped.
        let _ = socket::close_behind(self.inner.as_raw_fd());
        self.source.wake();
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.source.is_closed()
    }

    /// The socket, if this is its only handle, out of the poller.
    pub(super) fn into_inner(self: Arc<Self>) -> io::Result<S> {
        if self.is_closed() {
            return Err(closed());
        }
        match Arc::try_unwrap(self) {
            Ok(Socket { source, inner }) => {
                drop(source);
                Ok(inner)
            }
            Err(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the socket has other handles, which cannot be left with one that blocks",
            )),
        }
    }

    fn side(&self, direction: Direction) -> &'static Side {
        self.source.side(direction)
    }

    pub(super) fn set_deadline(&self, direction: Direction, deadline: Option<Instant>) {
        let at = deadline.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            clock::after(left).min(u64::MAX - 1)
        });
        self.side(direction).set_deadline(at);
    }

    pub(super) fn set_timeout(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            // As std has it.
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "cannot set a 0 duration timeout",
            ));
        }
        self.side(direction).set_timeout(timeout);
        Ok(())
    }

    pub(super) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.side(direction).timeout()
    }
}

impl<S: AsFd> Socket<S> {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
