//! A task stands still while somebody reads its stack.
//!
//! Nothing stops for it but that one task, and for microseconds:
//!
//! | the task | why it stands still |
//! |---|---|
//! | is parked | it is held by its scan bit: whoever claims it meanwhile leaves it to us to enqueue it |
//! | is suspended | the same; at the end of its suspension it waits for us |
//! | runs | it is asked by a signal, and its thread waits in the handler |
//!
//! A thread that was adopted is held when it is parked, and never asked: its calls are
//! none of ours to interrupt.
//!
//! # Asking
//! One at a time. **(a1)** The asker writes whom he asks and sends the signal, again and
//! again until it arrives outside of a section. **(a2)** The handler takes the question,
//! says that the thread stands, and waits. **(a3)** The asker says that he looks, in a
//! section; he reads; **(a4)** he says that it is over. The asker waits for a2 for a limited
//! time, and then withdraws the question; the handler waits for a3 for a limited time, and
//! then says itself that it is over. Both are compare-exchanges, so both know which came
//! first. Between a3 and a4 nobody waits for anything (N1), so both ends come. The word
//! that says all that is in `question.rs`.
//!
//! Two tasks may ask each other: who waits for his turn, or for an answer, is outside
//! of a section, and so answers himself.
//!
//! - **V1** What is read while a task stands still: the words of its stack from the
//!   saved stack pointer up, and its chain of segments (G2).
#![expect(clippy::disallowed_types, reason = "who waits for his turn is outside of sections")]

use super::worker::Worker;
use super::{enqueue, signal};
use crate::arch::{self, Registers};
use crate::question::{Answer, Question, Stand};
use crate::stack::{self, Pieces};
use crate::sys::section::{self, Section};
use crate::sys::{clock, futex};
use crate::task::record::{Record, TaskId, flag};
use crate::task::state::{Reading, Release, Status};
use core::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Registers that one thread writes and others read, in order by something else.
pub(crate) struct Spot([AtomicUsize; 4]);

impl Spot {
    pub(crate) const fn new() -> Spot {
        Spot([const { AtomicUsize::new(0) }; 4])
    }

    pub(super) fn set(&self, at: &Registers) {
        let values = [at.pc, at.sp, at.fp, at.lr];
        self.0.iter().zip(values).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
    }

    fn get(&self) -> Registers {
        let [pc, sp, fp, lr] = self.0.each_ref().map(|word| word.load(Ordering::Relaxed));
        Registers { pc, sp, fp, lr }
    }
}

/// What an adopted thread leaves for observers when it parks. Lies in its frame, which
/// stays while the thread is parked or held.
pub(super) struct Parked {
    at: Registers,
    stack: Pieces,
}

impl Parked {
    /// Of the calling thread, in the function that this is inlined into.
    #[inline(always)]
    pub(super) fn here() -> Parked {
        Parked { at: arch::here(), stack: stack::pieces_of_thread() }
    }
}

/// Calls `f` with where the task stands still and with its stack, if it is parked or
/// suspended and its state is one that is `wanted`. `f` is in a section (N1).
pub(crate) fn held<R>(
    task: &'static Record,
    workers: &[&'static Worker],
    wanted: impl Fn(Reading) -> bool,
    f: impl FnOnce(&Registers, Pieces) -> R,
) -> Option<R> {
    let _section = Section::new();
    let seen = task.state.hold(wanted)?;
    // From here on the task does not go on.
    let found = spot(task, seen, workers).map(|(at, stack)| f(&at, stack));
    let thread = task.has(flag::THREAD);
    let futex = task.state.futex();
    if task.state.release() == Release::Enqueue {
        if thread {
            futex::wake_ptr(futex, 1);
        } else {
            enqueue::enqueue(task);
        }
    }
    found
}

/// Where the task is that is held.
fn spot(
    task: &'static Record,
    seen: Reading,
    workers: &[&'static Worker],
) -> Option<(Registers, Pieces)> {
    if seen.status() == Status::Preempted {
        let on = |w: &&&Worker| w.running_elsewhere().is_some_and(|task_| ptr::eq(task_, task));
        let w = workers.iter().find(on)?;
        return Some((w.interrupted.get(), stack::pieces_of(task)?));
    }
    let sp = task.sp.load(Ordering::Relaxed);
    if sp.is_null() {
        return None;
    }
    if task.has(flag::THREAD) {
        // SAFETY: park_thread() stored it before this park, and its frame stays while
        // the thread is held.
        let parked = unsafe { &*sp.cast_const().cast::<Parked>() };
        return Some((parked.at, parked.stack));
    }
    // SAFETY: A1: saved by the switch that left the task, which is held.
    let at = unsafe { arch::saved(sp) };
    Some((at, stack::pieces_of(task)?))
}

/// Where the calling task or thread is, and its stack, up to this function.
#[inline(always)]
pub(crate) fn here() -> (Registers, Pieces) {
    let stack = super::worker::current_task().and_then(stack::pieces_of);
    (arch::here(), stack.unwrap_or_else(stack::pieces_of_thread))
}

static QUESTION: Question<Worker> = Question::new();

static TURN: Mutex<()> = Mutex::new(());

/// Between two signals.
const AGAIN: Duration = Duration::from_millis(1);
/// How long a thread stands still for an asker who has no CPU.
const PATIENCE: Duration = Duration::from_millis(50);

/// Calls `f` with where the task is and with its stack, if it runs on the worker and its
/// thread answers before `end`, a time on the clock of `sys::clock`. `f` is in a section
/// (N1). Not for the calling thread. Blocks it until `end` at most.
pub(crate) fn asked<R>(
    w: &'static Worker,
    task: TaskId,
    end: u64,
    f: impl FnOnce(&Registers, Pieces) -> R,
) -> Option<R> {
    if !w.slices.is_told() {
        return None;
    }
    section::check_outside();
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    QUESTION.ask(w);
    let mut late = false;
    loop {
        let seen = match QUESTION.answer() {
            Answer::NotYet(seen) => seen,
            Answer::Stands => break,
            Answer::Withdrawn => return None,
        };
        late = late || clock::now() >= end;
        if late && QUESTION.withdraw(w) {
            return None;
        }
        if !late {
            signal::poke(w);
        }
        // When it is late it is just being answered.
        futex::wait(QUESTION.futex(), seen, Some(AGAIN));
    }
    let _section = Section::new();
    if !QUESTION.begin_reading() {
        return None;
    }
    let running = w.running_elsewhere().filter(|running| running.id() == task);
    let stack = running.and_then(stack::pieces_of);
    let found = stack.map(|stack| f(&w.interrupted.get(), stack));
    QUESTION.end_reading();
    futex::wake(QUESTION.futex(), i32::MAX);
    found
}

/// In the handler, outside of a section: is this thread asked? Then it stands still until
/// the asker has read its stack.
pub(super) fn answer(w: &Worker) {
    let Some(question) = QUESTION.take(w) else { return };
    QUESTION.stand(question);
    futex::wake(QUESTION.futex(), i32::MAX);
    let end = clock::after(PATIENCE);
    loop {
        let left = Duration::from_nanos(end.saturating_sub(clock::now()));
        match QUESTION.stands(question) {
            Stand::Over => return,
            Stand::Unread(_) if left.is_zero() => {
                if QUESTION.go_on(question) {
                    return;
                }
            }
            Stand::Unread(seen) => futex::wait(QUESTION.futex(), seen, Some(left)),
            Stand::Read(seen) => futex::wait(QUESTION.futex(), seen, None),
        }
    }
}
