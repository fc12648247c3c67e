//! What every type of socket has, written once.

/// Descriptors, conversions from and to std's type, `try_clone`, `close`.
macro_rules! a_socket {
    ($name:ident, $std:path) => {
        impl $name {
            /// One more handle of this socket. All share its settings, its deadlines too.
            ///
            /// # Errors
            /// None; std's has one.
            pub fn try_clone(&self) -> std::io::Result<$name> {
                Ok($name { socket: self.socket.clone() })
            }

            /// Closes the socket, whoever else has a handle of it: calls that wait, and all
            /// that follow, fail with [`Closed`](super::Closed). Dropping the last handle
            /// closes it too. Go: `Close`.
            ///
            /// ```
            #[doc = concat!("let close = gopark::net::", stringify!($name), "::close;")]
            /// ```
            pub fn close(&self) {
                self.socket.close();
            }

            /// The error that the socket has had, which is taken away.
            ///
            /// # Errors
            /// If the system refuses.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.socket.get().take_error()
            }
        }

        /// Asks the system, so it can fail: the socket is made not to block, and enters
        /// the poller.
        impl TryFrom<$std> for $name {
            type Error = std::io::Error;

            fn try_from(socket: $std) -> std::io::Result<$name> {
                socket.set_nonblocking(true)?;
                Ok($name { socket: super::socket::Socket::new(socket)? })
            }
        }

        /// The socket blocks its thread again. Fails if there are other handles.
        impl TryFrom<$name> for $std {
            type Error = std::io::Error;

            fn try_from(socket: $name) -> std::io::Result<$std> {
                let socket = socket.socket.into_inner()?;
                socket.set_nonblocking(false)?;
                Ok(socket)
            }
        }

        impl std::os::fd::AsFd for $name {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket.fd()
            }
        }

        impl std::os::fd::AsRawFd for $name {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.socket.fd())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.socket.get(), f)
            }
        }
    };
}

/// Deadlines and timeouts of a socket with two directions.
macro_rules! deadlines {
    ($name:ident) => {
        impl $name {
            /// From `deadline` on reads fail with
            /// [`TimedOut`](std::io::ErrorKind::TimedOut), those that wait now too; `None`
            /// for never. Go: `SetReadDeadline`.
            pub fn set_read_deadline(&self, deadline: Option<std::time::Instant>) {
                self.socket.set_deadline(Direction::Read, deadline);
            }

            /// As [`set_read_deadline`](Self::set_read_deadline), for writes.
            pub fn set_write_deadline(&self, deadline: Option<std::time::Instant>) {
                self.socket.set_deadline(Direction::Write, deadline);
            }

            /// How long a read waits at most; then it fails with
            /// [`TimedOut`](std::io::ErrorKind::TimedOut). It counts for reads that begin
            /// to wait afterwards.
            ///
            /// # Errors
            /// If it is zero.
            pub fn set_read_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.socket.set_timeout(Direction::Read, timeout)
            }

            /// As [`set_read_timeout`](Self::set_read_timeout), for writes.
            ///
            /// # Errors
            /// If it is zero.
            pub fn set_write_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.socket.set_timeout(Direction::Write, timeout)
            }

            /// What was set.
            ///
            /// # Errors
            /// None; std's has one.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.timeout(Direction::Read))
            }

            /// What was set.
            ///
            /// # Errors
            /// None; std's has one.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.timeout(Direction::Write))
            }
        }
    };
}

/// `Read` and `Write` for a stream and a reference to it.
macro_rules! streams {
    ($name:ident) => {
        streams!(impl $name);
        streams!(impl &$name);
    };
    (impl $name:ty) => {
        impl Read for $name {
            #[track_caller]
            #[inline]
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.socket.read(Location::caller(), |mut s| s.read(into))
            }

            #[track_caller]
            fn read_vectored(&mut self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.socket.read(Location::caller(), |mut s| s.read_vectored(into))
            }
        }

        impl Write for $name {
            #[track_caller]
            #[inline]
            fn write(&mut self, from: &[u8]) -> io::Result<usize> {
                self.socket.write(Location::caller(), |mut s| s.write(from))
            }

            #[track_caller]
            fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
                self.socket.write(Location::caller(), |mut s| s.write_vectored(from))
            }

            /// Nothing is kept back.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

/// Accepting: one connection, one after the other, until a deadline.
macro_rules! a_listener {
    ($name:ident, $stream:ident, $address:path) => {
        impl $name {
            /// Waits for the next connection. Parks the task, with the reason `IO wait`, or
            /// blocks a thread. A connection that was given up before it is taken is passed
            /// over.
            ///
            /// # Errors
            /// [`Closed`](super::Closed), `TimedOut`, or what the system says: too many open
            /// files, for one.
            #[track_caller]
            pub fn accept(&self) -> io::Result<($stream, $address)> {
                let accepted = self.socket.read(Location::caller(), |socket| {
                    loop {
                        match socket.accept() {
                            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                            done => return done,
                        }
                    }
                });
                let (stream, address) = accepted?;
                Ok((stream.try_into()?, address))
            }

            /// The connections, one after the other; ends when the listener is closed.
            pub fn incoming(&self) -> Incoming<'_, $name> {
                Incoming { listener: self }
            }

            /// The address it listens at.
            ///
            /// # Errors
            /// If the listener was closed.
            pub fn local_addr(&self) -> io::Result<$address> {
                self.socket.get().local_addr()
            }

            /// From `deadline` on `accept` fails with
            /// [`TimedOut`](io::ErrorKind::TimedOut), one that waits now too; `None` for
            /// never. Go: `SetDeadline`.
            pub fn set_deadline(&self, deadline: Option<Instant>) {
                self.socket.set_deadline(Direction::Read, deadline);
            }
        }

        impl Iterator for Incoming<'_, $name> {
            type Item = io::Result<$stream>;

            #[track_caller]
            fn next(&mut self) -> Option<Self::Item> {
                match self.listener.accept() {
                    Ok((stream, _)) => Some(Ok(stream)),
                    Err(_) if self.listener.socket.is_closed() => None,
                    Err(error) => Some(Err(error)),
                }
            }
        }
    };
}

pub(super) use {a_listener, a_socket, deadlines, streams};
