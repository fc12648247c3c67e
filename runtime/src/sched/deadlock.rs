//! The end of a program in which nobody can go on. Go: `checkdead`.
//!
//! Under [`gopark::run`](crate::run), when sysmon finds all processors idle, it asks
//! for a [look](Checker::look) at every task and every thread, which is taken twice.
//! The verdict is a deadlock if the two accounts are equal, and show neither a task or a
//! thread that is not parked where only another ends it, nor a timer, nor a thread that
//! nothing is known of. For the first that ran after the first look would have been one
//! of those that it saw parked; the second shows it in another state, or not at all.
//! So between the two nobody ran, nothing was left that could wake one of them, and they
//! stand still for ever.
//!
//! Whoever is woken by a timer, a socket or the end of a system call takes a processor,
//! and sysmon asks again. What a thread does needs none: while there is one that is not
//! parked, or something changed between the two looks, it is looked again, rarely. In a
//! test harness there is no such check: the harness goes on, and whether a test left
//! something is the leak check's question.

use super::SCHED;
use crate::inspect::{self, census};
use crate::sys::{barrier, clock, program};
use crate::task::record::TaskId;
use crate::task::{adopt, registry, scope};
use crate::trace::environment;
use crate::trace::recorder::{self, Failure};
use std::collections::HashSet;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How soon it looks again, at the earliest; and after how many times the time that it
/// takes.
const AGAIN: Duration = Duration::from_secs(1);
const REST: u32 = 100;

/// Calls of `run` under way.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// A call of `run`, as long as this lives.
pub(crate) struct Run(());

impl Run {
    pub(crate) fn begin() -> Run {
        RUNS.fetch_add(1, Ordering::Relaxed);
        Run(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        RUNS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does anybody want to know?
pub(super) fn is_asked() -> bool {
    RUNS.load(Ordering::Relaxed) != 0 && !adopt::has_harness()
}

/// What one look found.
#[derive(Default)]
struct Account {
    /// Who is parked where only another task or thread ends it: who, and in which state.
    parked: Vec<(TaskId, u64)>,
    /// A task can go on, or somebody will wake one: then a processor is needed.
    moves: bool,
    /// A thread could do something, and needs none.
    thread: bool,
}

impl Account {
    fn take() -> Account {
        barrier::heavy();
        let mut account = Account::default();
        let mut known = HashSet::new();
        registry::each(|record| {
            let thread = census::adopted_thread(record);
            known.extend(thread);
            match record.blocked() {
                Some((id, stamp, true)) => account.parked.push((id, stamp)),
                _ if thread.is_some() => account.thread = true,
                _ => account.moves = true,
            }
        });
        account.parked.sort_unstable();
        // After the tasks: who was woken by a timer meanwhile is in another state at the
        // next look.
        account.moves |= scope::all_timers(|_, _| true) != 0;
        // And a thread that was adopted meanwhile is none of those that were seen parked.
        account.thread |= census::threads_beside(None).iter().any(|tid| !known.contains(tid));
        account
    }

    fn compare(&self, later: &Account) -> Finding {
        if self.thread || later.thread || self.parked != later.parked {
            Finding::Unsettled
        } else if self.moves || later.moves || self.parked.is_empty() {
            Finding::Waits
        } else {
            Finding::Deadlock
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Finding {
    /// Nobody can go on.
    Deadlock,
    /// What comes next needs a processor.
    Waits,
    /// It may become a deadlock without that.
    Unsettled,
}

/// Looks now and then.
pub(super) struct Checker {
    /// When it may look again.
    next: u64,
}

impl Checker {
    pub(super) fn new() -> Checker {
        Checker { next: 0 }
    }

    /// Ends the process if nobody can go on. When to look again, if nobody asks for it.
    pub(super) fn look(&mut self) -> Option<Duration> {
        if !is_asked() || !SCHED.all_idle() {
            return None;
        }
        let begin = clock::now();
        if begin < self.next {
            return Some(Duration::from_nanos(self.next - begin));
        }
        let finding = Account::take().compare(&Account::take());
        let end = clock::now();
        let rest = AGAIN.max(Duration::from_nanos(end - begin) * REST);
        self.next = end + rest.as_nanos() as u64;
        match finding {
            // It may have left `run` before the first look.
            Finding::Deadlock if is_asked() => die(),
            Finding::Deadlock | Finding::Waits => None,
            Finding::Unsettled => Some(rest),
        }
    }
}

/// Go's last words, and its exit status.
fn die() -> ! {
    let dump = inspect::dump();
    let recorded = recorder::write(Failure::Deadlock);
    let recorded = recorded.map_or(String::new(), |line| format!("\n{line}\n"));
    environment::end();
    let text = format!("fatal error: all goroutines are asleep - deadlock!\n\n{dump}{recorded}");
    program::say(text.as_bytes());
    let _ = std::io::stdout().flush();
    program::end(2)
}

#[cfg(test)]
mod tests {
    use super::{Account, Finding};
    use crate::task::record::TaskId;

    fn account(parked: &[u64], moves: bool, thread: bool) -> Account {
        let one = |id: &u64| (TaskId::new(*id).unwrap(), 7);
        Account { parked: parked.iter().map(one).collect(), moves, thread }
    }

    #[test]
    fn nobody_can_go_on() {
        let both = account(&[1, 2], false, false);
        assert_eq!(both.compare(&account(&[1, 2], false, false)), Finding::Deadlock);
    }

    /// As when a thread is adopted, and parks, between the two: no processor is needed
    /// for that, so nobody else asks.
    #[test]
    fn what_changed_is_looked_at_again() {
        let one = account(&[1], false, false);
        assert_eq!(one.compare(&account(&[1, 2], false, false)), Finding::Unsettled);
        let mut later = account(&[1], false, false);
        later.parked[0].1 += 1;
        assert_eq!(one.compare(&later), Finding::Unsettled);
    }

    /// A timer that a thread stops before it parks needs no processor either.
    #[test]
    fn a_thread_is_waited_for_beside_a_timer_too() {
        let thread = account(&[1], true, true);
        let none = account(&[1], true, false);
        assert_eq!(thread.compare(&none), Finding::Unsettled);
        assert_eq!(none.compare(&thread), Finding::Unsettled);
        assert_eq!(none.compare(&account(&[1], false, false)), Finding::Waits);
        assert_eq!(account(&[1], false, false).compare(&none), Finding::Waits);
    }
}
