//! What becomes of a deep stack whose task is parked.

use super::{KIB, MIB, PAGE, PageMap, down, resident, stack_pointer};
use crate::child::{Child, alone, here, inside};
use crate::support::{Gate, Tally, Tick, parked, until};
use gopark::chan::{self, Receiver, Sender};
use gopark::inspect::WaitReason;
use gopark::runtime::Config;
use gopark::stack::{grow, usage};
use gopark::{Builder, JoinHandle, go};
use gopark_tests::Patience;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How deep tasks go before they park.
const DEEP: usize = 200 * KIB;
/// A task that has been parked for less is left alone.
const AFTER: Duration = Duration::from_millis(200);

/// A task that was deep and parks after.
struct Deep {
    task: JoinHandle<()>,
    /// What it touched and does not use any more.
    below: Range<usize>,
    /// Before it parked.
    since: Tick,
}

impl Deep {
    /// It parks with `used` bytes in use.
    fn new(used: usize, gate: &Gate) -> Deep {
        let (held, (tx, rx)) = (gate.clone(), chan::rendezvous());
        let task = Builder::new().stack_limit(512 * KIB).go(move || {
            let bottom = down(DEEP, stack_pointer);
            let back = || {
                let below = bottom..stack_pointer();
                assert!(resident(below.clone()) + used + 2 * PAGE >= DEEP, "it was not that deep");
                tx.send((below, Tick::now())).unwrap();
                held.pass();
            };
            if used == 0 { back() } else { down(used, back) }
        });
        let task = task.unwrap();
        let (below, since) = rx.recv().unwrap();
        // What the call of `pass` uses is not below it.
        Deep { below: below.start..below.end - 2 * PAGE, task, since }
    }

    /// Bytes that it holds and does not use.
    fn idle(&self) -> usize {
        resident(self.below.clone())
    }
}

#[test]
fn a_parked_task_is_cut_to_two_pages() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let deep = Deep::new(0, &gate);
        until("it has lost something", || deep.idle() < DEEP - 4 * PAGE);
        assert!(deep.since.elapsed() >= AFTER, "after {:?}", deep.since.elapsed());
        // It is the only task that there ever was.
        until("two pages are left", || usage().committed <= 2 * PAGE);
        assert_eq!(deep.idle(), 0);
        // From 51 pages to 2, by halves.
        let trims = usage().trims;
        assert!((5..=6).contains(&trims), "{trims} trims");
        gate.open();
        deep.task.join().unwrap();
    });
}

/// What the trimming of a task took elsewhere is over here too, in vain.
#[test]
fn without_shrinking_it_keeps_what_it_had() {
    const CONTROL: &str = "GOPARK_TEST_CONTROL";
    if !inside(here!()) {
        Child::new(here!()).env("GOPARK_DEBUG", "shrinkstackoff=1").run().passed(here!());
        return;
    }
    let gate = Gate::new();
    let deep = Deep::new(0, &gate);
    if std::env::var_os(CONTROL).is_some() {
        until("it is trimmed", || deep.idle() == 0);
        assert!(usage().trims > 0);
    } else {
        let control = Child::new(here!()).env(CONTROL, "1").env("GOPARK_DEBUG", "");
        control.run().passed(here!());
        assert!(deep.idle() >= DEEP - 4 * PAGE, "only {} are left", deep.idle());
        assert_eq!(usage().trims, 0);
    }
    gate.open();
    deep.task.join().unwrap();
}

/// Go's rule: a half of it goes while less than a quarter of it is in use.
#[test]
fn a_task_that_uses_a_quarter_keeps_all() {
    alone(here!(), &[], || {
        let gate = Gate::new();
        let quarter = Deep::new(DEEP / 4 + 2 * PAGE, &gate);
        let before = quarter.idle();
        // Those that parked later have been looked at when they are done.
        let less: Vec<_> = (0..10).map(|_| Deep::new(DEEP / 8, &gate)).collect();
        for deep in &less {
            // A half of the rest is more than four times what is used.
            until("it is trimmed once", || deep.idle() <= DEEP / 2);
        }
        let shallow = Deep::new(0, &gate);
        until("it is trimmed to the end", || shallow.idle() == 0);
        assert_eq!(quarter.idle(), before);
        for deep in less.iter().chain([&quarter, &shallow]) {
            assert!(!deep.task.is_finished());
        }
        gate.open();
        for deep in less.into_iter().chain([quarter, shallow]) {
            deep.task.join().unwrap();
        }
    });
}

