//! The ring: everything that is put is taken once, in order. And the place of the one that
//! runs next.

use super::{Plain, explore};
use crate::next::Next;
use crate::ring::{Ring, SIZE};
use crate::sys::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

const HALF: usize = SIZE as usize / 2;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Empty,
    Full,
    Taken,
}

/// A ring of entries that are numbered in the order in which they are put.
struct Model {
    ring: Ring<u8>,
    entries: Vec<Plain<Entry>>,
}

impl Model {
    /// `first` is where the ring's indices start.
    fn new(first: u32, entries: usize) -> Arc<Model> {
        let entries = (0..entries).map(|_| Plain::new(Entry::Empty)).collect();
        Arc::new(Model { ring: Ring::starting_at(first), entries })
    }

    fn fill(&self, n: usize) -> *mut u8 {
        self.entries[n].set(Entry::Full);
        std::ptr::without_provenance_mut(n + 1)
    }

    fn put(&self, n: usize) {
        self.ring.put(self.fill(n)).expect("the ring has room");
    }

    /// The caller took the entry: what it points to is its own.
    fn taken(&self, entry: *mut u8) -> usize {
        let n = entry.addr().checked_sub(1).expect("an entry that was put");
        let was = self.entries[n].replace(Entry::Taken);
        assert_eq!(was, Entry::Full, "entry {n} was taken twice");
        n
    }

    fn take(&self) -> Option<usize> {
        self.ring.take().map(|entry| self.taken(entry))
    }

    /// `Processor::steal_from`.
    fn steal(&self) -> Vec<usize> {
        let mut half = [std::ptr::null_mut(); HALF];
        loop {
            let grab = self.ring.grab(&mut half, SIZE);
            if grab.len() == 0 {
                return Vec::new();
            }
            if self.ring.commit(grab) {
                return half[..grab.len() as usize].iter().map(|e| self.taken(*e)).collect();
            }
        }
    }

    /// `Processor::put`, which moves half of a full ring and the new entry to
    /// the global queue.
    fn put_or_move(&self, n: usize, global: &mut Vec<usize>) {
        if self.ring.put(self.fill(n)).is_ok() {
            return;
        }
        let mut half = [std::ptr::null_mut(); HALF];
        let grab = self.ring.grab(&mut half, SIZE);
        if !self.ring.commit(grab) {
            return self.put_or_move(n, global);
        }
        global.extend(half[..grab.len() as usize].iter().map(|e| self.taken(*e)));
        global.push(self.taken(std::ptr::without_provenance_mut(n + 1)));
    }

    fn drain(&self) -> Vec<usize> {
        std::iter::from_fn(|| self.take()).collect()
    }

    /// Each taker got its entries in order, and nothing was lost.
    fn check(&self, takers: &[&[usize]]) {
        for taker in takers {
            assert!(taker.is_sorted(), "out of order: {taker:?}");
        }
        let mut all = takers.concat();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..self.entries.len()), "lost: only {all:?} were taken");
    }
}

#[test]
fn an_owner_and_a_thief() {
    explore(None, || {
        let model = Model::new(0, 3);
        model.put(0);
        model.put(1);
        let thief = {
            let model = Arc::clone(&model);
            thread::spawn(move || [model.steal(), model.steal()].concat())
        };
        model.put(2);
        let mut owner: Vec<usize> = model.take().into_iter().collect();
        owner.extend(model.take());
        let thief = thief.join().unwrap();
        owner.extend(model.drain());
        model.check(&[&owner, &thief]);
    });
}

/// Slots are used again, and the indices wrap, while a thief looks at them.
#[test]
fn indices_wrap_under_a_thief() {
    explore(Some(4), || {
        let model = Model::new(u32::MAX - 1, 6);
        (0..4).for_each(|n| model.put(n));
        let thief = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.steal())
        };
        let mut owner = Vec::new();
        owner.extend(model.take());
        owner.extend(model.take());
        model.put(4);
        model.put(5);
        owner.extend(model.take());
        let thief = thief.join().unwrap();
        owner.extend(model.drain());
        model.check(&[&owner, &thief]);
    });
}

#[test]
fn two_thieves() {
    explore(Some(4), || {
        let model = Model::new(0, 4);
        (0..3).for_each(|n| model.put(n));
        let steal = |model: &Arc<Model>| {
            let model = Arc::clone(model);
            thread::spawn(move || model.steal())
        };
        let (one, two) = (steal(&model), steal(&model));
        model.put(3);
        let mut owner: Vec<usize> = model.take().into_iter().collect();
        let (one, two) = (one.join().unwrap(), two.join().unwrap());
        owner.extend(model.drain());
        model.check(&[&owner, &one, &two]);
    });
}

