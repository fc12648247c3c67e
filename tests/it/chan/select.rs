//! `select!`: the rules of Go's spec, and what Rust adds to them.

use super::support::{EACH, Entry, Here, Ledger, PAIRS, Random};
use gopark::chan::{
    Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, bounded, never,
    never_sender, rendezvous,
};
use gopark::inspect::WaitReason;
use gopark::select;
use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

/// A channel that holds these values and can still get more.
fn with<T>(values: impl IntoIterator<Item = T>) -> (Sender<T>, Receiver<T>) {
    let (tx, rx) = bounded(8);
    values.into_iter().for_each(|value| assert!(tx.try_send(value).is_ok()));
    (tx, rx)
}

#[test]
fn what_is_ready_happens() {
    for who in EACH {
        who.start(|| {
            let (_keep, empty) = with::<i32>([]);
            let (_tx, full) = with([7]);
            let got = select! {
                recv(empty) -> _ => panic!("it is empty"),
                recv(full) -> value => value,
            };
            assert_eq!(got, Ok(7));
            let (no_room, _rx) = rendezvous();
            let (room, rx) = bounded(1);
            select! {
                send(no_room, 1) -> _ => panic!("nobody receives"),
                send(room, 2) -> sent => assert_eq!(sent, Ok(())),
            }
            assert_eq!(rx.recv(), Ok(2));
        })
        .join();
    }
}

/// Go: "evaluated exactly once, in source order, upon entering".
#[test]
fn everything_is_evaluated_once_and_in_source_order() {
    let log = RefCell::new(String::new());
    let note = |what: &str| log.borrow_mut().push_str(what);
    let (_tx, rx) = with([1]);
    let (full, _full) = rendezvous();
    fn after<T>((): (), then: T) -> T {
        then
    }
    // The first time there is a value, the second time there is none.
    for body in ["+", "-"] {
        log.borrow_mut().clear();
        select! {
            send(after(note("a"), &full), { note("b"); 5 }) -> _ => note("!"),
            recv(after(note("c"), &rx)) -> _ => note("+"),
            after({ note("d"); Duration::ZERO }) => note("-"),
            send(after(note("e"), &full), { note("f"); 6 }) -> _ => note("!"),
        }
        assert_eq!(*log.borrow(), format!("abcdef{body}"));
    }
}

#[test]
fn default_is_chosen_only_if_nothing_is_ready() {
    let (tx, rx) = with([1, 2]);
    for expected in [Some(1), Some(2), None, None] {
        let got = select! {
            recv(rx) -> value => value.ok(),
            default => None,
        };
        assert_eq!(got, expected);
    }
    let sent = select! {
        default => false,
        send(tx, 3) -> sent => sent.is_ok(),
    };
    assert!(sent, "wherever the default stands");
    assert!(select! { default => true });
}

#[test]
fn a_closed_channel_is_ready() {
    let (tx, rx) = with([1]);
    tx.close();
    for expected in [Ok(1), Err(RecvError), Err(RecvError)] {
        select! {
            recv(rx) -> value => assert_eq!(value, expected),
            recv(never::<i32>()) => panic!("it is never ready"),
        }
    }
    let (texts, _) = rendezvous();
    let sent = select! {
        send(texts, String::from("back")) -> sent => sent.map_err(SendError::into_inner),
        default => panic!("it is closed"),
    };
    assert_eq!(sent, Err("back".to_owned()));
}

#[test]
fn what_is_never_ready_is_never_chosen() {
    for _ in 0..100 {
        select! {
            recv(never::<i32>()) -> _ => panic!("it is never ready"),
            send(never_sender(), 1) -> _ => panic!("it is never ready"),
            default => {}
        }
    }
    let start = Instant::now();
    select! {
        recv(never::<i32>()) -> _ => panic!("it is never ready"),
        after(SHORT) => {}
    }
    assert!(start.elapsed() >= SHORT);
}

/// Each of the ready ones with the same probability, wherever they stand.
#[test]
fn the_choice_is_fair() {
    const ROUNDS: u32 = 30_000;
    for who in EACH {
        who.start(|| {
            let mut chosen = [0; 5];
            let (tx, rx) = bounded(1);
            let (closed_tx, closed) = bounded::<i32>(1);
            closed_tx.close();
            let (_keep, empty) = bounded::<i32>(1);
            let ready = with([1]);
            for _ in 0..ROUNDS {
                select! {
                    recv(empty) -> _ => chosen[0] += 1,
                    recv(closed) -> _ => chosen[1] += 1,
                    send(tx, 1) -> _ => {
                        chosen[2] += 1;
                        rx.recv().unwrap();
                    }
                    recv(never::<i32>()) -> _ => chosen[3] += 1,
                    recv(ready.1) -> value => {
                        chosen[4] += 1;
                        ready.0.send(value.unwrap()).unwrap();
                    }
                }
            }
            assert_eq!((chosen[0], chosen[3]), (0, 0));
            // Seven standard deviations.
            let mean = f64::from(ROUNDS) / 3.0;
            let width = 7.0 * (mean * 2.0 / 3.0).sqrt();
            for n in [1, 2, 4] {
                assert!((f64::from(chosen[n]) - mean).abs() < width, "{chosen:?}");
            }
        })
        .join();
    }
}

