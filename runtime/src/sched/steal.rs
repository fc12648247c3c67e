//! How a thief walks over the other processors: step 7 of `find.rs`.
//!
//! In rounds, each from another processor on and with a longer pause after it. What may be
//! taken of each, `ripe.rs` says, and how much of that, `share.rs`. A worker that walks
//! spins, so as long as the walk takes, submitters need not wake anybody. Nothing hangs on
//! what it misses: a worker that goes to sleep after it has its last look (w4 of `idle.rs`).

use super::SCHED;
use super::processor::Processor;
use super::ripe::Ripe;
use super::worker::Worker;
use crate::sys::clock;
use crate::task::record::Record;

/// Rounds over all processors before the search gives up. A round waits a
/// little longer than the one before, some 20 µs in all: less than the kernel
/// takes to wake a sleeping thread.
const ROUNDS: u32 = 10;
/// The same while something waits that is not ripe (`ripe.rs`): somewhat longer than that
/// takes.
const MORE_ROUNDS: u32 = 20;

/// Step 7. Ends early if there is something else to run.
pub(super) fn walk(
    w: &'static Worker,
    p: &'static Processor,
    count: u32,
) -> Option<&'static Record> {
    let begun = clock::now();
    for round in 0..MORE_ROUNDS {
        let now = if round == 0 { begun } else { clock::now() };
        let start = p.random() % count;
        let mut not_yet = false;
        for n in 0..count {
            let victim = SCHED.processor((start + n) % count);
            if core::ptr::eq(victim, p) {
                continue;
            }
            let ripe = p.sight(victim).ripe(&victim.look(), begun, now);
            not_yet |= ripe == Ripe::NotYet;
            if matches!(ripe, Ripe::Nothing | Ripe::NotYet) {
                continue;
            }
            let fair = w.modesty.most(w, victim);
            // Rather one too many than a task that waits beside an idle processor.
            let most = if round + 1 < ROUNDS { fair } else { fair.max(1) };
            let next = || if ripe == Ripe::All { victim.steal_next() } else { None };
            if let Some(task) = p.steal_from(victim, most).or_else(next) {
                p.counts.steals.add(1);
                return Some(task);
            }
        }
        if SCHED.global_len() != 0 || (round + 1 >= ROUNDS && !not_yet) {
            break;
        }
        // Looking takes cache lines away from those who work; but nobody works on the
        // inbox.
        for _ in 0..8 << round.min(5) {
            if !w.inbox.is_empty() {
                return None;
            }
            core::hint::spin_loop();
        }
    }
    None
}