#[test]
fn a_full_ring_overflows_under_a_thief() {
    explore(None, || {
        let model = Model::new(2, 5);
        (0..4).for_each(|n| model.put(n));
        let thief = {
            let model = Arc::clone(&model);
            thread::spawn(move || [model.steal(), model.steal()].concat())
        };
        let mut global = Vec::new();
        model.put_or_move(4, &mut global);
        let thief = thief.join().unwrap();
        model.check(&[&model.drain(), &global, &thief]);
    });
}

/// Nobody may conclude from a ring that somebody works on that it is empty.
#[test]
fn a_full_ring_never_looks_empty() {
    explore(None, || {
        let model = Model::new(0, SIZE as usize + 2);
        (0..SIZE as usize).for_each(|n| model.put(n));
        let onlooker = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.ring.is_empty())
        };
        for n in SIZE as usize..SIZE as usize + 2 {
            model.take();
            model.put(n);
        }
        assert!(!onlooker.join().unwrap(), "a full ring looked empty");
    });
}

#[test]
#[should_panic(expected = "was taken twice")]
fn broken_a_thief_ignores_that_the_commit_failed() {
    explore(None, || {
        let model = Model::new(0, 2);
        model.put(0);
        model.put(1);
        let thief = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let mut half = [std::ptr::null_mut(); HALF];
                let grab = model.ring.grab(&mut half, SIZE);
                let _ = model.ring.commit(grab);
                half[..grab.len() as usize].iter().map(|e| e.addr()).collect::<Vec<_>>()
            })
        };
        model.take();
        for entry in thief.join().unwrap() {
            model.taken(std::ptr::without_provenance_mut(entry));
        }
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_an_entry_is_filled_after_it_is_put() {
    explore(None, || {
        let model = Model::new(0, 1);
        let thief = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.steal())
        };
        model.ring.put(std::ptr::without_provenance_mut(1)).unwrap();
        model.fill(0);
        thief.join().unwrap();
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// A thief looks, and then takes.
    TakesInTwoSteps,
    /// It takes without Acquire.
    TakesIdly,
    /// The holder puts without Release.
    PutsIdly,
}

/// The place of the one that runs next, and that of the variants, by number.
struct Place {
    real: Next<u8>,
    other: AtomicU32,
    entries: [Plain<Entry>; 2],
    flaw: Option<Flaw>,
}

impl Place {
    /// Whoever gets an entry owns what it points to.
    fn own(&self, n: usize) -> Option<usize> {
        let n = n.checked_sub(1)?;
        let was = self.entries[n].replace(Entry::Taken);
        assert_eq!(was, Entry::Full, "entry {n} was taken twice");
        Some(n)
    }

    /// `Processor::put_next`, to whose ring the former one would go.
    fn put(&self, n: usize) -> Option<usize> {
        self.entries[n].set(Entry::Full);
        let former = match self.flaw {
            None => self.real.put(std::ptr::without_provenance_mut(n + 1)).addr(),
            Some(Flaw::PutsIdly) => self.other.swap(n as u32 + 1, Ordering::Acquire) as usize,
            Some(_) => self.other.swap(n as u32 + 1, Ordering::AcqRel) as usize,
        };
        self.own(former)
    }

    fn take(&self) -> Option<usize> {
        self.own(match self.flaw {
            None => self.real.take().addr(),
            Some(Flaw::TakesIdly) => self.other.swap(0, Ordering::Relaxed) as usize,
            Some(Flaw::PutsIdly) => self.other.swap(0, Ordering::Acquire) as usize,
            Some(Flaw::TakesInTwoSteps) => {
                let n = self.other.load(Ordering::Acquire);
                self.other.store(0, Ordering::Relaxed);
                n as usize
            }
        })
    }
}

fn next(flaw: Option<Flaw>) {
    explore(None, move || {
        let place = Arc::new(Place {
            real: Next::new(),
            other: AtomicU32::new(0),
            entries: [Plain::new(Entry::Empty), Plain::new(Entry::Empty)],
            flaw,
        });
        let thieves = [(); 2].map(|()| {
            let place = Arc::clone(&place);
            thread::spawn(move || place.take())
        });
        let mut all: Vec<usize> = place.put(0).into_iter().chain(place.put(1)).collect();
        all.extend(place.take());
        all.extend(thieves.into_iter().filter_map(|it| it.join().unwrap()));
        all.sort_unstable();
        assert_eq!(all, [0, 1], "each is taken once");
    });
}

#[test]
fn the_one_that_runs_next_and_two_thieves() {
    next(None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_thief_takes_the_next_in_two_steps() {
    next(Some(Flaw::TakesInTwoSteps));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_thief_of_the_next_does_not_see_it() {
    next(Some(Flaw::TakesIdly));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_the_next_is_not_published() {
    next(Some(Flaw::PutsIdly));
}