fn first_positive(rx: &Receiver<i32>) -> Result<i32, RecvError> {
    loop {
        select! {
            recv(rx) -> value => if value? > 0 { return value },
            after(LONG) => unreachable!(),
        }
    }
}

#[test]
fn bodies_break_return_and_question() {
    let (tx, rx) = with([-1, 0, 5, 6]);
    assert_eq!(first_positive(&rx), Ok(5));
    drop(tx);
    assert_eq!(first_positive(&rx), Ok(6));
    assert_eq!(first_positive(&rx), Err(RecvError));
    let (_tx, rx) = with(0..8);
    let mut seen = Vec::new();
    let found = 'search: loop {
        for _ in 0..3 {
            select! {
                recv(rx) -> value => {
                    let Ok(value) = value else { break };
                    if value % 2 == 0 { continue }
                    seen.push(value);
                    if value == 5 { break 'search Some(value) }
                }
                default => break 'search None,
            }
        }
    };
    assert_eq!((found, seen), (Some(5), vec![1, 3, 5]));
    // What stands in the parentheses, too.
    let parse = |text: &str| -> Result<bool, std::num::ParseIntError> {
        let (tx, _rx) = bounded(1);
        Ok(select! { send(tx, text.parse::<i32>()?) -> sent => sent.is_ok() })
    };
    assert!(parse("7").unwrap());
    assert!(parse("seven").is_err());
}

#[test]
fn it_is_an_expression_and_nests() {
    let (_a, a) = with([1]);
    let (_b, b) = with([20]);
    let sum = 300
        + select! {
            recv(a) -> n => n.unwrap() + select! {
                recv(a) -> _ => panic!("it is empty"),
                recv(b) -> outer => outer.unwrap(),
            },
        };
    assert_eq!(sum, 321);
    let (tx, rx) = bounded(1);
    let inner = with([5]);
    select! {
        send(tx, select! { recv(inner.1) -> n => n.unwrap(), default => 0 }) -> sent => sent.unwrap(),
    }
    assert_eq!(rx.recv(), Ok(5));
    // Of any type.
    let text: &str = select! { default => "text" };
    assert_eq!(text.len(), 4);
}

#[test]
fn handles_may_be_behind_references_and_pointers() {
    struct Both {
        tx: Sender<i32>,
        rx: Receiver<i32>,
    }
    let (tx, rx) = bounded(8);
    let both = Arc::new(Both { tx, rx });
    let (by_ref, by_arc, boxed) = (&both.tx, Arc::new(both.tx.clone()), Box::new(both.tx.clone()));
    let make = || both.tx.clone();
    select! { send(by_ref, 1) -> sent => sent.unwrap() }
    select! { send(by_arc, 2) -> sent => sent.unwrap() }
    select! { send(boxed, 3) -> sent => sent.unwrap() }
    select! { send(&&by_ref, 4) -> sent => sent.unwrap() }
    select! { send(make(), 5) -> sent => sent.unwrap() }
    select! { send(both.tx, 6) -> sent => sent.unwrap() }
    for n in 1..=6 {
        select! { recv(both.rx) -> got => assert_eq!(got, Ok(n)) }
    }
}

/// A guard that is needed to get at a handle is not held while a body runs.
#[test]
fn temporaries_are_gone_before_a_body_runs() {
    let shared = Mutex::new(with([1, 2]));
    select! {
        recv(shared.lock().unwrap().1) -> value => {
            assert_eq!(value, Ok(1));
            assert!(shared.try_lock().is_ok());
        }
    }
    select! {
        recv(never::<i32>()) => {}
        send(never_sender(), shared.lock().unwrap().1.len()) -> _ => {}
        default => assert!(shared.try_lock().is_ok()),
    }
}

#[test]
fn each_value_is_dropped_once_and_those_not_sent_before_the_body() {
    let ledger = Ledger::new(4);
    let (tx, rx) = bounded(1);
    let (no_room, _keep) = rendezvous();
    select! {
        send(no_room, ledger.entry(0)) -> _ => panic!("nobody receives"),
        send(tx, ledger.entry(1)) -> sent => {
            assert!(sent.is_ok());
            assert_eq!((ledger.drops(0), ledger.drops(1)), (1, 0));
        }
        send(never_sender(), ledger.entry(2)) -> _ => panic!("it is never ready"),
    }
    select! {
        recv(rx) => assert_eq!(ledger.drops(1), 1, "nobody wanted it"),
        send(no_room, ledger.entry(3)) -> _ => panic!("nobody receives"),
    }
    ledger.all_dropped_once();
}

