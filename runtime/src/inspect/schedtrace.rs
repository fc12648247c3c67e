//! The scheduler's state in Go's words: `GOPARK_DEBUG=schedtrace=1000,scheddetail=1`.
//!
//! ```text
//! SCHED 1000ms: gomaxprocs=2 idleprocs=1 threads=5 spinningthreads=0 needspinning=0 idlethreads=1 runqueue=0 [ 3 0 ] schedticks=[ 17 4 ]
//! ```
//!
//! The forms are those of `schedtrace` in Go's `runtime/proc.go`, so that what reads those
//! reads these. What the words mean here is in the documentation of [`inspect`](super).
//!
//! The text is written in pieces of whole lines, none longer than what the kernel writes
//! to a pipe in one go: whoever else writes to stderr comes between two lines.

use super::{Kind, Snapshot, TaskInfo};
use crate::sched::figures::{Figures, OfWorker};
use crate::sched::offload;
use crate::sys::{clock, program};
use std::fmt::{self, Write as _};

/// Bytes that a write to a pipe does not mix with others' (`PIPE_BUF`).
const PIECE: usize = 4096;

/// Threads of the runtime's own that run no tasks: sysmon, and the one for errands.
const SERVICES: usize = 2;

/// What prints the state now and then.
pub(crate) struct Tracer {
    /// When it did so first; the times are counted from there, as in Go.
    begun: Option<u64>,
}

impl Tracer {
    pub(crate) fn new() -> Tracer {
        Tracer { begun: None }
    }

    /// Writes the state to stderr.
    pub(crate) fn print(&mut self, detail: bool) {
        let now = clock::now();
        let begun = *self.begun.get_or_insert(now);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write(&mut text, (now - begun) / 1_000_000, detail);
        pieces(&text).for_each(|piece| program::say(piece.as_bytes()));
    }
}

/// The text in pieces of whole lines.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let mut end = rest.floor_char_boundary(PIECE);
        if end < rest.len() {
            // A line that is longer comes in one piece, too.
            let line = || rest.find('\n').unwrap_or(rest.len() - 1);
            end = rest[..end].rfind('\n').unwrap_or_else(line) + 1;
        }
        let (piece, others) = rest.split_at(end);
        rest = others;
        (!piece.is_empty()).then_some(piece)
    })
}

fn write(text: &mut String, milliseconds: u64, detail: bool) -> fmt::Result {
    let figures = Figures::now();
    let (held, rest) = figures.bound();
    let lengths = figures.processors.iter().zip(held).map(|(p, bound)| p.queued + bound);
    let lengths: Vec<usize> = lengths.collect();
    write!(
        text,
        "SCHED {milliseconds}ms: gomaxprocs={} idleprocs={} threads={} spinningthreads={} \
         needspinning={} idlethreads={} runqueue={}",
        figures.maxprocs,
        figures.idle_processors,
        threads(&figures),
        figures.spinning,
        u8::from(figures.needs_spinning),
        figures.idle_threads,
        figures.waiting + rest,
    )?;
    if detail {
        writeln!(
            text,
            " gcwaiting=false nmidlelocked={} stopwait=0 sysmonwait={}",
            figures.idle_locked, figures.sysmon_sleeps
        )?;
        return write_details(text, &figures, &lengths);
    }
    text.push_str(" [ ");
    lengths.iter().try_for_each(|length| write!(text, "{length} "))?;
    text.push_str("] schedticks=[ ");
    figures.processors.iter().try_for_each(|p| write!(text, "{} ", p.tick))?;
    text.push_str("]\n");
    Ok(())
}

/// All of the runtime's own.
pub(super) fn threads(figures: &Figures) -> usize {
    figures.threads + offload::thread_ids().count() + SERVICES
}

fn write_details(text: &mut String, figures: &Figures, lengths: &[usize]) -> fmt::Result {
    let tasks = Snapshot::all().tasks;
    for (n, (p, length)) in figures.processors.iter().zip(lengths).enumerate() {
        writeln!(
            text,
            "  P{n}: status={} schedtick={} syscalltick={} m={} runqsize={length} gfreecnt={} \
             timerslen={}",
            p.usage as u8,
            p.tick,
            p.calls,
            Or(p.holder),
            p.free,
            p.timers,
        )?;
    }
    // The youngest first, as in Go.
    for w in figures.workers.iter().rev() {
        let locked = tasks.iter().find(|task| locked_to(task, &figures.workers) == Some(w.id));
        writeln!(
            text,
            "  M{}: p={} curg={} mallocing=0 throwing=0 preemptoff= locks=0 dying=0 spinning={} \
             blocked={} lockedg={}",
            w.id,
            Or(w.processor),
            Or(w.task),
            w.spinning,
            w.asleep,
            Or(locked.map(|task| task.id)),
        )?;
    }
    for task in &tasks {
        let reason = task.wait.map_or("", |wait| wait.reason.as_str());
        let runs = figures.workers.iter().find(|w| w.task == Some(task.id));
        writeln!(
            text,
            "  G{}: status={}({reason}) m={} lockedm={}",
            task.id,
            task.status as u8,
            Or(runs.map(|w| w.id)),
            Or(locked_to(task, &figures.workers)),
        )?;
    }
    Ok(())
}

/// The worker that the task has locked, or that was made for it.
fn locked_to(task: &TaskInfo, workers: &[OfWorker]) -> Option<u32> {
    let id = task.worker.filter(|_| task.kind == Kind::Task)?;
    let own = || workers.iter().any(|w| w.id == id && w.own);
    (task.locked || own()).then_some(id)
}

/// Go's word for what is not there.
struct Or<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Or<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("nil"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PIECE, pieces};

    #[test]
    fn pieces_are_whole_lines_that_a_pipe_takes_at_once() {
        let line = |n: usize| format!("{}\n", "x".repeat(n - 1));
        let text: String = (1..400).map(line).collect();
        let all: Vec<&str> = pieces(&text).collect();
        assert_eq!(all.concat(), text);
        assert!(all.iter().all(|piece| piece.ends_with('\n') && piece.len() <= PIECE));
        assert!(all.len() <= text.len() / (PIECE - 400) + 1, "{} pieces", all.len());
        assert_eq!(pieces(&line(PIECE)).count(), 1);
        // One that no pipe takes at once comes whole all the same.
        let text = line(10) + &line(3 * PIECE) + &line(10);
        let all: Vec<usize> = pieces(&text).map(str::len).collect();
        assert_eq!(all, [10, 3 * PIECE, 10]);
        assert_eq!(pieces("").count(), 0);
    }
}
