//! Selects over lists of cases (Go: `reflect.Select`).

use super::support::{EACH, Here, Ledger, Random};
use gopark::chan::{
    self, Case, RecvCase, RecvError, SendError, TryRecvError, TrySendError, bounded, never,
    never_sender, rendezvous,
};
use gopark::inspect::WaitReason;
use gopark::sync::WaitGroup;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);

fn list<C: Case>(cases: &mut [C]) -> Vec<&mut dyn Case> {
    cases.iter_mut().map(|case| case as &mut dyn Case).collect()
}

#[test]
fn cases_of_all_kinds_and_types() {
    let (number, numbers) = bounded(1);
    let (text, texts) = bounded(1);
    number.send(7).unwrap();
    let (mut a, mut b) = (numbers.case(), text.case("sent".to_owned()));
    // Both are ready once.
    let mut chosen = [0; 2];
    while let Some(n) = chan::try_select(&mut [&mut a, &mut b]) {
        chosen[n] += 1;
        match n {
            0 => assert_eq!(a.take(), Ok(7)),
            _ => assert_eq!(b.take(), Ok(())),
        }
    }
    assert_eq!(chosen, [1, 1]);
    assert_eq!(texts.recv().as_deref(), Ok("sent"));
}

/// More than fit on the stack, and as many as there can be.
#[test]
fn long_lists() {
    for len in [9, 1000, 8192] {
        let channels: Vec<_> = (0..len).map(|_| rendezvous()).collect();
        let here = Here::start();
        let receivers: Vec<_> = channels.iter().map(|(_, rx)| rx.clone()).collect();
        let waiting = gopark::go(move || {
            let mut cases: Vec<_> = receivers.iter().map(|rx| rx.case()).collect();
            let mut got = Vec::new();
            for _ in 0..3 {
                let chosen = chan::select(&mut list(&mut cases));
                got.push((chosen, cases[chosen].take().unwrap()));
            }
            got
        });
        let expected = [(0, 'a'), (len - 1, 'b'), (len / 2, 'c')];
        for (at, letter) in expected {
            here.parked(1, WaitReason::Select);
            assert_eq!(channels[at].0.try_send(letter), Ok(()));
        }
        assert_eq!(waiting.join().unwrap(), expected);
        for (tx, _) in &channels {
            assert_eq!(tx.try_send('d'), Err(TrySendError::Full('d')), "it still queues");
        }
    }
}

/// While a value is always in one of two channels, first in the second and then
/// in the first, too, no select finds both empty, however many others it has to
/// look at in between.
#[test]
fn nothing_is_missed_that_moves() {
    let mut random = Random::new(1);
    let others: Vec<_> = (0..500).map(|_| rendezvous::<i32>()).collect();
    for round in 0..300 {
        let (to_a, a) = bounded(1);
        let (to_b, b) = bounded(1);
        to_b.send(1).unwrap();
        let start = Arc::new(Barrier::new(2));
        let mover = std::thread::spawn({
            let (start, to_a, b) = (start.clone(), to_a.clone(), b.clone());
            let wait = random.below(2000);
            move || {
                start.wait();
                (0..wait).for_each(|_| std::hint::spin_loop());
                to_a.send(1).unwrap();
                b.try_recv().is_ok()
            }
        });
        let mut cases: Vec<_> = others.iter().map(|(_, rx)| rx.case()).collect();
        cases.extend([a.case(), b.case()]);
        let mut list = list(&mut cases);
        start.wait();
        assert!(chan::try_select(&mut list).is_some(), "one was full, in round {round}");
        mover.join().unwrap();
        drop(to_b);
    }
}

#[test]
fn too_long_a_list() {
    let rx = never::<i32>();
    let mut cases: Vec<_> = (0..8193).map(|_| rx.case()).collect();
    let panic = catch_unwind(AssertUnwindSafe(|| chan::try_select(&mut list(&mut cases))));
    let message = *panic.expect_err("a panic").downcast::<String>().expect("a message");
    assert_eq!(message, "select over 8193 cases; 8192 at most are possible");
}

