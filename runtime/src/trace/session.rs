//! Reading the tapes, in time, and handing the bytes to whoever wants them.
//!
//! At a *cut* the collector reads the clock, waits until every entry of an earlier time
//! is on its tape (E2), and passes on what is earlier than the clock, in the order of
//! time; the rest waits on the tapes for the next cut. One that repeats an earlier time
//! (O1) may come after the cut, and then has that of the cut. The processors' counter is
//! turned into nanoseconds between two cuts in proportion, so nobody need know its rate.
//!
//! The whole state is behind one lock: the collector cuts some forty times a second, and
//! whoever starts, stops or wants a copy cuts for himself.

#![expect(clippy::disallowed_types, reason = "held outside of sections")]

use super::file::HEADER;
use super::model::{Model, OUTSIDE, Who};
use super::recorder::Recorder;
use crate::arch;
use crate::sched::observe;
use crate::sched::tape::Tape;
use crate::sched::{self, SCHED, tapes};
use crate::sys::{clock, section};
use crate::task::record::flag;
use crate::task::registry;
use crate::task::state::Status;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::io::{self, Write};
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// How often the collector cuts, if no tape fills before. It takes a processor from a worker
/// each time, whose tasks wait meanwhile: not for long, so not seldom; and each time it finds
/// the caches without what it needs: not often.
const EVERY: Duration = Duration::from_millis(25);
/// A generation ends when it is so old, or so long.
const AGE: u64 = 1_000_000_000;
const LENGTH: usize = 8 << 20;
/// Longer nobody holds the session who goes on.
const SOON: Duration = Duration::from_secs(1);

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

fn session() -> MutexGuard<'static, Option<Session>> {
    section::check_outside();
    SESSION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for who must not wait for ever: whoever has it may be the caller himself, or a
/// task that will not go on.
fn session_soon() -> Option<MutexGuard<'static, Option<Session>>> {
    section::check_outside();
    let end = clock::after(SOON);
    loop {
        match SESSION.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) if clock::now() >= end => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Events in the trace.
    pub events: u64,
    /// Entries that found no room, because they came faster than they could be
    /// written. The trace is valid all the same, and not exact around those.
    pub lost: u64,
    /// Bytes.
    pub bytes: u64,
}

pub(super) struct Session {
    model: Model,
    /// The counter and the clock at the last cut.
    anchor: (u64, u64),
    /// The time of each thread's last entry.
    latest: Vec<u64>,
    /// So many entries, and so many of those before this generation.
    lost: u64,
    lost_before: u64,
    /// Events in the generations that are over.
    counted: u64,
    /// Some were lost since the last generation.
    gaps: bool,
    writer: Option<Writer>,
    pub(super) recorder: Option<Recorder>,
}

struct Writer {
    to: Box<dyn Write + Send>,
    failed: Option<io::Error>,
    bytes: u64,
    events: u64,
    lost: u64,
}

impl Writer {
    /// After an error nothing more is written.
    fn write(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.attempt(|to| to.write_all(bytes));
        self.bytes += bytes.len() as u64;
    }

    fn attempt(&mut self, f: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failed.is_none() {
            let done = catch_unwind(AssertUnwindSafe(|| f(&mut self.to)));
            self.failed =
                done.unwrap_or_else(|_| Err(io::Error::other("the trace's writer panicked"))).err();
        }
    }
}

impl Session {
    /// Begins to listen, and states what there is.
    fn begin() -> io::Result<Session> {
        tapes::start_collector(collect)?;
        all_tapes().iter().for_each(|(_, tape)| tape.rewind());
        tapes::take_lost();
        let anchor = (arch::ticks(), clock::now());
        let mut session = Session {
            model: Model::new(anchor.1, crate::maxprocs() as u32),
            anchor,
            latest: Vec::new(),
            lost: 0,
            lost_before: 0,
            counted: 0,
            gaps: false,
            writer: None,
            recorder: None,
        };
        tapes::turn_on();
        tapes::settle();
        // From here on every change is on a tape, but for one that a thread is about to
        // make. So who was seen in a state, and has no entry at the cut that follows, was
        // in that state from here to there, or it is put right at his next entry.
        let (seen, held): (_, Vec<_>) = (look(), workers().collect());
        for &(id, who, _) in &seen {
            session.model.hint(id, who);
        }
        session.cut();
        let still = seen.iter().filter_map(|&(id, _, status)| match status {
            Status::Waiting | Status::CopyStack | Status::Leaked => Some((id, true)),
            Status::Runnable => Some((id, false)),
            _ => None,
        });
        session.model.settle_hints(still, held.into_iter());
        Ok(session)
    }

