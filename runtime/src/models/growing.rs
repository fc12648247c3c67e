//! A list that is only added to, read while two add to it: seats of a channel, slabs of
//! records. The list is the real one (`task/pile.rs`); how a seat gets its number is
//! `Seats::add`.

use super::{Plain, Step, explore};
use crate::pile::Pile;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// What an item holds is written when it is in the list.
    FillsLate,
    /// Who was not fast enough keeps the number that was right before.
    NumbersOnce,
}

struct Seat {
    inside: Plain<u32>,
    number: Plain<u32>,
}

fn add(seats: &Pile<Seat>, step: &Step, flaw: Option<Flaw>) {
    step.take();
    let seat = Seat { inside: Plain::new(0), number: Plain::new(0) };
    let late = flaw == Some(Flaw::FillsLate);
    if !late {
        seat.inside.set(1);
    }
    let added = seats.add(seat, |seat, newest| {
        if flaw != Some(Flaw::NumbersOnce) || seat.number.get() == 0 {
            seat.number.set(newest.map_or(1, |newest| newest.number.get() + 1));
        }
        true
    });
    let Ok(seat) = added else { unreachable!("all fit") };
    if late {
        step.take();
        seat.inside.set(1);
    }
}

/// How many there are, all of them whole and each with a number of its own.
fn count(seats: &Pile<Seat>) -> usize {
    let numbers: Vec<u32> = seats.iter().map(|seat| seat.number.get()).collect();
    assert!(numbers.iter().rev().copied().eq(1..=numbers.len() as u32), "numbers: {numbers:?}");
    assert!(seats.iter().all(|seat| seat.inside.get() == 1), "not a whole one");
    numbers.len()
}

fn two_add(flaw: Option<Flaw>) {
    explore(None, move || {
        let (seats, step) = (Arc::new(Pile::new()), Arc::new(Step::new()));
        let others = [(); 2].map(|()| {
            let (seats, step) = (Arc::clone(&seats), Arc::clone(&step));
            thread::spawn(move || add(&seats, &step, flaw))
        });
        step.take();
        count(&seats);
        others.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(count(&seats), 2);
    });
}

/// One that does not fit is given back, and is in no list.
#[test]
fn what_does_not_fit() {
    explore(None, || {
        let pile = Arc::new(Pile::new());
        let first = {
            let pile = Arc::clone(&pile);
            thread::spawn(move || assert!(pile.add(1, |_, _| true).is_ok()))
        };
        let second = pile.add(2, |_, newest| newest.is_none()).is_ok();
        first.join().unwrap();
        assert_eq!(pile.iter().count(), 1 + usize::from(second));
    });
}

#[test]
fn two_add_and_one_reads() {
    two_add(None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_an_item_is_filled_when_it_can_be_seen() {
    two_add(Some(Flaw::FillsLate));
}

#[test]
#[should_panic(expected = "numbers: ")]
fn broken_a_number_is_kept_that_another_has_taken() {
    two_add(Some(Flaw::NumbersOnce));
}
