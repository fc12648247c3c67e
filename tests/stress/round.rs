//! One round: actors are started; they end by themselves, are reaped, or leave some
//! behind that wait for nothing.

use crate::actor::{Actor, Random};
use crate::fail;
use crate::world::{Job, World};
use gopark::chan::{self, Receiver};
use gopark::sync::{Condvar, Mutex, Semaphore, WaitGroup};
use gopark::{Scope, go};
use gopark_tests::Patience;
use leakcheck::{Filter, Options, find, verify_none};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// If nobody has begun an operation for so long, all wait for each other.
const STILL: Duration = Duration::from_millis(2);

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) ops: u64,
    received: u64,
    /// Tasks that the reaper has ended.
    reaped: u64,
    /// Tasks that a check has found.
    leaked: u64,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Outcome) {
        self.ops += other.ops;
        self.received += other.received;
        self.reaped += other.reaped;
        self.leaked += other.leaked;
    }
}

/// How a round ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Calm,
    Reaped,
    Leaky,
}

pub(crate) fn play(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let kind = match random.below(10) {
        0..=4 => Kind::Calm,
        5..=8 => Kind::Reaped,
        _ => Kind::Leaky,
    };
    let budget = 300 + random.below(2000);
    let capacities: Vec<usize> =
        (0..2 + random.below(4)).map(|_| [0, 0, 1, 2, 16][random.below(5) as usize]).collect();
    let (world, orders) = World::new(&capacities, budget);
    let reaper = thread::spawn(move || reap_all(&orders));
    let mut outcome = Outcome::default();

    let guard = verify_none(Options::new().name("round").settle(Duration::ZERO));
    let threads: Vec<_> = (0..random.below(3))
        .map(|_| {
            let (actor, scope) = (Actor::new(&world, random.next(), false), Scope::current());
            thread::spawn(move || {
                let _in = scope.enter();
                actor.act();
            })
        })
        .collect();
    let scope = Scope::new("actors");
    let tasks: Vec<_> = (0..2 + random.below(8))
        .map(|_| {
            let actor = Actor::new(&world, random.next(), kind == Kind::Reaped);
            let _in = (kind == Kind::Reaped).then(|| scope.enter());
            go(move || actor.act())
        })
        .collect();

    let until = if kind == Kind::Reaped { random.below(budget) } else { budget };
    run_until(&world, until);
    if kind == Kind::Reaped {
        let ended = scope.reap();
        if ended.abandoned != 0 {
            fail(&format!("{ended:?}"));
        }
        // A timer may yet start a task for it, which ends.
        world.remember(&scope);
        outcome.reaped += ended.ended as u64;
    }
    world.close();
    let mut patience = Patience::new(LIMIT);
    while !(tasks.iter().all(|task| task.is_finished())
        && threads.iter().all(|thread| thread.is_finished()))
    {
        if patience.is_over() {
            fail("everything is closed, and somebody waits");
        }
        thread::sleep(Duration::from_micros(50));
    }
    for task in tasks {
        if task.join().is_err() && kind != Kind::Reaped {
            fail("an actor has panicked");
        }
    }
    if threads.into_iter().any(|thread| thread.join().is_err()) {
        fail("an actor on a thread has panicked");
    }
    if kind == Kind::Leaky {
        outcome.leaked += leak(&mut random);
    }
    // leakcheck: no task is left, and none has panicked unseen.
    drop(guard);
    if !scope.take_panics().is_empty() {
        fail("a task that was reaped has panicked");
    }
    world.jobs.close();
    if reaper.join().is_err() {
        fail("the reaper has panicked");
    }
    outcome.ops = world.ops.load(Ordering::Relaxed);
    outcome.reaped += world.reaped.load(Ordering::Relaxed);
    outcome.received = world.settle();
    outcome
}

/// Until so many operations have begun, or none begins any more.
fn run_until(world: &World, ops: u64) {
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let now = world.ops.load(Ordering::Relaxed);
        if now >= ops {
            return;
        }
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > STILL {
            return;
        }
        thread::sleep(Duration::from_micros(20));
    }
}

fn reap_all(orders: &Receiver<Job>) {
    for (scope, done) in orders {
        let reaped = scope.reap();
        if reaped.abandoned != 0 {
            fail(&format!("{reaped:?} of a scope within the scope"));
        }
        // Its limit may have taken the one away who asked.
        let _ = done.send(reaped.ended);
    }
}

/// Leaves tasks behind that nobody can wake, which the check must find, all of them
/// and nobody else. How many.
fn leak(random: &mut Random) -> u64 {
    let count = 1 + random.below(12);
    let (tx, rx) = chan::rendezvous::<u64>();
    let (full, kept) = chan::bounded(1);
    full.send(0_u64).expect("there is room");
    let group = WaitGroup::new();
    group.add(1);
    let shared = Arc::new((Mutex::new(()), Condvar::new(), Semaphore::new(1)));
    shared.2.acquire(1).forget();
    for _ in 0..count {
        let kind = random.below(6);
        let (tx, rx, full, kept) = (tx.clone(), rx.clone(), full.clone(), kept.clone());
        let (group, shared) = (group.clone(), shared.clone());
        drop(go(move || match kind {
            // Both ends are kept here, so nobody else can close it.
            0 => drop((rx.recv(), tx)),
            1 => drop((full.send(1), kept)),
            2 => group.wait(),
            3 => shared.1.wait(&mut shared.0.lock()),
            4 => drop(shared.2.acquire(1)),
            _ => gopark::select! {
                recv(rx) -> _ => drop(tx),
                send(full, 2) -> _ => drop(kept),
            },
        }));
    }
    let Err(leaks) = find(&Filter::new()) else { fail("leaks were not found") };
    if leaks.len() as u64 != count {
        fail(&format!("{count} tasks leak, and these were found:\n{leaks}"));
    }
    let reaped = leaks.reap();
    if reaped.abandoned != 0 || reaped.ended as u64 != count {
        fail(&format!("of {count} that leak: {reaped:?}"));
    }
    count
}
