//! What belongs to one at a time, where nobody may wait: tables of the CPU profile, batches
//! of timers. The turn is the real one (`sys/turn.rs`).
//!
//! Two signal handlers look for a free table, and one who makes the profile collects what
//! they have left (`inspect/cpu.rs`, with two tables and without samples).

use super::{Plain, explore};
use crate::sys::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::sys::turn::Turn;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// It is looked at, and then taken.
    TakesInTwoSteps,
    /// Taking it acquires nothing.
    TakesIdly,
    /// Giving it back publishes nothing.
    GivesIdly,
    /// It is given back before the last access.
    GivesEarly,
}

struct Table {
    turn: Turn,
    /// The turn of the variants.
    busy: AtomicBool,
    samples: Plain<u32>,
}

struct World {
    tables: Vec<Table>,
    lost: AtomicU32,
    flaw: Option<Flaw>,
}

impl World {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn order(&self, idle: Flaw, usual: Ordering) -> Ordering {
        if self.is(idle) { Ordering::Relaxed } else { usual }
    }

    fn take(&self, table: &Table) -> bool {
        match self.flaw {
            None | Some(Flaw::GivesEarly) => table.turn.take(),
            Some(Flaw::TakesInTwoSteps) => {
                let free = !table.busy.load(Ordering::Acquire);
                table.busy.store(true, Ordering::Relaxed);
                free
            }
            Some(_) => {
                let order = self.order(Flaw::TakesIdly, Ordering::Acquire);
                table.busy.compare_exchange(false, true, order, Ordering::Relaxed).is_ok()
            }
        }
    }

    fn give_back(&self, table: &Table) {
        match self.flaw {
            None | Some(Flaw::GivesEarly) => table.turn.give_back(),
            Some(_) => table.busy.store(false, self.order(Flaw::GivesIdly, Ordering::Release)),
        }
    }

    fn try_with(&self, table: &Table, f: impl FnOnce(u32) -> u32) -> bool {
        if !self.take(table) {
            return false;
        }
        let samples = table.samples.get();
        if self.is(Flaw::GivesEarly) {
            self.give_back(table);
        }
        table.samples.set(f(samples));
        if !self.is(Flaw::GivesEarly) {
            self.give_back(table);
        }
        true
    }

    fn on_sample(&self) {
        if !self.tables.iter().any(|table| self.try_with(table, |n| n + 1)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn collect(&self) -> u32 {
        let mut sum = 0;
        for table in &self.tables {
            let mut found = 0;
            while !self.try_with(table, |n| {
                found = n;
                0
            }) {
                thread::yield_now();
            }
            sum += found;
        }
        sum
    }
}

fn two_handlers(tables: usize, flaw: Option<Flaw>) {
    explore(None, move || {
        let table =
            |_| Table { turn: Turn::new(), busy: AtomicBool::new(false), samples: Plain::new(0) };
        let tables = (0..tables).map(table).collect();
        let world = Arc::new(World { tables, lost: AtomicU32::new(0), flaw });
        let handlers = [(); 2].map(|()| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.on_sample())
        });
        let mut sum = world.collect();
        handlers.into_iter().for_each(|it| it.join().unwrap());
        sum += world.collect();
        assert_eq!(sum + world.lost.load(Ordering::Relaxed), 2, "counted once");
    });
}

#[test]
fn one_table() {
    two_handlers(1, None);
}

#[test]
fn two_tables() {
    two_handlers(2, None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_table_is_taken_in_two_steps() {
    two_handlers(1, Some(Flaw::TakesInTwoSteps));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_who_takes_a_table_sees_nothing() {
    two_handlers(1, Some(Flaw::TakesIdly));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_who_gives_a_table_back_says_nothing() {
    two_handlers(1, Some(Flaw::GivesIdly));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_table_is_used_when_it_was_given_back() {
    two_handlers(1, Some(Flaw::GivesEarly));
}
