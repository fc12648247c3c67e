//! Operations on locks, conditions and counters.

use crate::actor::Actor;
use crate::fail;
use crate::ledger::Token;
use crate::world::{PERMITS, PLACES};
use gopark::chan::{self, Case};
use gopark::sync::{Barrier, Condvar, Mutex, Permit};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What somebody does who holds a lock: nothing that waits for others for long.
fn dally(actor: &mut Actor) {
    match actor.below(12) {
        0 => gopark::sleep(actor.moment()),
        1 | 2 => gopark::yield_now(),
        3 => {
            let line = actor.line();
            if let Ok(token) = line.rx.try_recv() {
                actor.got(&line, token);
            }
        }
        4 => {
            let (line, limit) = (actor.line(), actor.moment());
            if let Ok(token) = line.rx.recv_timeout(limit) {
                actor.got(&line, token);
            }
        }
        _ => {}
    }
}

pub(crate) fn mutex(actor: &mut Actor) {
    let (world, limit) = (actor.world.clone(), actor.moment());
    let guard = match actor.below(4) {
        0 => world.lock.try_lock(),
        1 => world.lock.try_lock_for(limit),
        _ => Some(world.lock.lock()),
    };
    if let Some(mut guard) = guard {
        let _inside = guard.enter();
        dally(actor);
    }
}

pub(crate) fn rwlock(actor: &mut Actor) {
    let (world, limit) = (actor.world.clone(), actor.moment());
    let how = actor.below(4);
    if actor.below(3) == 0 {
        let guard = match how {
            0 => world.shared.try_write(),
            1 => world.shared.try_write_for(limit),
            _ => Some(world.shared.write()),
        };
        if let Some(mut guard) = guard {
            let _inside = guard.enter();
            dally(actor);
        }
        return;
    }
    let guard = match how {
        0 => world.shared.try_read(),
        1 => world.shared.try_read_for(limit),
        _ => Some(world.shared.read()),
    };
    if let Some(guard) = guard {
        let seen = guard.look();
        dally(actor);
        if guard.look() != seen {
            fail("a writer came in beside a reader");
        }
    }
}

/// A queue with few places, behind a mutex and two conditions.
pub(crate) fn condition(actor: &mut Actor) {
    let (world, limit) = (actor.world.clone(), actor.moment());
    let limited = actor.below(3) == 0;
    if actor.below(2) == 0 {
        let token = actor.token();
        let id = token.id;
        let mut queue = world.queue.lock();
        let full = |queue: &mut VecDeque<Token>| queue.len() >= PLACES && !world.is_closing();
        if limited {
            let _ = world.freed.wait_while_timeout(&mut queue, limit, full);
        } else {
            world.freed.wait_while(&mut queue, full);
        }
        if queue.len() >= PLACES {
            drop(queue);
            return token.back();
        }
        queue.push_back(token);
        world.ledger.sent(id);
        world.filled.notify_one();
        return;
    }
    let mut queue = world.queue.lock();
    let empty = |queue: &mut VecDeque<Token>| queue.is_empty() && !world.is_closing();
    if limited {
        let _ = world.filled.wait_while_timeout(&mut queue, limit, empty);
    } else {
        world.filled.wait_while(&mut queue, empty);
    }
    let token = queue.pop_front();
    if token.is_some() {
        world.freed.notify_one();
    }
    drop(queue);
    if let Some(token) = token {
        token.got();
    }
}

/// Has permits, and counts them.
struct Counted<'a>(Permit<'a>, &'a AtomicU32);

impl<'a> Counted<'a> {
    fn new(permit: Permit<'a>, inside: &'a AtomicU32) -> Counted<'a> {
        let count = permit.count() as u32;
        if inside.fetch_add(count, Ordering::AcqRel) + count > PERMITS {
            fail("more permits than there are");
        }
        Counted(permit, inside)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0.count() as u32, Ordering::AcqRel);
    }
}

