//! The lock for readers and writers: a writer is alone, and sees and shows what was
//! done; nobody waits for a lock that is free, whoever gives up.

use super::waiters::Waiters;
use super::{Plain, explore};
use crate::rw_word::RwWord;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The last reader does not wake the writer.
    DoesNotWake,
    /// Readers are woken, but not counted.
    DoesNotCount,
    /// A writer that gives up does not let the readers in.
    LeavesSilently,
    /// A reader that gives up does not notice that it was admitted.
    ForgetsAdmission,
}

struct Lock {
    word: RwWord,
    writer: Mutex<()>,
    readers: Waiters,
    drain: Waiters,
    guarded: Plain<u32>,
    /// Readers that are inside.
    inside: AtomicU32,
    flaw: Option<Flaw>,
}

impl Lock {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn read(&self, timed: bool) {
        if !self.word.read() {
            let mut held = self.readers.hold();
            if !self.word.read_or_announce() {
                held.members += 1;
                let round = held.round;
                match self.readers.park(held, round, false, timed) {
                    Ok(()) => {}
                    Err(held) if held.round != round && !self.is(Flaw::ForgetsAdmission) => {}
                    Err(mut held) => {
                        if held.round == round {
                            held.members -= 1;
                        }
                        return;
                    }
                }
                self.word.admitted();
            }
        }
        self.inside.fetch_add(1, Ordering::Relaxed);
        let _ = self.guarded.get();
        self.inside.fetch_sub(1, Ordering::Relaxed);
        if self.word.unread() && !self.is(Flaw::DoesNotWake) {
            let mut held = self.drain.hold();
            if self.word.drained() {
                let writer = held.claim_first(|_| true);
                drop(held);
                if let Some((_, writer)) = writer {
                    writer.enqueue();
                }
            }
        }
    }

    /// Whether it wrote.
    fn write(&self, timed: bool) -> u32 {
        let _writer = self.writer.lock().unwrap();
        let mut written = self.word.write();
        while !written {
            let held = self.drain.hold();
            written = self.word.write_or_announce();
            if written {
                break;
            }
            if let Err(held) = self.drain.park(held, 0, false, timed) {
                written = self.word.stop_draining();
                drop(held);
                if !written {
                    if !self.is(Flaw::LeavesSilently) {
                        self.unwrite();
                    }
                    return 0;
                }
            }
        }
        assert_eq!(self.inside.load(Ordering::Relaxed), 0, "a reader is inside");
        self.guarded.set(self.guarded.get() + 1);
        self.unwrite();
        1
    }

    fn unwrite(&self) {
        if self.word.unwrite() {
            return;
        }
        let mut held = self.readers.hold();
        let members = if self.is(Flaw::DoesNotCount) { 0 } else { held.members };
        self.word.admit(members);
        let round = held.round;
        held.round += 1;
        held.members = 0;
        while let Some((_, reader)) = held.claim_first(|tag| tag == round) {
            drop(held);
            reader.enqueue();
            held = self.readers.hold();
        }
    }
}

#[derive(Clone, Copy)]
enum Does {
    Reads,
    ReadsOrGivesUp,
    Writes,
    WritesOrGivesUp,
}

fn contended(bound: usize, all: &'static [Does], flaw: Option<Flaw>) {
    explore(Some(bound), move || {
        let lock = Arc::new(Lock {
            word: RwWord::new(),
            writer: Mutex::new(()),
            readers: Waiters::new(),
            drain: Waiters::new(),
            guarded: Plain::new(0),
            inside: AtomicU32::new(0),
            flaw,
        });
        let act = |lock: &Lock, does| match does {
            Does::Reads => {
                lock.read(false);
                0
            }
            Does::ReadsOrGivesUp => {
                lock.read(true);
                0
            }
            Does::Writes => lock.write(false),
            Does::WritesOrGivesUp => lock.write(true),
        };
        let others: Vec<_> = all[1..]
            .iter()
            .map(|&does| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || act(&lock, does))
            })
            .collect();
        let mut written = act(&lock, all[0]);
        for thread in others {
            written += thread.join().unwrap();
        }
        assert!(lock.word.is_idle(), "something is left in the word");
        assert_eq!(lock.guarded.get(), written);
    });
}

use Does::{Reads, ReadsOrGivesUp, Writes, WritesOrGivesUp};

#[test]
fn a_reader_and_writers() {
    contended(3, &[Reads, Writes], None);
    contended(2, &[Reads, Writes, Writes], None);
}

#[test]
fn readers_and_a_writer() {
    contended(2, &[Reads, Reads, Writes], None);
}

#[test]
fn a_writer_gives_up() {
    contended(2, &[Reads, Reads, WritesOrGivesUp], None);
    contended(2, &[Reads, Writes, WritesOrGivesUp], None);
}

#[test]
fn a_reader_gives_up() {
    contended(3, &[Writes, ReadsOrGivesUp], None);
    contended(2, &[ReadsOrGivesUp, Reads, Writes], None);
    contended(2, &[ReadsOrGivesUp, Writes, Writes], None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_the_last_reader_does_not_wake() {
    contended(2, &[Reads, Writes], Some(Flaw::DoesNotWake));
}

#[test]
#[should_panic(expected = "something is left in the word")]
fn broken_readers_are_not_counted() {
    contended(2, &[Reads, Writes, Writes], Some(Flaw::DoesNotCount));
}

#[test]
#[should_panic(expected = "something is left in the word")]
fn broken_a_writer_leaves_silently() {
    contended(2, &[Reads, Reads, WritesOrGivesUp], Some(Flaw::LeavesSilently));
}

#[test]
#[should_panic(expected = "something is left in the word")]
fn broken_an_admission_is_forgotten() {
    contended(3, &[Writes, ReadsOrGivesUp], Some(Flaw::ForgetsAdmission));
}
