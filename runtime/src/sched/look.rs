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
//! A thread that was adopted is held and asked in the same way.
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
//! # Who is asked
//! A worker, or the record of an adopted thread: the address goes with the signal, and the
//! handler compares it with what its own thread has. So whoever gets the signal by mistake,
//! because the thread has ended and its number is another's by now, does nothing. Who
//! stands says himself which task or thread he is, where, and on what stack: none of that
//! is taken from what the asker believes.
//!
//! The program's threads are interrupted in calls of its own. Most go on by themselves
//! (SA_RESTART); those that end with `EINTR` at any signal with a handler, such as `poll`
//! and `nanosleep`, do so at this one. std calls them again. A thread that blocks the signal
//! does not answer. The alternate stack may be std's, which is small: so the handler does
//! little, and other signals wait until it is done (`sys::signal::waiting`).
//!
//! - **V1** What is read while a task stands still: the words of its stack from the
//!   saved stack pointer up, and its chain of segments (G2).
//! - **V2** `STANDING` points to what lies in the frame of who stands. It is written by who
//!   has taken the question, before a2, as nobody else can have that; and read between
//!   a3 and a4, when he stands.
#![expect(clippy::disallowed_types, reason = "who waits for his turn is outside of sections")]

use super::worker::Worker;
use super::{SCHED, enqueue, signal};
use crate::arch::{self, Registers};
use crate::question::{Answer, Question, Stand};
use crate::stack::{self, Pieces};
use crate::sys::section::{self, Section};
use crate::sys::{clock, futex};
use crate::task::record::{Record, TaskId, flag};
use crate::task::state::{Reading, Release, Status};
use core::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
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

/// Who is asked; the address of a [`Worker`] or a [`Record`].
type Who = ();

static QUESTION: Question<Who> = Question::new();

/// See V2.
static STANDING: AtomicPtr<Option<Standing>> = AtomicPtr::new(ptr::null_mut());

static TURN: Mutex<()> = Mutex::new(());

/// Between two signals.
const AGAIN: Duration = Duration::from_millis(1);
/// How long a thread stands still for an asker who has no CPU.
const PATIENCE: Duration = Duration::from_millis(50);

/// Who stands, where, and on what stack.
pub(super) struct Standing {
    task: TaskId,
    at: Registers,
    stack: Pieces,
}

impl Standing {
    /// On the thread of the task, or the one that was adopted.
    pub(super) fn new(task: &Record, at: &Registers, stack: Pieces) -> Standing {
        Standing { task: task.id(), at: *at, stack }
    }
}

/// Whose thread gets the signal.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    Worker(&'static Worker),
    /// A thread that was adopted.
    Thread(&'static Record),
}

impl Asked {
    fn who(self) -> *const Who {
        match self {
            Asked::Worker(w) => ptr::from_ref(w).cast(),
            Asked::Thread(record) => ptr::from_ref(record).cast(),
        }
    }

    fn hears(self) -> bool {
        match self {
            Asked::Worker(w) => w.slices.is_told(),
            Asked::Thread(_) => SCHED.preempts(),
        }
    }

    /// Sends the signal. `false`: that task will not answer any more.
    fn poke(self, task: TaskId) -> bool {
        match self {
            Asked::Worker(w) => {
                signal::poke(w);
                true
            }
            Asked::Thread(record) => {
                // If the thread ends here the number may become another's, which does
                // nothing.
                let tid = record.observe(|it, reading| {
                    let ended = matches!(reading.status(), Status::Idle | Status::Dead);
                    let there = !ended && it.has(flag::THREAD) && it.id() == task;
                    there.then(|| it.tid.load(Ordering::Relaxed))
                });
                tid.and_then(|(_, tid)| tid).is_some_and(|tid| signal::poke_thread(tid, self.who()))
            }
        }
    }
}

/// Calls `f` with where the task is and with its stack, if it runs there and its thread
/// answers before `end`, a time on the clock of `sys::clock`. `f` is in a section
/// (N1). Not for the calling thread. Blocks it until `end` at most.
pub(crate) fn asked<R>(
    asked: Asked,
    task: TaskId,
    end: u64,
    f: impl FnOnce(&Registers, Pieces) -> R,
) -> Option<R> {
    if !asked.hears() {
        return None;
    }
    section::check_outside();
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    QUESTION.ask(asked.who());
    let mut late = false;
    loop {
        let seen = match QUESTION.answer() {
            Answer::NotYet(seen) => seen,
            Answer::Stands => break,
            Answer::Withdrawn => return None,
        };
        late = late || clock::now() >= end || !asked.poke(task);
        if late && QUESTION.withdraw(asked.who()) {
            return None;
        }
        // When it is late it is just being answered.
        futex::wait(QUESTION.futex(), seen, Some(AGAIN));
    }
    let _section = Section::new();
    if !QUESTION.begin_reading() {
        return None;
    }
    // SAFETY: V2: who has taken this question stands until end_reading().
    let standing = unsafe { &*STANDING.load(Ordering::Relaxed) };
    let found = match standing {
        Some(it) if it.task == task => Some(f(&it.at, it.stack)),
        _ => None,
    };
    QUESTION.end_reading();
    futex::wake(QUESTION.futex(), i32::MAX);
    found
}

/// In the handler, outside of a section: is this thread asked? Then it stands still until
/// the asker has read its stack. `standing` is `None` if there is none to be read.
pub(super) fn answer(me: *const Who, standing: impl FnOnce() -> Option<Standing>) {
    let Some(question) = QUESTION.take(me) else { return };
    let standing = standing();
    // From here on the frame stays until the question is over (V2); stand() publishes it.
    STANDING.store(ptr::from_ref(&standing).cast_mut(), Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::adopt;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, mpsc};
    use std::thread;

    /// Whoever waits for an answer that does not come hangs.
    const NEVER: u64 = u64::MAX;

    fn sp(at: &Registers, stack: Pieces) -> Option<usize> {
        let mut stack = stack;
        stack.find(|part| (part.bounds.0..part.bounds.1).contains(&at.sp)).map(|_| at.sp)
    }

    #[test]
    fn only_who_is_meant_is_read() {
        let over = Arc::new(AtomicBool::new(false));
        let (tx, rx) = mpsc::channel();
        let thread = thread::spawn({
            let over = over.clone();
            move || {
                let me = adopt::current();
                tx.send((me, me.id())).unwrap();
                while !over.load(Ordering::Relaxed) {
                    core::hint::spin_loop();
                }
            }
        });
        let (record, id) = rx.recv().unwrap();
        let thread_is_at = asked(Asked::Thread(record), id, NEVER, sp);
        assert!(thread_is_at.flatten().is_some(), "on its own stack");
        // Somebody else had the record before, or will have it.
        for other in [id.get() + 1, u64::MAX] {
            let other = TaskId::new(other).unwrap();
            assert!(asked(Asked::Thread(record), other, NEVER, sp).is_none());
        }
        over.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        assert!(asked(Asked::Thread(record), id, NEVER, sp).is_none(), "it has ended");
    }
}