#[test]
fn an_empty_list() {
    assert_eq!(chan::try_select(&mut []), None);
    let start = Instant::now();
    assert_eq!(chan::select_timeout(&mut [], SHORT), None);
    assert_eq!(chan::select_deadline(&mut [], start + 2 * SHORT), None);
    assert!(start.elapsed() >= 2 * SHORT);
    let here = Here::start();
    gopark::go(|| chan::select(&mut []));
    here.parked(1, WaitReason::SelectNoCases);
}

/// Unchosen sends give their values back; a case without a value is never ready.
#[test]
fn values_come_back() {
    for who in EACH {
        who.start(|| {
            let ledger = Ledger::new(4);
            let (tx, rx) = rendezvous();
            let (closed_tx, closed_rx) = rendezvous();
            drop(closed_rx);
            let never = never_sender();
            let mut full = tx.case(ledger.entry(0));
            let mut off = never.case(ledger.entry(1));
            assert_eq!(chan::select_timeout(&mut [&mut full, &mut off], SHORT), None);
            assert_eq!(full.put(ledger.entry(2)).map(|value| value.number), Some(0));
            assert_eq!(chan::try_select(&mut [&mut full, &mut off]), None);
            assert_eq!(off.into_value().map(|value| value.number), Some(1));
            assert_eq!(full.into_value().map(|value| value.number), Some(2));
            assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));

            let mut refused = closed_tx.case(ledger.entry(3));
            assert_eq!(chan::select(&mut [&mut refused]), 0);
            let SendError(value) = refused.take().expect_err("it is closed");
            assert_eq!(chan::try_select(&mut [&mut refused]), None, "it has no value");
            assert_eq!(refused.put(value).map(|value| value.number), None);
            assert_eq!(chan::try_select(&mut [&mut refused]), Some(0));
            assert_eq!(refused.into_value().map(|value| value.number), Some(3));
            ledger.all_dropped_once();
        })
        .join();
    }
}

/// Whoever is chosen and never asked drops what it has.
#[test]
fn an_outcome_that_nobody_takes_is_dropped() {
    let ledger = Ledger::new(3);
    let (tx, rx) = bounded(2);
    let mut send = tx.case(ledger.entry(0));
    assert_eq!(chan::select(&mut [&mut send]), 0);
    drop(send);
    assert_eq!(ledger.drops(0), 0, "it is in the channel");
    let mut recv = rx.case();
    assert_eq!(chan::select(&mut [&mut recv]), 0);
    drop(recv);
    assert_eq!(ledger.drops(0), 1);
    drop(tx.case(ledger.entry(1)));
    rx.close();
    let mut refused = tx.case(ledger.entry(2));
    assert_eq!(chan::select(&mut [&mut refused]), 0);
    drop(refused);
    ledger.all_dropped_once();
}

#[test]
fn an_outcome_is_taken_before_the_case_is_used_again() {
    let (tx, rx) = bounded(4);
    for n in 0..3 {
        tx.send(n).unwrap();
    }
    let message = |f: &mut dyn FnMut()| {
        let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
        panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .unwrap_or_else(|| panic.downcast_ref::<String>().expect("a message").clone())
    };
    let (mut recv, mut send) = (rx.case(), tx.case(9));
    let not_chosen = "a case has no outcome unless a select has chosen it";
    assert_eq!(message(&mut || _ = recv.take()), not_chosen);
    assert_eq!(message(&mut || _ = send.take()), not_chosen);
    assert_eq!(chan::select(&mut [&mut recv]), 0);
    let again = "take() the outcome of a case before it is selected again";
    assert_eq!(message(&mut || _ = chan::try_select(&mut [&mut send, &mut recv])), again);
    assert_eq!(recv.take(), Ok(0), "it was not lost");
    assert_eq!(chan::select(&mut [&mut send]), 0);
    assert_eq!(message(&mut || _ = send.put(1)), again);
    assert_eq!(send.take(), Ok(()));
    assert_eq!(message(&mut || _ = send.take()), not_chosen);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2, 9]);
}