/// What it uses of its own stack is not to be seen from outside.
#[test]
fn a_task_on_a_segment_is_left_alone() {
    let (gate, after) = (Gate::new(), Gate::new());
    let (held, later) = (gate.clone(), after.clone());
    let (tx, rx) = chan::rendezvous();
    let task = go(move || {
        let bottom = down(DEEP, stack_pointer);
        grow(64 * KIB, || {
            tx.send(bottom..bottom + DEEP - 2 * PAGE).unwrap();
            held.pass();
        });
        later.pass();
    });
    let below = rx.recv().unwrap();
    let before = resident(below.clone());
    parked(task.id(), WaitReason::ChanReceive);
    // One that parks after it is trimmed to the end.
    let other = Deep::new(0, &gate);
    until("the other is trimmed", || other.idle() == 0);
    assert_eq!(resident(below.clone()), before);
    gate.open();
    other.task.join().unwrap();
    // Back on its own stack it is like all others.
    until("it is trimmed", || resident(below.clone()) == 0);
    after.open();
    task.join().unwrap();
}

/// Every frame is what it was, wherever in its page the last one ends.
#[test]
fn what_is_in_use_survives() {
    let gate = Gate::new();
    let tasks: Vec<_> = (0..100).map(|n| Deep::new(100 + n * 200, &gate)).collect();
    for deep in &tasks {
        until("it is trimmed", || deep.idle() <= DEEP / 2);
    }
    gate.open();
    tasks.into_iter().for_each(|deep| deep.task.join().unwrap());
}

/// It goes as deep as before, and all it finds there is its own.
#[test]
fn a_trimmed_task_goes_deep_again() {
    let (gate, again) = (Gate::new(), Gate::new());
    let (held, twice) = (gate.clone(), again.clone());
    let (tx, rx) = chan::rendezvous();
    let task = go(move || {
        for gate in [held, twice] {
            let bottom = down(DEEP, stack_pointer);
            // Unoptimised, what is below may take more than a page; of a stack that uses
            // two, up to eight may stay.
            tx.send(bottom..stack_pointer() - 7 * PAGE).unwrap();
            gate.pass();
        }
        down(DEEP, || ());
    });
    for gate in [gate, again] {
        let below = rx.recv().unwrap();
        until("it is trimmed", || resident(below.clone()) == 0);
        gate.open();
    }
    task.join().unwrap();
}

/// Sleeping is parking.
#[test]
fn a_sleeping_task_is_trimmed_and_wakes() {
    let (tx, rx) = chan::rendezvous();
    let task = go(move || {
        let bottom = down(DEEP, stack_pointer);
        tx.send(bottom..stack_pointer() - 2 * PAGE).unwrap();
        let begin = Instant::now();
        gopark::sleep(Duration::from_secs(2));
        assert!(begin.elapsed() >= Duration::from_secs(2));
    });
    let below = rx.recv().unwrap();
    until("it is trimmed, or awake", || resident(below.clone()) == 0 || task.is_finished());
    task.join().unwrap();
}

/// Bytes that take the kernel a while to give back.
const VERY_DEEP: usize = 16 * MIB;

/// Woken at the moment when the first of its pages goes, while the others go.
fn woken_while_it_is_trimmed() {
    const TASKS: usize = 4;
    const ROUNDS: usize = 8;
    let (pages, woken) = (PageMap::open(), Tally::new());
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let (wake, wait): (Sender<()>, Receiver<()>) = chan::rendezvous();
        let (tx, rx) = chan::bounded(1);
        let woken = woken.clone();
        let task = Builder::new().stack_limit(64 * MIB).go(move || {
            for _ in 0..ROUNDS {
                // The pages that go first.
                tx.send(down(VERY_DEEP, stack_pointer)).unwrap();
                wait.recv().unwrap();
                woken.add();
            }
        });
        tasks.push((task.unwrap(), wake, rx));
    }
    for round in 0..ROUNDS {
        let deepest: Vec<_> = tasks.iter().map(|(.., rx)| rx.recv().unwrap()).collect();
        tasks.iter().for_each(|(task, ..)| drop(parked(task.id(), WaitReason::ChanReceive)));
        let mut left: Vec<_> = (0..TASKS).collect();
        let mut patience = Patience::new(Duration::from_secs(60));
        while !left.is_empty() {
            left.retain(|&n| {
                // Gone it is also if it was trimmed before anybody looked.
                let there = pages.there(deepest[n]);
                if !there {
                    tasks[n].1.send(()).unwrap();
                }
                there
            });
            assert!(!patience.is_over(), "{} tasks are not trimmed", left.len());
        }
        until("all woke", || woken.count() == TASKS * (round + 1));
    }
    tasks.into_iter().for_each(|(task, ..)| task.join().unwrap());
}

#[test]
fn a_task_that_is_woken_while_it_is_trimmed_runs() {
    woken_while_it_is_trimmed();
}

#[test]
fn a_task_that_may_move_and_is_woken_while_it_is_trimmed_runs() {
    alone(here!(), &[], || {
        #[expect(unsafe_code, reason = "the mode to be tested")]
        // SAFETY: no frame of this test's tasks has to do with thread-locals.
        unsafe { Config::new().migrating() }.start().unwrap();
        woken_while_it_is_trimmed();
    });
}
