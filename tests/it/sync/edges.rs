//! The edges of Go's memory model: what was written before one end of an edge is read
//! behind the other.
//!
//! What is written is an atomic without any order of its own, so nothing but the edge
//! can order it. On x86-64 that finds what the compiler moves and what is missing as a
//! whole; which orders a weaker processor may show is for the models of loom.

use crate::chan::support::PAIRS;
use gopark::chan::{self, bounded, rendezvous};
use gopark::sync::{Barrier, Condvar, Mutex, Once, Pool, RwLock, Semaphore, WaitGroup};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ROUNDS: u64 = 200;

/// What one writes and the other reads.
#[derive(Default)]
struct Word(AtomicU64);

impl Word {
    fn write(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Two that do something together, as tasks and as threads, many times. Each round has
/// values of its own.
#[track_caller]
fn both<S, M, A, B>(make: M, one: A, other: B)
where
    S: Send + Sync + 'static,
    M: Fn() -> S,
    A: Fn(&S, &Word) + Send + Sync + Copy + 'static,
    B: Fn(&S, &Word) + Send + Sync + Copy + 'static,
{
    for (first, second) in PAIRS {
        for _ in 0..ROUNDS / 4 {
            let shared = Arc::new((make(), Word::default()));
            let (of_one, of_other) = (shared.clone(), shared);
            let one = first.start(move || one(&of_one.0, &of_one.1));
            let other = second.start(move || other(&of_other.0, &of_other.1));
            one.join();
            other.join();
        }
    }
}

#[test]
fn a_start_comes_before_what_the_task_does_and_its_end_before_the_join() {
    for n in 1..ROUNDS {
        let word = Arc::new(Word::default());
        word.write(n);
        let inside = word.clone();
        let task = gopark::go(move || {
            assert_eq!(inside.read(), n);
            inside.write(n + 1);
        });
        task.join().unwrap();
        assert_eq!(word.read(), n + 1);
    }
}

#[test]
fn a_send_comes_before_the_end_of_its_receive() {
    for capacity in [0, 1, 3] {
        both(
            || bounded(capacity),
            |(tx, _), word| {
                word.write(1);
                tx.send(()).unwrap();
            },
            |(_, rx), word| {
                rx.recv().unwrap();
                assert_eq!(word.read(), 1);
            },
        );
    }
}

#[test]
fn a_close_comes_before_a_receive_that_finds_it() {
    both(
        || bounded::<()>(1),
        |(tx, _), word| {
            word.write(1);
            tx.close();
        },
        |(_, rx), word| {
            rx.recv().unwrap_err();
            assert_eq!(word.read(), 1);
        },
    );
}

#[test]
fn a_receive_without_a_buffer_comes_before_the_end_of_its_send() {
    both(
        rendezvous,
        |(_, rx), word| {
            word.write(1);
            rx.recv().unwrap();
        },
        |(tx, _), word| {
            tx.send(()).unwrap();
            assert_eq!(word.read(), 1);
        },
    );
}

/// With room for two: the first receive before the end of the third send.
#[test]
fn a_receive_comes_before_the_end_of_the_send_that_takes_its_room() {
    both(
        || bounded(2),
        |(_, rx), word| {
            word.write(1);
            rx.recv().unwrap();
        },
        |(tx, _), word| {
            (0..3).for_each(|_| tx.send(()).unwrap());
            assert_eq!(word.read(), 1);
        },
    );
}

#[test]
fn a_select_has_the_edges_of_its_case() {
    both(
        rendezvous,
        |(tx, _), word| {
            word.write(1);
            gopark::select! { send(tx, ()) -> sent => sent.unwrap() }
        },
        |(_, rx), word| {
            let never = chan::never::<()>();
            gopark::select! {
                recv(rx) -> got => got.unwrap(),
                recv(never) => unreachable!(),
            }
            assert_eq!(word.read(), 1);
        },
    );
}

#[test]
fn an_unlock_comes_before_the_next_lock() {
    let add = |lock: &Mutex<()>, word: &Word| {
        for _ in 0..20 {
            let _guard = lock.lock();
            word.write(word.read() + 1);
        }
    };
    both(|| Mutex::new(()), add, add);
    let counted = Arc::new((Mutex::new(()), Word::default()));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let counted = counted.clone();
            gopark::go(move || add(&counted.0, &counted.1))
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(counted.1.read(), 80);
}

#[test]
fn a_writer_comes_before_the_readers_that_follow_and_they_before_the_next_writer() {
    both(
        || RwLock::new(Word::default()),
        |lock, word| {
            for n in 1..20 {
                let inside = lock.write();
                word.write(n);
                inside.write(n);
            }
        },
        |lock, word| {
            for _ in 1..20 {
                let inside = lock.read();
                assert_eq!(word.read(), inside.read());
            }
        },
    );
}

#[test]
fn done_comes_before_the_wait_that_it_ends() {
    both(
        || {
            let group = WaitGroup::new();
            group.add(1);
            group
        },
        |group, word| {
            word.write(1);
            group.done();
        },
        |group, word| {
            group.wait();
            assert_eq!(word.read(), 1);
        },
    );
}

#[test]
fn the_function_of_a_once_comes_before_every_return() {
    let call = |once: &Once, word: &Word| {
        once.call_once(|| word.write(1));
        assert_eq!(word.read(), 1);
    };
    both(Once::new, call, call);
}

#[test]
fn a_signal_comes_before_the_end_of_the_wait() {
    both(
        || (Mutex::new(false), Condvar::new()),
        |(ready, changed), word| {
            word.write(1);
            *ready.lock() = true;
            changed.notify_one();
        },
        |(ready, changed), word| {
            changed.wait_while(&mut ready.lock(), |ready| !*ready);
            assert_eq!(word.read(), 1);
        },
    );
}

#[test]
fn permits_that_are_given_back_come_before_their_next_owner() {
    let add = |semaphore: &Semaphore, word: &Word| {
        for _ in 0..20 {
            let before = {
                let _permit = semaphore.acquire(1);
                let before = word.read();
                word.write(before + 1);
                before
            };
            let _permit = semaphore.acquire(1);
            assert!(word.read() > before);
        }
    };
    both(|| Semaphore::new(1), add, add);
}

#[test]
fn all_arrivals_come_before_all_departures() {
    let meet = |(barrier, words): &(Barrier, [Word; 2]), _: &Word| {
        let me = usize::from(words[0].0.swap(1, Ordering::Relaxed) == 1);
        words[me].write(1);
        barrier.wait();
        assert_eq!(words.each_ref().map(Word::read), [1, 1]);
    };
    both(|| (Barrier::new(2), Default::default()), meet, meet);
}

#[test]
fn what_is_put_into_a_pool_comes_before_who_gets_it() {
    let made = Arc::new(std::sync::Mutex::new(Vec::new()));
    let list = made.clone();
    let pool = Arc::new(Pool::new(move || {
        let word = Arc::new(Word::default());
        list.lock().unwrap().push(word.clone());
        word
    }));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            gopark::go(move || {
                for _ in 0..ROUNDS {
                    let word = pool.get();
                    let before = word.read();
                    gopark::yield_now();
                    word.write(before + 1);
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    // Nobody has overwritten what another one had written.
    let sum: u64 = made.lock().unwrap().iter().map(|word| word.read()).sum();
    assert_eq!(sum, 4 * ROUNDS);
}