/// A case may be made in one place and used in another, and moved in between.
#[test]
fn cases_move_between_selects() {
    let (tx, rx) = bounded(1);
    let here = Here::start();
    let receiver = gopark::go(move || {
        let mut boxed: Vec<Box<RecvCase<'_, i32>>> = Vec::new();
        let mut case = rx.case();
        let mut got = Vec::new();
        while {
            chan::select(&mut [&mut case]);
            case.take().map(|value| got.push(value)) != Err(RecvError)
        } {
            boxed.push(Box::new(case));
            case = *boxed.pop().expect("just pushed");
        }
        got
    });
    for n in 0..3 {
        here.parked(1, WaitReason::Select);
        tx.send(n).unwrap();
    }
    drop(tx);
    assert_eq!(receiver.join().unwrap(), [0, 1, 2]);
}

#[test]
fn cases_say_what_they_are() {
    let (tx, rx) = bounded(1);
    let (mut recv, mut send) = (rx.case(), tx.case(1));
    assert_eq!(format!("{send:?}"), "SendCase { state: Open, has_value: true, .. }");
    chan::select(&mut [&mut send]);
    chan::select(&mut [&mut recv]);
    assert_eq!(format!("{send:?}"), "SendCase { state: Done, has_value: false, .. }");
    assert_eq!(format!("{recv:?}"), "RecvCase { state: Done, .. }");
}

/// The wait for a group is a case, too.
#[test]
fn a_wait_group_as_a_case() {
    for who in EACH {
        let here = Here::start();
        let group = WaitGroup::new();
        let (_open, rx) = rendezvous::<u8>();
        let (mut wait, mut recv) = (group.case(), rx.case());
        assert_eq!(chan::select(&mut [&mut wait, &mut recv]), 0, "there is nothing to wait for");
        group.add(2);
        assert_eq!(chan::select_timeout(&mut [&mut recv, &mut wait], SHORT), None);
        let (ours, plain, theirs) = (group.clone(), group.clone(), rx.clone());
        let selects = who.start(move || chan::select(&mut [&mut theirs.case(), &mut ours.case()]));
        here.parked(1, WaitReason::Select);
        let waits = who.start(move || plain.wait());
        here.parked(1, WaitReason::WaitGroupWait);
        group.done();
        assert_eq!(chan::try_select(&mut [&mut group.case()]), None);
        group.done();
        assert_eq!(selects.join(), 1);
        waits.join();
        assert_eq!(chan::try_select(&mut [&mut group.case()]), Some(0));
    }
}

/// The last `done`, other partners and timers compete, over and over.
#[test]
fn wait_groups_and_channels_compete() {
    for round in 0..300 {
        let group = WaitGroup::new();
        let (tx, rx) = rendezvous();
        group.add(1);
        let waiting: Vec<_> = (0..3)
            .map(|n| {
                let (group, rx) = (group.clone(), rx.clone());
                EACH[n % 2].start(move || {
                    let (mut wait, mut recv) = (group.case(), rx.case());
                    let limit = Duration::from_micros(round % 50);
                    let chosen = match n {
                        0 => chan::select_timeout(&mut [&mut wait, &mut recv], limit),
                        _ => Some(chan::select(&mut [&mut wait, &mut recv])),
                    };
                    let received = chosen == Some(1) && recv.take().is_ok();
                    group.wait();
                    usize::from(received)
                })
            })
            .collect();
        let done = gopark::go(move || group.done());
        let sent = tx.send_timeout(7, Duration::from_micros(30)).is_ok();
        done.join().unwrap();
        drop(tx);
        let received: usize = waiting.into_iter().map(|waiting| waiting.join()).sum();
        assert_eq!(received, usize::from(sent), "in round {round}");
    }
}
