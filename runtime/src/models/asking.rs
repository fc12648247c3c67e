//! Who is asked stands still while he is read, and only then; and who is slow to go on
//! does not answer for the next one. The question is the real one (`sched/question.rs`);
//! `asked` and `answer` of `sched/look.rs` are rebuilt around it.

use super::{Futex, Plain, explore};
use crate::question::{Answer, Question, Stand};
use crate::sys::atomic::Ordering;
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Whoever stands still takes every question for the one that he answered.
    NoNumber,
    /// The asker reads as soon as there is an answer.
    ReadsAtOnce,
    /// Who has waited for long goes on although he is being read.
    GoesOnWhileRead,
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
    futex: Futex,
    flaw: Option<Flaw>,
}

impl World {
    fn wait(&self, seen: u32) {
        self.futex.wait(|| self.question.futex().load(Ordering::Relaxed) == seen);
    }

    /// The handler.
    fn answer(&self, me: &Asked) {
        me.at.set(1);
        let question = self.question.take(me).expect("it is asked");
        self.question.stand(question);
        self.futex.wake_all();
        let mut waited = false;
        loop {
            let number = match self.flaw {
                Some(Flaw::NoNumber) => self.question.futex().load(Ordering::Relaxed),
                _ => question,
            };
            match self.question.stands(number) {
                Stand::Over => break,
                Stand::Read(_) if self.flaw == Some(Flaw::GoesOnWhileRead) => break,
                Stand::Unread(_) if me.hasty && waited => {
                    if self.question.go_on(number) {
                        break;
                    }
                }
                // A time that passes, and not a wake-up, may end the first wait.
                Stand::Unread(_) if me.hasty => {
                    waited = true;
                    thread::yield_now();
                }
                Stand::Unread(seen) | Stand::Read(seen) => self.wait(seen),
            }
        }
        me.at.set(2);
    }

    /// Whether the question was answered, and he was read.
    fn read(&self, whom: &Asked) -> bool {
        loop {
            match self.question.answer() {
                Answer::NotYet(seen) => self.wait(seen),
                Answer::Stands => break,
                Answer::Withdrawn => return false,
            }
        }
        if self.flaw != Some(Flaw::ReadsAtOnce) && !self.question.begin_reading() {
            return false;
        }
        assert_eq!(whom.at.get(), 1, "read while he went on");
        self.question.end_reading();
        self.futex.wake_all();
        true
    }
}

fn two_questions(hasty: bool, flaw: Option<Flaw>) {
    explore(Some(2), move || {
        let world = Arc::new(World {
            question: Question::new(),
            asked: [Asked { at: Plain::new(0), hasty }, Asked { at: Plain::new(0), hasty: false }],
            futex: Futex::new(),
            flaw,
        });
        // The signal arrives when the question is asked.
        let ask = |n: usize| {
            world.question.ask(&world.asked[n]);
            let signalled = Arc::clone(&world);
            let thread = thread::spawn(move || signalled.answer(&signalled.asked[n]));
            (world.read(&world.asked[n]), thread)
        };
        let (first, one) = ask(0);
        assert!(first || hasty, "nobody withdraws");
        let (second, two) = ask(1);
        assert!(second, "another one withdrew the answer");
        one.join().unwrap();
        two.join().unwrap();
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