fn no_value(_: Entry) -> Entry {
    panic!("no value")
}

#[test]
fn a_value_that_was_evaluated_is_dropped_if_the_next_panics() {
    let ledger = Ledger::new(2);
    let (tx, rx) = bounded(2);
    let (in_task, of_task) = (ledger.clone(), tx.clone());
    let task = gopark::go(move || {
        select! {
            send(of_task, in_task.entry(0)) -> _ => {}
            send(of_task, no_value(in_task.entry(1))) -> _ => {}
        }
    });
    assert!(task.join().is_err());
    ledger.all_dropped_once();
    assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
}

/// A select waits; a partner comes: each side as task and as thread.
#[test]
fn a_waiting_select_is_served() {
    for (us, them) in PAIRS {
        for case in 0..3 {
            let here = Here::start();
            let (tx0, rx0) = rendezvous();
            let (tx1, rx1) = bounded::<&str>(1);
            let (tx2, rx2) = rendezvous();
            let waiting = us.start(move || {
                select! {
                    recv(rx0) -> value => assert_eq!((case, value), (0, Ok(7))),
                    recv(rx1) -> value => assert_eq!((case, value), (1, Err(RecvError))),
                    send(tx2, 'c') -> sent => assert_eq!((case, sent), (2, Ok(()))),
                }
            });
            here.parked(1, WaitReason::Select);
            them.start(move || match case {
                0 => assert_eq!(tx0.try_send(7), Ok(())),
                1 => assert!(tx1.close()),
                _ => assert_eq!(rx2.try_recv(), Ok('c')),
            })
            .join();
            waiting.join();
        }
    }
}

/// Both sides select, over the same two channels, in both directions.
#[test]
fn selects_meet_each_other() {
    for (us, them) in PAIRS {
        let ((to_a, a), (to_b, b)) = (rendezvous(), rendezvous());
        let count = 200;
        let sender = us.start(move || {
            for n in 0..count {
                select! {
                    send(to_a, n) -> sent => sent.unwrap(),
                    send(to_b, n) -> sent => sent.unwrap(),
                }
            }
        });
        let receiver = them.start(move || {
            let mut got = [Vec::new(), Vec::new()];
            while got[0].len() + got[1].len() < count {
                select! {
                    recv(b) -> n => got[1].push(n.unwrap()),
                    recv(a) -> n => got[0].push(n.unwrap()),
                }
            }
            got
        });
        sender.join();
        let mut got = receiver.join();
        assert!(got.iter().all(|of_one| of_one.is_sorted()));
        let [first, second] = &mut got;
        first.append(second);
        first.sort_unstable();
        assert_eq!(*first, (0..count).collect::<Vec<_>>());
    }
}

/// Go: a send and a receive of one select never pair with each other.
#[test]
fn a_select_does_not_meet_itself() {
    let here = Here::start();
    let (tx, rx) = rendezvous();
    let both = |n| {
        let (tx, rx) = (tx.clone(), rx.clone());
        gopark::go(move || {
            select! {
                send(tx, n) -> sent => sent.map(|()| None).unwrap(),
                recv(rx) -> got => Some(got.unwrap()),
            }
        })
    };
    let first = both(1);
    here.parked(1, WaitReason::Select);
    let second = both(2);
    let outcome = (first.join().unwrap(), second.join().unwrap());
    assert!(matches!(outcome, (None, Some(1)) | (Some(2), None)), "{outcome:?}");
}

#[test]
fn one_channel_may_stand_in_several_cases() {
    let here = Here::start();
    let (tx, rx) = rendezvous();
    for round in 0..100 {
        let waiting = {
            let rx = rx.clone();
            gopark::go(move || {
                select! {
                    recv(rx) -> n => n.unwrap(),
                    recv(rx) -> n => n.unwrap(),
                    recv(rx.clone()) -> n => n.unwrap(),
                }
            })
        };
        here.parked(1, WaitReason::Select);
        assert_eq!(tx.try_send(round), Ok(()));
        assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)), "it still queues");
        assert_eq!(waiting.join().unwrap(), round);
    }
}