    fn cut(&mut self) {
        // Those of workers that were made meanwhile exist, too.
        let now = (arch::ticks(), clock::now());
        tapes::settle();
        let (all, before) = (all_tapes(), self.lost);
        for (_, tape) in &all {
            tape.settle(std::thread::yield_now);
            self.lost += tape.take_lost();
        }
        self.lost += tapes::take_lost();
        self.gaps |= self.lost != before;
        self.merge(&all, now);
        self.anchor = now;
    }

    /// Hands on what is earlier than now, in the order of time; the rest stays where it is.
    /// What a thread wrote stays in its order, whatever the clocks say.
    fn merge(&mut self, tapes: &[(usize, &'static Tape)], now: (u64, u64)) {
        let Session { model, anchor, latest, .. } = self;
        // Nanoseconds a tick, with 32 bits behind the point.
        let ticks = u128::from((now.0 - anchor.0).max(1));
        let scale = (u128::from(now.1 - anchor.1) << 32) / ticks;
        latest.resize(latest.len().max(tapes.len()), 0);
        let mut readers: Vec<_> = tapes.iter().map(|(m, tape)| (*m, tape.reader())).collect();
        // The time of each one's next entry.
        let entries = readers.iter_mut().enumerate();
        let mut next: BinaryHeap<_> = entries
            .filter_map(|(n, (m, reader))| Some(Reverse((reader.ticks()?.max(latest[*m]), n))))
            .collect();
        while let Some(Reverse((_, n))) = next.pop() {
            let until = next.peek().map_or(now.0, |&Reverse((ticks, _))| ticks);
            let (m, reader) = &mut readers[n];
            let latest = &mut latest[*m];
            while let Some(ticks) = reader.ticks() {
                let ticks = ticks.max(*latest);
                if ticks >= now.0 {
                    break;
                }
                if ticks > until {
                    next.push(Reverse((ticks, n)));
                    break;
                }
                *latest = ticks;
                let since = u128::from(ticks.saturating_sub(anchor.0)) * scale;
                model.event(anchor.1 + (since >> 32) as u64, *m, &observe::read(reader));
            }
        }
    }

    /// Passes on what is complete of the generation, and ends it if it is time.
    fn turn(&mut self) {
        if let Some(writer) = &mut self.writer {
            // While it is in the cache, and little at a time: it is a worker that waits.
            writer.write(self.model.news());
            if self.recorder.is_none() {
                self.model.forget_told();
            }
        }
        let age = self.recorder.as_ref().map_or(AGE, |recorder| AGE.min(recorder.period() / 4));
        if self.model.len() >= LENGTH || self.anchor.1 - self.model.began() >= age {
            self.turn_over();
        }
    }

    fn turn_over(&mut self) {
        if std::mem::take(&mut self.gaps) {
            let alive: HashSet<u64> = look().into_iter().map(|(id, ..)| id).collect();
            // Who was born since the cut is not known here yet.
            self.model.forget(|id| alive.contains(&id));
        }
        let began = self.model.began();
        let (mut generation, events) = self.model.turn_over(self.anchor.1);
        if let Some(writer) = &mut self.writer {
            writer.write(generation.news());
            writer.events += events - self.counted;
        }
        (self.counted, self.lost_before) = (events, self.lost);
        if let Some(recorder) = &mut self.recorder {
            recorder.push(began, generation.into_bytes(), self.anchor.1);
        }
    }

    /// Nobody wants it any more?
    fn is_idle(&self) -> bool {
        self.writer.is_none() && self.recorder.is_none()
    }
}

/// Every tape with the number of its thread; those that are missing are made.
fn all_tapes() -> Vec<(usize, &'static Tape)> {
    let workers = SCHED.workers();
    let workers = workers.iter().map(|worker| (number(worker.id), worker.tape.prepare()));
    iter::once((OUTSIDE, tapes::OUTSIDE.prepare())).chain(workers).collect()
}

/// The thread of a worker.
fn number(worker: u32) -> usize {
    worker as usize + 1 + OUTSIDE
}

/// Every task there is: its number, its function and its state.
fn look() -> Vec<(u64, Who, Status)> {
    let mut tasks = Vec::new();
    registry::each(|record| {
        if record.has(flag::THREAD) {
            return;
        }
        let seen = record.observe(|record, reading| {
            let who = Who { entry: record.entry(), at: Some(record.created_at()) };
            (record.try_id(), who, reading.status())
        });
        if let Some((_, (Some(id), who, status))) = seen {
            tasks.push((id.get(), who, status));
        }
    });
    tasks
}

/// What each worker seems to do.
fn workers() -> impl Iterator<Item = (usize, u32, u64)> {
    SCHED.workers().into_iter().filter_map(|worker| {
        let p = worker.holding()?.id;
        let task = worker.running_elsewhere()?.try_id()?;
        Some((number(worker.id), p, task.get()))
    })
}

/// The collector's thread.
fn collect() -> ! {
    let mut seen = 0;
    loop {
        if let Some(session) = &mut *session() {
            session.cut();
            session.turn();
        }
        seen = tapes::sleep(seen, tapes::is_on().then_some(EVERY));
    }
}

/// Begins a session if there is none; calls `f` with it, at the beginning of a
/// generation.
pub(super) fn join(f: impl FnOnce(&mut Session) -> io::Result<()>) -> io::Result<()> {
    // That may itself begin a session, which the environment asks for.
    sched::start_default();
    let mut guard = session();
    let fresh = guard.is_none();
    if fresh {
        *guard = Some(Session::begin()?);
        // The collector sleeps without a limit.
        tapes::wake();
    }
    let session = guard.as_mut().expect("begun");
    if !fresh {
        session.cut();
        session.turn_over();
    }
    f(session)
}

/// Ends the session if nobody wants it any more; before that, `f` is called at the end
/// of a generation.
pub(super) fn part<R>(f: impl FnOnce(&mut Session) -> R) -> Option<R> {
    part_of(&mut session(), f)
}

/// The same, or nothing if somebody else holds the session for long.
pub(super) fn part_soon<R>(f: impl FnOnce(&mut Session) -> R) -> Option<R> {
    part_of(&mut *session_soon()?, f)
}

fn part_of<R>(guard: &mut Option<Session>, f: impl FnOnce(&mut Session) -> R) -> Option<R> {
    let session = guard.as_mut()?;
    session.cut();
    session.turn_over();
    let result = f(session);
    if session.is_idle() {
        tapes::turn_off();
        // Nobody is in the middle of an entry when this returns.
        tapes::settle();
        all_tapes().iter().for_each(|(_, tape)| tape.settle(std::thread::yield_now));
        *guard = None;
    }
    Some(result)
}

/// Starts a trace of everything that happens from now on, until [`stop`].
///
/// `writer` is called now and then by a thread of the runtime's own, with some ten thousand
/// bytes or with what the last second has left, and by [`stop`]; it must not itself start or
/// stop a trace, which would wait for it. Starts the runtime if it is not running. May block
/// the calling thread for some milliseconds. Go: `trace.Start`.
///
/// The variable `GOPARK_TRACE=FILE` in the environment has the whole run of a program
/// written to a file, from the start of the runtime to the end of the process; `%p` in the
/// name becomes the number of the process. Then a trace is being written already for whoever
/// calls this, and [`stop`] ends it.
///
/// # Errors
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if a trace is being written;
/// whatever the system says if it refuses a thread. What `writer` says, [`stop`] returns.
///
/// ```
/// gopark::trace::start(std::io::sink())?;
/// assert!(gopark::trace::start(std::io::sink()).is_err());
/// gopark::trace::stop()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn start<W: Write + Send + 'static>(writer: W) -> io::Result<()> {
    join(|session| {
        if session.writer.is_some() {
            let text = "a trace is being written already; stop it first";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        // What was lost while a session began is lost to this trace.
        let (to, lost) = (Box::new(writer), session.lost_before);
        let mut writer = Writer { to, failed: None, bytes: 0, events: 0, lost };
        writer.write(HEADER);
        session.writer = Some(writer);
        Ok(())
    })
}

/// Ends the trace that [`start`] began: writes what is left, flushes and drops the writer.
///
/// Blocks the calling thread until that is done. Without a trace it does nothing, and
/// the summary is empty. Go: `trace.Stop`.
///
/// # Errors
/// What the writer said first; afterwards nothing more was written.
pub fn stop() -> io::Result<Summary> {
    summary(part(take_writer))
}

/// The same, or nothing if somebody else holds the session for long.
pub(super) fn stop_soon() -> io::Result<Summary> {
    summary(part_soon(take_writer))
}

fn take_writer(session: &mut Session) -> Option<(Writer, u64)> {
    let mut writer = session.writer.take()?;
    writer.attempt(|to| to.flush());
    Some((writer, session.lost))
}

fn summary(stopped: Option<Option<(Writer, u64)>>) -> io::Result<Summary> {
    let Some((mut writer, lost)) = stopped.flatten() else {
        return Ok(Summary::default());
    };
    match writer.failed.take() {
        Some(error) => Err(error),
        None => {
            Ok(Summary { events: writer.events, lost: lost - writer.lost, bytes: writer.bytes })
        }
    }
}
