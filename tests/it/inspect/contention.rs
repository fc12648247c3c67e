//! Where tasks have waited for each other, and for how long.

use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, on_one_thread, parked, until};
use gopark::inspect::{
    Contended, Contention, WaitReason, block_profile, mutex_profile, mutex_profile_fraction,
    set_block_profile_rate, set_mutex_profile_fraction,
};
use gopark::sync::{Mutex, WaitGroup};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is at least waited for where it matters.
const SHORT: Duration = Duration::from_millis(3);

/// Of all records that have this function among their frames: how many there are, their
/// events, and the time that those took.
fn of(profile: &Contention, function: &str) -> (usize, u64, Duration) {
    let in_it = |it: &&Contended| it.trace.frames().any(|frame| frame.function.contains(function));
    let found: Vec<_> = profile.records.iter().filter(in_it).collect();
    let count = found.iter().map(|it| it.count).sum();
    (found.len(), count, found.iter().map(|it| it.delay).sum())
}

/// That there were so many such events, and that they took so long at least.
#[track_caller]
fn some(profile: &Contention, function: &str, count: u64, least: Duration) {
    let (_, events, delay) = of(profile, function);
    assert_eq!(events, count, "{function} in {}", profile.text());
    assert!(delay >= least, "{function} in {}", profile.text());
}

const NONE: (usize, u64, Duration) = (0, 0, Duration::ZERO);

#[inline(never)]
fn receives(gate: &Gate) {
    gate.pass();
    black_box(());
}

#[inline(never)]
fn waits_for_a_lock(lock: &Mutex<u64>) {
    *lock.lock() += 1;
    black_box(());
}

#[inline(never)]
fn waits_for_a_group(group: &WaitGroup) {
    group.wait();
    black_box(());
}

#[inline(never)]
fn sleeps() {
    gopark::sleep(SHORT);
    black_box(());
}

#[inline(never)]
fn lets_go<T>(guard: T) {
    drop(black_box(guard));
    black_box(());
}

/// Tasks are parked for the reason, and stay so for a while.
fn all_wait(tasks: &[gopark::JoinHandle<()>], reason: WaitReason) {
    tasks.iter().for_each(|task| drop(parked(task.id(), reason)));
    let begun = Instant::now();
    until("a while has passed", || begun.elapsed() >= SHORT);
}

fn join(tasks: Vec<gopark::JoinHandle<()>>) {
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

fn go_some(count: usize, f: impl Fn() + Clone + Send + 'static) -> Vec<gopark::JoinHandle<()>> {
    (0..count).map(|_| gopark::go(f.clone())).collect()
}

#[test]
fn waits_are_counted_where_they_are() {
    alone(here!(), &[], || {
        let wait = || {
            let gate = Gate::new();
            let tasks = go_some(5, {
                let gate = gate.clone();
                move || receives(&gate)
            });
            all_wait(&tasks, WaitReason::ChanReceive);
            gate.open();
            join(tasks);
        };
        // Off at first.
        wait();
        assert_eq!(of(&block_profile(), "::receives"), NONE);
        set_block_profile_rate(1);
        wait();
        some(&block_profile(), "::receives", 5, 5 * SHORT);
        // They are all in the middle of the same.
        assert_eq!(of(&block_profile(), "::receives").0, 1, "{}", block_profile().text());

        let lock = Arc::new(Mutex::new(0));
        let guard = lock.lock();
        let waiter = lock.clone();
        let tasks = go_some(1, move || waits_for_a_lock(&waiter));
        all_wait(&tasks, WaitReason::MutexLock);
        lets_go(guard);
        join(tasks);
        some(&block_profile(), "::waits_for_a_lock", 1, SHORT);

        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiter = group.clone();
        let tasks = go_some(2, move || waits_for_a_group(&waiter));
        all_wait(&tasks, WaitReason::WaitGroupWait);
        group.done();
        join(tasks);
        some(&block_profile(), "::waits_for_a_group", 2, 2 * SHORT);

        // Nobody has made these wait.
        join(go_some(3, sleeps));
        assert_eq!(of(&block_profile(), "::sleeps"), NONE);

        // What is counted stays when no more is.
        set_block_profile_rate(0);
        wait();
        some(&block_profile(), "::receives", 5, 5 * SHORT);
        // And adopted threads are counted as well.
        set_block_profile_rate(1);
        let gate = Gate::new();
        let opener = gate.clone();
        let task = gopark::go(move || {
            gopark::sleep(SHORT);
            opener.open();
        });
        receives(&gate);
        task.join().unwrap();
        some(&block_profile(), "::receives", 6, 6 * SHORT);
        // Nobody has asked for this.
        assert!(mutex_profile().records.is_empty());
    });
}

/// Whoever is ready waits for a processor, and no more for others.
#[test]
fn a_wait_ends_when_somebody_ends_it() {
    alone(here!(), ONE_COOPERATIVE, || {
        set_block_profile_rate(1);
        let most = on_one_thread(|| {
            let (gate, begun) = (Gate::new(), Instant::now());
            let tasks = go_some(1, {
                let gate = gate.clone();
                move || receives(&gate)
            });
            all_wait(&tasks, WaitReason::ChanReceive);
            gate.open();
            let most = begun.elapsed();
            // It cannot run before this task lets it.
            while begun.elapsed() < 2 * most {}
            join(tasks);
            most
        });
        some(&block_profile(), "::receives", 1, SHORT);
        let (_, _, delay) = of(&block_profile(), "::receives");
        assert!(delay <= most, "{delay:?} of {most:?}");
    });
}

#[test]
fn those_who_make_others_wait_are_counted() {
    alone(here!(), &[], || {
        let lock = Arc::new(Mutex::new(0));
        let contend = || {
            let guard = lock.lock();
            let waiter = lock.clone();
            let tasks = go_some(1, move || waits_for_a_lock(&waiter));
            all_wait(&tasks, WaitReason::MutexLock);
            lets_go(guard);
            join(tasks);
        };
        contend();
        assert!(mutex_profile().records.is_empty());
        assert_eq!(set_mutex_profile_fraction(1), 0);
        assert_eq!(mutex_profile_fraction(), 1);
        contend();
        contend();
        some(&mutex_profile(), "::lets_go", 2, 2 * SHORT);
        assert_eq!(of(&mutex_profile(), "::waits_for_a_lock"), NONE);
        // Nobody waits for it.
        lets_go(lock.lock());
        some(&mutex_profile(), "::lets_go", 2, 2 * SHORT);
        assert!(block_profile().records.is_empty());
    });
}
