//! Tasks that are suspended while they hold what belongs to all: malloc, the lock of
//! stdout, a hash map's, thread-locals.
//!
//! `GOPARK_TEST_SECONDS` makes it last longer: so long all of them compute together.

use super::{ONE_BRIEF, TWO_BRIEF, computed, migrate};
use crate::child::{Child, here, inside};
use crate::support::{Tally, thread_id, until};
use gopark::JoinHandle;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Goes on until it is told to stop. How often it has done it.
type Body = fn(&AtomicBool) -> u64;

const KINDS: [(&str, Body); 4] =
    [("push", push), ("insert", insert), ("print", print), ("local", local)];

/// A thread, what it had computed at first, and how much it has done.
type Done = (Duration, u64);

/// A vector that grows from nothing, and goes.
fn push_once(round: u64) {
    let mut all = Vec::new();
    for n in 0..2000_u64 {
        all.push(Box::new(n ^ round));
    }
    let sum: u64 = all.iter().map(|n| **n ^ round).sum();
    assert_eq!(sum, 1999 * 1000, "in a vector");
}

fn push(over: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !over.load(Ordering::Relaxed) {
        push_once(rounds);
        rounds += 1;
    }
    rounds
}

fn insert(over: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !over.load(Ordering::Relaxed) {
        let mut map = HashMap::new();
        for n in 0..1000_u64 {
            map.insert(format!("{n}"), vec![n; 3]);
        }
        for n in 0..1000_u64 {
            let value = map.remove(&format!("{n}"));
            assert_eq!(value.as_deref(), Some(&[n; 3][..]), "in a map");
        }
        assert!(map.is_empty());
        rounds += 1;
    }
    rounds
}

/// To a pipe, whose reader looks at every line.
fn print(over: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..5000 {
            black_box(&rounds);
        }
        println!("line {rounds}: {}", rounds * 7);
        rounds += 1;
    }
    rounds
}

fn local(over: &AtomicBool) -> u64 {
    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
        static LIST: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    let (mut rounds, before) = (0, COUNT.get());
    while !over.load(Ordering::Relaxed) {
        COUNT.set(COUNT.get() + 1);
        LIST.with_borrow_mut(|list| {
            list.push(rounds);
            if list.len() == 1000 {
                let expected = (rounds + 1 - 1000)..=rounds;
                assert!(list.iter().copied().eq(expected), "in a thread-local");
                list.clear();
            }
        });
        rounds += 1;
    }
    assert_eq!(COUNT.get() - before, rounds, "a thread-local");
    rounds
}

/// A hog of each kind. Tells the threads that they run on.
fn start(over: &Arc<AtomicBool>, threads: &Sender<u64>) -> Vec<JoinHandle<Done>> {
    let hog = |(_, body): &(_, Body)| {
        let (over, threads, body) = (over.clone(), threads.clone(), *body);
        gopark::go(move || {
            let before = computed(thread_id());
            threads.send(thread_id()).unwrap();
            let rounds = body(&over);
            (computed(thread_id()) - before, rounds)
        })
    };
    KINDS.iter().map(hog).collect()
}

/// Each of them has had between a half and twice the average, and the reader of the
/// pipe has seen all lines in order.
fn run(test: &str, settings: &[(&str, &str)], prepare: fn()) {
    let seconds = std::env::var("GOPARK_TEST_SECONDS").ok();
    let time = seconds.map_or(1.5, |text| text.parse().expect("a number of seconds"));
    if inside(test) {
        prepare();
        // With one CPU libtest has begun a line.
        println!();
        let over = Arc::new(AtomicBool::new(false));
        let (tell, threads) = channel();
        let hogs = start(&over, &tell);
        let threads: Vec<u64> = threads.iter().take(hogs.len()).collect();
        let all = || threads.iter().map(|thread| computed(*thread)).sum::<Duration>();
        // Others come and go.
        while all() < Duration::from_secs_f64(time) {
            std::thread::sleep(Duration::from_millis(1));
            gopark::go(|| drop(black_box(vec![1_u8; 1000]))).join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
        let done: Vec<Done> = hogs.into_iter().map(|hog| hog.join().unwrap()).collect();
        let fair = done.iter().map(|(time, _)| *time).sum::<Duration>() / done.len() as u32;
        println!("lines: {}", done[2].1);
        for ((name, _), (time, rounds)) in KINDS.iter().zip(&done) {
            eprintln!("{name}: {rounds} rounds in {time:?}, {fair:?} would be fair");
            assert!((fair / 2..=fair * 2).contains(time), "{name} had {time:?} of {fair:?}");
            assert!(*rounds > 0);
        }
        return;
    }
    let mut child = Child::new(test);
    for (key, value) in settings {
        child = child.env(key, value);
    }
    let ended = child.run();
    ended.passed(test);
    let mut lines = 0_u64;
    let mut said = None;
    for line in ended.stdout.lines() {
        if line.starts_with("line ") {
            assert_eq!(line, format!("line {lines}: {}", lines * 7), "in what was printed");
            lines += 1;
        } else if let Some(number) = line.strip_prefix("lines: ") {
            said = Some(number.parse().expect("a number"));
        }
    }
    assert_eq!(said, Some(lines), "lines were lost");
    eprint!("{}", ended.stderr);
}

#[test]
fn hogs_with_locks_of_all_share_one_processor() {
    run(here!(), ONE_BRIEF, || ());
}

#[test]
fn and_two() {
    run(here!(), TWO_BRIEF, || ());
}

#[test]
fn and_one_where_they_migrate() {
    run(here!(), &[("GOPARK_SLICE", "1ms")], || migrate(1));
}

/// An allocation in a thread without a processor waits for no task for ever.
#[test]
fn threads_allocate_beside_them() {
    crate::child::alone(here!(), ONE_BRIEF, || {
        let over = Arc::new(AtomicBool::new(false));
        let done = [(); 8].map(|()| Tally::new());
        let push = |done: &Tally| {
            let (over, done) = (over.clone(), done.clone());
            move || {
                while !over.load(Ordering::Relaxed) {
                    push_once(done.add() as u64);
                }
            }
        };
        let (of_tasks, of_threads) = done.split_at(4);
        let tasks: Vec<_> = of_tasks.iter().map(|done| gopark::go(push(done))).collect();
        let threads: Vec<_> = of_threads.iter().map(|it| std::thread::spawn(push(it))).collect();
        let begun = Instant::now();
        until("all have gone on for a while", || {
            begun.elapsed() > Duration::from_millis(300) && done.iter().all(|it| it.count() > 10)
        });
        over.store(true, Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}
