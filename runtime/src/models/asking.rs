//! Who is asked stands still while he is read, and only then; and who is slow to go on
//! does not answer for the next one. The question is the real one (`sched/question.rs`);
//! `asked` and `answer` of `sched/look.rs` are rebuilt around it.

use super::{Futex, Plain, explore};
use crate::question::{Answer, Question, Stand};
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

/// The phase in the question's word.
const OVER: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Whoever stands still takes every question for the one that he answered.
    NoNumber,
    /// The asker reads as soon as there is an answer.
    ReadsAtOnce,
    /// Who has waited for long goes on although he is being read.
    GoesOnWhileRead,
    /// Who asks no longer does not look whether he was answered meanwhile.
    WithdrawsBlindly,
    /// Who sees that nobody stands there any more does not see what he has left.
    LooksIdly,
}

struct Asked {
    /// Where he is; he changes it whenever he does not stand still.
    at: Plain<u32>,
    /// He stands still for a limited time only.
    hasty: bool,
}

struct World {
    question: Question<Asked>,
    asked: [Asked; 2],
    /// `STANDING`: which of them.
    standing: AtomicU32,
    futex: Futex,
    flaw: Option<Flaw>,
}

impl World {
    fn wait(&self, seen: u32) {
        self.futex.wait(|| self.question.futex().load(Ordering::Relaxed) == seen);
    }

    /// The handler. `false`: he is not asked, or not any more.
    fn answer(&self, n: usize) -> bool {
        let me = &self.asked[n];
        me.at.set(1);
        let question = match self.flaw {
            // To loom the one before may have taken his question after this one was asked.
            Some(Flaw::LooksIdly) if n == 1 => self.question.futex().load(Ordering::Relaxed),
            _ => match self.question.take(me) {
                Some(question) => question,
                None => return false,
            },
        };
        self.standing.store(n as u32, Ordering::Relaxed);
        self.question.stand(question);
        if !me.hasty {
            self.futex.wake_all();
        }
        loop {
            let number = match self.flaw {
                Some(Flaw::NoNumber) => self.question.futex().load(Ordering::Relaxed),
                _ => question,
            };
            match self.question.stands(number) {
                Stand::Over => break,
                Stand::Read(_) if self.flaw == Some(Flaw::GoesOnWhileRead) => break,
                // His time may have passed.
                Stand::Unread(_) if me.hasty => {
                    if self.question.go_on(number) {
                        break;
                    }
                }
                Stand::Unread(seen) | Stand::Read(seen) => self.wait(seen),
            }
        }
        me.at.set(2);
        true
    }

    /// Whether the question was answered, and he was read. Who is `late` does not wait.
    fn read(&self, n: usize, mut late: bool) -> bool {
        let whom = &self.asked[n];
        loop {
            if self.flaw == Some(Flaw::LooksIdly)
                && self.question.futex().load(Ordering::Relaxed) & OVER == OVER
            {
                return false;
            }
            match self.question.answer() {
                Answer::NotYet(_) if std::mem::take(&mut late) => {
                    if self.question.withdraw(whom) || self.flaw == Some(Flaw::WithdrawsBlindly) {
                        return false;
                    }
                }
                // He looks now and then: the kernel's lock would order what the word must.
                Answer::NotYet(_) if whom.hasty => thread::yield_now(),
                Answer::NotYet(seen) => self.wait(seen),
                Answer::Stands => break,
                Answer::Withdrawn => return false,
            }
        }
        if self.flaw != Some(Flaw::ReadsAtOnce) && !self.question.begin_reading() {
            return false;
        }
        assert_eq!(self.standing.load(Ordering::Relaxed), n as u32, "another's frame was read");
        assert_eq!(whom.at.get(), 1, "read while he went on");
        self.question.end_reading();
        self.futex.wake_all();
        true
    }
}

impl World {
    fn new(hasty: bool, flaw: Option<Flaw>) -> Arc<World> {
        Arc::new(World {
            question: Question::new(),
            asked: [Asked { at: Plain::new(0), hasty }, Asked { at: Plain::new(0), hasty: false }],
            standing: AtomicU32::new(u32::MAX),
            futex: Futex::new(),
            flaw,
        })
    }
}

/// The signal arrives when the question is asked.
fn ask(world: &Arc<World>, n: usize, late: bool) -> (bool, thread::JoinHandle<bool>) {
    world.question.ask(&world.asked[n]);
    let signalled = Arc::clone(world);
    let thread = thread::spawn(move || signalled.answer(n));
    (world.read(n, late), thread)
}

fn two_questions(hasty: bool, flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let world = World::new(hasty, flaw);
        let (first, one) = ask(&world, 0, false);
        assert!(first || hasty, "nobody withdraws");
        let (second, two) = ask(&world, 1, false);
        assert!(second, "another one withdrew the answer");
        assert!(one.join().unwrap() && two.join().unwrap(), "it is asked");
    });
}

/// Who asks first does not wait for an answer, and then asks another one.
fn withdrawn(flaw: Option<Flaw>) {
    explore(Some(2), move || {
        let world = World::new(false, flaw);
        let (first, one) = ask(&world, 0, true);
        let (second, two) = ask(&world, 1, false);
        assert!(second, "another one withdrew the answer");
        assert_eq!(one.join().unwrap(), first, "answered, and withdrawn");
        assert!(two.join().unwrap(), "it is asked");
    });
}

#[test]
fn who_is_asked_stands_still() {
    two_questions(false, None);
}

#[test]
fn who_stands_still_for_a_limited_time() {
    two_questions(true, None);
}

#[test]
fn who_asks_withdraws() {
    withdrawn(None);
}

#[test]
#[should_panic(expected = "another's frame was read")]
fn broken_a_question_is_withdrawn_that_was_answered() {
    withdrawn(Some(Flaw::WithdrawsBlindly));
}

#[test]
#[should_panic(expected = "another one withdrew the answer")]
fn broken_questions_have_no_numbers() {
    two_questions(true, Some(Flaw::NoNumber));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_the_asker_reads_at_once() {
    two_questions(true, Some(Flaw::ReadsAtOnce));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_who_is_read_goes_on() {
    two_questions(false, Some(Flaw::GoesOnWhileRead));
}

#[test]
#[should_panic(expected = "another's frame was read")]
fn broken_what_was_left_is_not_seen() {
    two_questions(true, Some(Flaw::LooksIdly));
}
