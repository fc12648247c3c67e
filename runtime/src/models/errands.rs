//! What is asked of the thread that runs errands is done after it was asked, and nobody
//! waits for ever. The word is the real one (`sched/asked.rs`); `errands::main` is rebuilt
//! around it.

use super::{Futex, Plain, explore};
use crate::asked::Asked;
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The thread looks, and then takes what is there.
    TakesInTwoSteps,
    /// It takes without Acquire.
    TakesIdly,
    /// It does not look once more before it sleeps.
    SleepsBlindly,
    /// Who asks first does not wake it.
    WakesNobody,
}

struct World {
    asked: Asked,
    futex: Futex,
    /// What each of the two who ask has seen before.
    seen: [Plain<u32>; 2],
    flaw: Option<Flaw>,
}

impl World {
    fn ask(&self, n: usize) {
        self.seen[n].set(1);
        if self.asked.ask(1 << n) && self.flaw != Some(Flaw::WakesNobody) {
            self.futex.wake();
        }
    }

    fn take(&self) -> u32 {
        let word: &AtomicU32 = self.asked.futex();
        match self.flaw {
            Some(Flaw::TakesInTwoSteps) => {
                let asked = word.load(Ordering::Acquire);
                word.store(0, Ordering::Relaxed);
                asked
            }
            Some(Flaw::TakesIdly) => word.swap(0, Ordering::Relaxed),
            _ => self.asked.take(),
        }
    }

    /// Until both errands are done.
    fn main(&self) {
        let mut done = 0;
        while done != 0b11 {
            let asked = self.take();
            for n in (0..2).filter(|n| asked & 1 << n != 0) {
                assert_eq!(self.seen[n].get(), 1, "done without need");
            }
            done |= asked;
            if done != 0b11 {
                let blindly = self.flaw == Some(Flaw::SleepsBlindly);
                let nothing = || self.asked.futex().load(Ordering::Relaxed) == 0;
                self.futex.wait(|| blindly || nothing());
            }
        }
    }
}

fn two_ask(flaw: Option<Flaw>) {
    explore(None, move || {
        let world = Arc::new(World {
            asked: Asked::new(),
            futex: Futex::new(),
            seen: [0, 0].map(Plain::new),
            flaw,
        });
        let others = [0, 1].map(|n| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.ask(n))
        });
        world.main();
        others.into_iter().for_each(|it| it.join().unwrap());
    });
}

#[test]
fn two_errands() {
    two_ask(None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_what_is_asked_is_taken_in_two_steps() {
    two_ask(Some(Flaw::TakesInTwoSteps));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_the_thread_does_not_see_what_was_seen() {
    two_ask(Some(Flaw::TakesIdly));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_the_thread_sleeps_without_a_look() {
    two_ask(Some(Flaw::SleepsBlindly));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_the_thread_is_not_woken() {
    two_ask(Some(Flaw::WakesNobody));
}
