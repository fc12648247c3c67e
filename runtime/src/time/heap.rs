//! A heap of four children a node in a vector: an entry is sixteen bytes, and the
//! children of one stand together in a cache line or two.
//!
//! An entry says only when to look at something, and at what. Whether there is
//! something to do then, that thing says itself: entries whose cause is gone stay
//! until they are due or swept.

use std::cmp::Reverse;

/// Children of a node.
const WIDTH: usize = 4;

/// When to look at what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry<T> {
    pub(super) when: u64,
    pub(super) what: T,
}

pub(super) struct Heap<T>(Vec<Entry<T>>);

impl<T: Copy> Heap<T> {
    pub(super) fn with_capacity(capacity: usize) -> Heap<T> {
        Heap(Vec::with_capacity(capacity))
    }

    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The earliest time; `u64::MAX` if there is none.
    #[inline]
    pub(super) fn first(&self) -> u64 {
        self.0.first().map_or(u64::MAX, |entry| entry.when)
    }

    /// Adds an entry. Who must not allocate has seen to it that there is room.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<T>) {
        self.0.push(entry);
        self.rise(self.0.len() - 1);
    }

    /// Takes out the earliest entry, if that is due.
    #[inline]
    pub(super) fn pop_due(&mut self, now: u64) -> Option<Entry<T>> {
        let first = *self.0.first()?;
        if first.when > now {
            return None;
        }
        let last = self.0.pop().expect("there is a first one");
        if !self.0.is_empty() {
            self.0[0] = last;
            self.sink(0);
        }
        Some(first)
    }

    /// Moves everything to the other heap, which is empty and has room for it.
    pub(super) fn move_to(&mut self, other: &mut Heap<T>) {
        other.0.extend_from_slice(&self.0);
        self.0.clear();
    }

    /// Keeps the entries of which `keep` says so. How many went.
    pub(super) fn sweep(&mut self, keep: impl Fn(&Entry<T>) -> bool) -> usize {
        let before = self.0.len();
        self.0.retain(keep);
        for at in (0..self.0.len().div_ceil(WIDTH)).rev() {
            self.sink(at);
        }
        before - self.0.len()
    }

    fn rise(&mut self, mut at: usize) {
        let entry = self.0[at];
        while at > 0 {
            let parent = (at - 1) / WIDTH;
            if self.0[parent].when <= entry.when {
                break;
            }
            self.0[at] = self.0[parent];
            at = parent;
        }
        self.0[at] = entry;
    }

    fn sink(&mut self, mut at: usize) {
        let Some(entry) = self.0.get(at).copied() else { return };
        loop {
            let children = at * WIDTH + 1..self.0.len().min(at * WIDTH + 1 + WIDTH);
            // The last of equal ones would do as well.
            let Some(child) = children.max_by_key(|child| Reverse(self.0[*child].when)) else {
                break;
            };
            if entry.when <= self.0[child].when {
                break;
            }
            self.0[at] = self.0[child];
            at = child;
        }
        self.0[at] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    fn drained(heap: &mut Heap<u64>) -> Vec<u64> {
        std::iter::from_fn(|| heap.pop_due(u64::MAX)).map(|entry| entry.what).collect()
    }

    #[test]
    fn entries_come_out_in_order() {
        let mut seed = 0x9E37_79B9_7F4A_7C15;
        for count in [0, 1, 2, 4, 5, 6, 21, 22, 1000] {
            let mut heap = Heap::with_capacity(0);
            let mut all: Vec<u64> = (0..count).map(|_| random(&mut seed) % 500).collect();
            all.iter().for_each(|when| heap.push(Entry { when: *when, what: *when }));
            assert_eq!(heap.first(), all.iter().copied().min().unwrap_or(u64::MAX));
            all.sort_unstable();
            assert_eq!(drained(&mut heap), all);
        }
    }

    #[test]
    fn only_what_is_due_comes_out() {
        let mut heap = Heap::with_capacity(4);
        [30, 10, 20].into_iter().for_each(|when| heap.push(Entry { when, what: when }));
        assert_eq!(heap.pop_due(9), None);
        assert_eq!(heap.pop_due(20).unwrap().what, 10);
        assert_eq!(heap.pop_due(20).unwrap().what, 20);
        assert_eq!(heap.pop_due(29), None);
        assert_eq!(heap.first(), 30);
    }

    #[test]
    fn pushes_and_pops_mixed() {
        let mut seed = 0x0123_4567_89AB_CDEF;
        let (mut heap, mut sorted) = (Heap::with_capacity(0), Vec::new());
        for _ in 0..5000 {
            if !random(&mut seed).is_multiple_of(3) {
                let when = random(&mut seed) % 1000;
                heap.push(Entry { when, what: when });
                sorted.push(when);
                sorted.sort_unstable();
            } else if let Some(entry) = heap.pop_due(u64::MAX) {
                assert_eq!(entry.what, sorted.remove(0));
            }
            assert_eq!(heap.len(), sorted.len());
        }
    }

    #[test]
    fn a_sweep_keeps_the_order() {
        let mut seed = 77;
        for count in [0, 1, 5, 6, 300] {
            let mut heap = Heap::with_capacity(0);
            let all: Vec<u64> = (0..count).map(|_| random(&mut seed) % 500).collect();
            all.iter().for_each(|when| heap.push(Entry { when: *when, what: *when }));
            let mut kept: Vec<u64> =
                all.iter().copied().filter(|when| when.is_multiple_of(3)).collect();
            assert_eq!(heap.sweep(|entry| entry.what.is_multiple_of(3)), all.len() - kept.len());
            let mut larger = Heap::with_capacity(2 * heap.len());
            heap.move_to(&mut larger);
            assert_eq!(heap.first(), u64::MAX);
            kept.sort_unstable();
            assert_eq!(drained(&mut larger), kept);
        }
    }
}
