//! What an observer reads between two equal stamps belongs to one state, and
//! what it reads between two equal numbers of the life to one task (R3); that is enough
//! for one that runs.

use super::explore;
use crate::state::{Cause, Claim, StateWord, Status};
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::sync::atomic::fence;
use loom::thread;
use std::sync::Arc;

/// The fields that `fill` writes, and those that `describe_wait` writes.
struct Record {
    state: StateWord,
    life: AtomicU32,
    id: AtomicU32,
    home: AtomicU32,
    reason: AtomicU32,
    site: AtomicU32,
    flaw: Option<Flaw>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    FillsWithoutFence,
    DescribesWithoutFence,
    ObservesWithoutFence,
    /// Who runs is believed without a look at the life.
    TrustsWhoRuns,
    /// The fields are written before the word says that the old life is over.
    FillsBeforeTheEnd,
    /// The home is read before it is known that the life has begun.
    LooksForHomeFirst,
}

#[derive(Debug)]
struct Seen {
    ticket: u32,
    status: Status,
    id: u32,
    home: u32,
    reason: u32,
    site: u32,
}

impl Record {
    fn new(flaw: Option<Flaw>) -> Arc<Record> {
        let record = Record {
            state: StateWord::new(),
            life: AtomicU32::new(1),
            id: AtomicU32::new(1),
            home: AtomicU32::new(1),
            reason: AtomicU32::new(0),
            site: AtomicU32::new(0),
            flaw,
        };
        record.state.birth();
        assert_eq!(record.state.start(), Cause::Ready);
        Arc::new(record)
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn fill(&self, life: u32) {
        self.life.store(life, Ordering::Release);
        if !self.is(Flaw::FillsWithoutFence) {
            fence(Ordering::Release);
        }
        self.id.store(life, Ordering::Relaxed);
        self.home.store(life, Ordering::Relaxed);
    }

    fn describe_wait(&self, ticket: u32) {
        if !self.is(Flaw::DescribesWithoutFence) {
            fence(Ordering::Release);
        }
        self.reason.store(ticket, Ordering::Relaxed);
        self.site.store(ticket, Ordering::Relaxed);
    }

    /// One round of `Record::observe`.
    fn observe(&self) -> Option<Seen> {
        let life = self.life.load(Ordering::Acquire);
        let before = self.state.read();
        let seen = Seen {
            ticket: before.ticket(),
            status: before.status(),
            id: self.id.load(Ordering::Relaxed),
            home: self.home.load(Ordering::Relaxed),
            reason: self.reason.load(Ordering::Relaxed),
            site: self.site.load(Ordering::Relaxed),
        };
        if !self.is(Flaw::ObservesWithoutFence) {
            fence(Ordering::Acquire);
        }
        let same = match before.runs() {
            true => self.is(Flaw::TrustsWhoRuns) || self.life.load(Ordering::Acquire) == life,
            false => self.state.read().stamp() == before.stamp(),
        };
        same.then_some(seen)
    }
}

impl Record {
    /// `registry::each_of`: the task, if it is alive and this is its home; its
    /// life and its ticket.
    fn find(&self, home: u32) -> Option<(u32, u32)> {
        let life = self.life.load(Ordering::Acquire);
        let early = self.home.load(Ordering::Relaxed);
        let reading = self.state.read();
        let late = self.home.load(Ordering::Relaxed);
        let seen = if self.is(Flaw::LooksForHomeFirst) { early } else { late };
        fence(Ordering::Acquire);
        let alive = !matches!(reading.status(), Status::Idle | Status::Dead);
        let found = alive && seen == home && self.life.load(Ordering::Acquire) == life;
        found.then(|| (life, reading.ticket()))
    }
}

/// A record is used for a second task, with another home, while somebody looks
/// for the tasks of the first home.
fn found_at_home(flaw: Option<Flaw>) {
    explore(None, move || {
        let record = Record::new(flaw);
        let observer = {
            let record = Arc::clone(&record);
            thread::spawn(move || record.find(1))
        };
        record.state.finish();
        record.fill(2);
        record.state.birth();
        if let Some(found) = observer.join().unwrap() {
            assert_eq!(found, (1, 0), "the life and the ticket of another task");
        }
    });
}

/// A record is used for a second task.
fn used_again(flaw: Option<Flaw>) {
    explore(None, move || {
        let record = Record::new(flaw);
        let observer = {
            let record = Arc::clone(&record);
            thread::spawn(move || record.observe())
        };
        if record.is(Flaw::FillsBeforeTheEnd) {
            record.fill(2);
            record.state.finish();
        } else {
            record.state.finish();
            record.fill(2);
        }
        record.state.birth();
        let Some(seen) = observer.join().unwrap() else { return };
        if seen.status != Status::Dead {
            let life = seen.ticket + 1;
            assert!(seen.id == life && seen.home == life, "of two lives: {seen:?}");
        }
    });
}

/// A task yields while it is looked at: it is seen, whatever comes between.
fn yields() {
    explore(None, || {
        let record = Record::new(None);
        let observer = {
            let record = Arc::clone(&record);
            thread::spawn(move || record.observe())
        };
        record.state.requeue();
        assert_eq!(record.state.start(), Cause::Ready);
        record.state.requeue();
        let seen = observer.join().unwrap().expect("it is there all the time");
        assert_eq!((seen.id, seen.home), (1, 1));
    });
}

/// A task parks twice.
fn parks_again(flaw: Option<Flaw>) {
    explore(None, move || {
        let record = Record::new(flaw);
        let observer = {
            let record = Arc::clone(&record);
            thread::spawn(move || record.observe())
        };
        record.describe_wait(1);
        record.state.wait();
        assert_eq!(record.state.claim(Cause::Ready, None), Claim::Won);
        assert_eq!(record.state.start(), Cause::Ready);
        record.describe_wait(2);
        record.state.wait();
        let Some(seen) = observer.join().unwrap() else { return };
        if seen.status == Status::Waiting {
            let park = seen.ticket;
            assert!(seen.reason == park && seen.site == park, "of two parks: {seen:?}");
        }
    });
}

#[test]
fn a_record_that_is_used_again() {
    used_again(None);
}

#[test]
fn a_task_that_yields() {
    yields();
}

#[test]
fn a_task_that_parks_again() {
    parks_again(None);
}

#[test]
fn a_task_found_at_home() {
    found_at_home(None);
}

#[test]
#[should_panic(expected = "of another task")]
fn broken_the_home_is_read_before_the_state() {
    found_at_home(Some(Flaw::LooksForHomeFirst));
}

#[test]
#[should_panic(expected = "of two lives")]
fn broken_a_record_is_filled_without_a_fence() {
    used_again(Some(Flaw::FillsWithoutFence));
}

#[test]
#[should_panic(expected = "of two lives")]
fn broken_a_record_is_filled_before_its_task_is_dead() {
    used_again(Some(Flaw::FillsBeforeTheEnd));
}

#[test]
#[should_panic(expected = "of two lives")]
fn broken_who_runs_is_believed() {
    used_again(Some(Flaw::TrustsWhoRuns));
}

#[test]
#[should_panic(expected = "of two parks")]
fn broken_a_wait_is_described_without_a_fence() {
    parks_again(Some(Flaw::DescribesWithoutFence));
}

#[test]
#[should_panic(expected = "of two parks")]
fn broken_an_observer_has_no_fence() {
    parks_again(Some(Flaw::ObservesWithoutFence));
}