pub(crate) fn semaphore(actor: &mut Actor) {
    let (world, limit) = (actor.world.clone(), actor.moment());
    let count = 1 + actor.below(u64::from(PERMITS)) as usize;
    let permit = match actor.below(5) {
        0 => world.permits.try_acquire(count),
        2 => world.context.acquire(&world.permits, count).ok(),
        1 => world.permits.acquire_timeout(count, limit).ok(),
        _ => Some(world.permits.acquire(count)),
    };
    if let Some(permit) = permit {
        let _counted = Counted::new(permit, &world.inside);
        dally(actor);
    }
}

/// The one of all, which may never be complete; or one of its own.
pub(crate) fn barrier(actor: &mut Actor) {
    if actor.below(2) == 0 || !actor.is_shallow() || actor.may_unwind() {
        let limit = actor.moment();
        let _ = actor.world.barrier.wait_timeout(limit);
        return;
    }
    let parties = 2 + actor.below(2) as u32;
    let shared = Arc::new((Barrier::new(parties as usize), AtomicU32::new(0)));
    let arrive = move |shared: &(Barrier, AtomicU32)| {
        for round in 1..3 {
            shared.1.fetch_add(1, Ordering::Relaxed);
            shared.0.wait();
            if shared.1.load(Ordering::Relaxed) < round * parties {
                fail("somebody left before all had arrived");
            }
        }
    };
    let others: Vec<_> = (1..parties)
        .map(|_| {
            let shared = shared.clone();
            gopark::go(move || arrive(&shared))
        })
        .collect();
    arrive(&shared);
    others.into_iter().for_each(|other| other.join().expect("it does not panic"));
}

pub(crate) fn cell(actor: &mut Actor) {
    let at = actor.below(3) as usize;
    let (world, mine) = (actor.world.clone(), 1 + actor.random.next() / 2);
    let value = *world.cells[at].get_or_init(|| {
        gopark::yield_now();
        mine
    });
    let first = world.values[at].compare_exchange(0, value, Ordering::Relaxed, Ordering::Relaxed);
    if first.is_err_and(|first| first != value) {
        fail("a cell has two values");
    }
}

pub(crate) fn wait_group(actor: &mut Actor) {
    let world = actor.world.clone();
    match actor.below(5) {
        0 => {
            /// Counts down.
            struct Done<'a>(&'a gopark::sync::WaitGroup);
            impl Drop for Done<'_> {
                fn drop(&mut self) {
                    self.0.done();
                }
            }
            world.group.add(1);
            let _done = Done(&world.group);
            dally(actor);
        }
        1 if actor.is_shallow() => {
            let child = actor.child();
            drop(world.group.go(move || child.steps(2)));
        }
        2 => {
            let _ = world.context.wait_for(&world.group);
        }
        3 => {
            let limit = actor.moment();
            let mut zero = world.group.case();
            let _ = chan::select_timeout(&mut [&mut zero as &mut dyn Case], limit);
        }
        // One of its own, whose end is known.
        _ => {
            let group = gopark::sync::WaitGroup::new();
            let ended = Arc::new(AtomicU32::new(0));
            for _ in 0..2 {
                let ended = ended.clone();
                drop(group.go(move || {
                    gopark::yield_now();
                    ended.fetch_add(1, Ordering::Relaxed)
                }));
            }
            group.wait();
            if ended.load(Ordering::Relaxed) != 2 && !actor.is_mortal() {
                fail("a wait ended before what it waits for");
            }
        }
    }
}

/// One signal, which must not be lost.
pub(crate) fn signal(actor: &mut Actor) {
    if !actor.is_shallow() {
        return;
    }
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let signals = shared.clone();
    let child = gopark::go(move || {
        *signals.0.lock() = true;
        signals.1.notify_one();
    });
    let mut ready = shared.0.lock();
    if actor.is_mortal() {
        // The child may have been reaped.
        let limit = Duration::from_millis(1);
        let _ = shared.1.wait_while_timeout(&mut ready, limit, |ready| !*ready);
    } else {
        shared.1.wait_while(&mut ready, |ready| !*ready);
    }
    drop(ready);
    let _ = child.join();
}