/// Waiters are served in the order in which they came, a select among them.
#[test]
fn a_select_keeps_its_turn() {
    let here = Here::start();
    let (tx, rx) = rendezvous();
    let plain = |rx: Receiver<i32>| gopark::go(move || rx.recv().unwrap());
    let first = plain(rx.clone());
    here.parked(1, WaitReason::ChanReceive);
    let second = {
        let rx = rx.clone();
        gopark::go(move || select! { recv(rx) -> n => n.unwrap() })
    };
    here.parked(1, WaitReason::Select);
    let third = plain(rx);
    here.parked(2, WaitReason::ChanReceive);
    (1..=3).for_each(|n| assert_eq!(tx.try_send(n), Ok(())));
    let got = [first, second, third].map(|task| task.join().unwrap());
    assert_eq!(got, [1, 2, 3]);
}

#[test]
fn the_wait_says_why_and_where() {
    let here = Here::start();
    let (_keep, rx) = rendezvous::<i32>();
    for (n, who) in EACH.into_iter().enumerate() {
        let (one, two) = (rx.clone(), rx.clone());
        who.start(move || {
            select! {
                recv(one) -> _ => {}
                recv(never::<i32>()) -> _ => {}
            }
        });
        here.parked(n + 1, WaitReason::Select);
        who.start(|| select! {});
        here.parked(n + 1, WaitReason::SelectNoCases);
        who.start(move || select! { recv(two) -> _ => {}, after(LONG) => {} });
        here.parked(2 * n + 2, WaitReason::Select);
    }
}

#[test]
fn a_limit_ends_the_wait() {
    for who in EACH {
        who.start(|| {
            let (tx, rx) = rendezvous();
            let start = Instant::now();
            let timed_out = select! {
                recv(rx) -> value => value.is_ok(),
                send(tx, 1) -> sent => sent.is_err(),
                after(SHORT) => true,
            };
            assert!(timed_out && start.elapsed() >= SHORT);
            let deadline = Instant::now() + SHORT;
            select! {
                at(deadline) => assert!(Instant::now() >= deadline),
                recv(rx) -> _ => unreachable!(),
            }
            // Nobody queues any more.
            assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        })
        .join();
    }
}

#[test]
fn a_limit_that_is_over_still_lets_what_is_ready_happen() {
    let past = Instant::now();
    for _ in 0..100 {
        let (_tx, rx) = with([1]);
        select! {
            recv(rx) -> value => assert_eq!(value, Ok(1)),
            after(Duration::ZERO) => panic!("something is ready"),
        }
        let over = select! {
            recv(rx) -> _ => false,
            at(past) => true,
        };
        assert!(over);
    }
}

#[test]
fn a_partner_that_comes_in_time_ends_a_limited_wait() {
    let here = Here::start();
    for who in EACH {
        let (tx, rx) = rendezvous();
        let waiting = who.start(move || {
            select! {
                recv(rx) -> value => value.ok(),
                // Beyond the range of the clock, too.
                after(Duration::MAX) => None,
            }
        });
        here.parked(1, WaitReason::Select);
        assert_eq!(tx.try_send(3), Ok(()));
        assert_eq!(waiting.join(), Some(3));
    }
}

/// Partners and timers compete for the same selects, over and over.
#[test]
fn nothing_is_lost_when_timers_and_partners_compete() {
    const COUNT: usize = 2000;
    let ledger = Ledger::new(COUNT);
    let ((to_a, a), (to_b, b)) = (rendezvous::<Entry>(), rendezvous::<Entry>());
    let sender = gopark::go({
        let ledger = ledger.clone();
        move || {
            let mut random = Random::new(1);
            for n in 0..COUNT {
                let limit = Duration::from_micros(random.below(100));
                let to = if random.below(2) == 0 { &to_a } else { &to_b };
                let mut value = ledger.entry(n);
                while let Err(error) = to.send_timeout(value, limit) {
                    value = error.into_inner();
                }
            }
        }
    });
    let (mut got, mut random) = (Vec::new(), Random::new(2));
    while got.len() < COUNT {
        let limit = Duration::from_micros(random.below(100));
        select! {
            recv(a) -> value => if let Ok(value) = value { got.push(value.number) },
            recv(b) -> value => if let Ok(value) = value { got.push(value.number) },
            after(limit) => {}
        }
    }
    sender.join().unwrap();
    assert!(got.into_iter().eq(0..COUNT));
    ledger.all_dropped_once();
}

#[test]
fn no_park_forbids_the_wait_only() {
    let (tx, rx) = rendezvous();
    let (in_task, of_task) = (tx.clone(), rx.clone());
    let task = gopark::go(move || {
        gopark::no_park(|| {
            let nothing = select! { recv(of_task) -> _ => false, default => true };
            assert!(nothing);
            select! {
                recv(of_task) -> _ => {}
                send(in_task, 1) -> _ => {}
            }
        });
    });
    assert!(task.join().is_err());
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)), "somebody queues");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "somebody queues");
}
