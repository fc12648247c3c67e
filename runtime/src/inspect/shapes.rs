//! Stacks that were walked before.
//!
//! A hundred thousand tasks are in the middle of a handful of things. What a walk finds is
//! decided by the registers that it starts with and the words that it reads. So a stack on
//! which the same words stand at the same distances from its stack pointer has the same
//! frames, and comparing a dozen words takes a fraction of a walk.
//!
//! Mostly the return addresses alone decide: the tables say how far each frame reaches. A
//! second walk over what the first one has read finds out, with rubbish for all words that
//! are none. If that leads elsewhere, the frame pointers play a part, and all words are
//! compared; those that point into the stack, by their distance.

use super::frames::Trace;
use super::unwind::{Found, Walker};
use crate::arch::Registers;
use crate::stack::Part;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// A walk that reads more is not kept.
const WORDS: usize = 256;
/// So many are kept that begin at one address.
const EACH: usize = 16;
/// And of all of them.
const ALL: usize = 1024;

/// Bytes that the cache brings at once, and how many of those it is asked for.
const LINE: usize = 64;
const LINES: usize = 16;

/// A word, seen from a stack pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    Same(usize),
    /// Points into the stack, so far from the stack pointer.
    Distance(usize),
}

impl Value {
    fn of(value: usize, at: &Registers, part: &Part) -> Value {
        let (low, end) = part.bounds;
        match (low..=end).contains(&value) {
            true => Value::Distance(value.wrapping_sub(at.sp)),
            false => Value::Same(value),
        }
    }

    fn is(self, value: usize, sp: usize) -> bool {
        match self {
            Value::Same(same) => value == same,
            Value::Distance(distance) => value.wrapping_sub(sp) == distance,
        }
    }
}

struct Shape {
    lr: usize,
    /// If the frame pointer plays a part.
    fp: Option<Value>,
    /// Words, and how far above the stack pointer they are; the last is the outermost.
    words: Box<[(usize, Value)]>,
    trace: Trace,
}

impl Shape {
    fn fits(&self, at: &Registers, part: &Part, mut read: impl FnMut(usize) -> usize) -> bool {
        let Some(&(last, _)) = self.words.last() else { return false };
        // All of them are in the part that the walk would stay in.
        self.lr == at.lr
            && at.sp >= part.bounds.0
            && at.sp.is_multiple_of(size_of::<usize>())
            && at.sp.saturating_add(last + size_of::<usize>()) <= part.bounds.1
            && self.fp.is_none_or(|fp| fp.is(at.fp, at.sp))
            && self.words.iter().all(|&(above, value)| value.is(read(at.sp + above), at.sp))
    }
}

/// What the walks have found, by the address that they began at.
pub(super) struct Shapes {
    known: FxHashMap<usize, VecDeque<Shape>>,
    count: usize,
    /// Where the words of the last one are that was found: one for each line of the cache.
    lines: Vec<usize>,
    /// Whose those are.
    lines_of: usize,
    /// The words that the present walk has read.
    read: Vec<(usize, usize)>,
}

impl Shapes {
    pub(super) fn new() -> Shapes {
        Shapes {
            known: FxHashMap::default(),
            count: 0,
            lines: Vec::with_capacity(LINES),
            lines_of: 0,
            read: Vec::with_capacity(WORDS),
        }
    }

    /// Other code may be at the addresses now.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.count = 0;
    }

    /// What a walk would find that begins here, on a stack of one part. Allocates nothing.
    pub(super) fn find(
        &mut self,
        at: &Registers,
        part: &Part,
        mut read: impl FnMut(usize) -> usize,
    ) -> Option<Trace> {
        let shapes = self.known.get_mut(&at.pc)?;
        let n = shapes.iter().position(|shape| shape.fits(at, part, &mut read))?;
        // The next one is likely the same.
        shapes.swap(0, n);
        let shape = &shapes[0];
        if self.lines_of != shape.trace.key() {
            self.lines_of = shape.trace.key();
            self.lines.clear();
            for &(above, _) in &shape.words {
                let far = self.lines.last().is_none_or(|last| above - last >= LINE);
                if far && self.lines.len() < LINES {
                    self.lines.push(above);
                }
            }
        }
        Some(shape.trace.clone())
    }

    /// How far above its stack pointer the next one is likely to be looked at.
    pub(super) fn lines(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().copied()
    }

    /// A walk begins, whose reader notes what it reads.
    pub(super) fn begin(&mut self) {
        self.read.clear();
    }

    /// A word that the walk has read. Allocates nothing.
    pub(super) fn note(&mut self, at: usize, value: usize) {
        // Full is too much.
        if self.read.len() < WORDS {
            self.read.push((at, value));
        }
    }

    /// Keeps what the walk has found that began here, on a stack of one part.
    pub(super) fn keep(
        &mut self,
        walker: &mut Walker,
        at: &Registers,
        part: &Part,
        found: &Found,
        trace: &Trace,
    ) {
        if !found.whole || self.read.len() == WORDS || found.elided() != 0 {
            return;
        }
        self.read.sort_unstable();
        self.read.dedup();
        let returns = |value: usize| trace.addresses().contains(&value.wrapping_sub(1));
        let seen = |at: usize| {
            let n = self.read.binary_search_by_key(&at, |word| word.0).ok()?;
            Some(self.read[n].1).filter(|&value| returns(value))
        };
        let mut again = Found::new();
        let rubbish = Registers { fp: 0, ..*at };
        walker.walk(&rubbish, std::iter::once(*part), |at| seen(at).unwrap_or(0), &mut again);
        let alone = again.whole && again.ends().0 == trace.addresses();
        let words = self.read.iter().filter(|(_, value)| !alone || returns(*value));
        let words =
            words.map(|&(word, value)| (word.wrapping_sub(at.sp), Value::of(value, at, part)));
        let words: Box<[_]> = words.collect();
        // Nothing below the stack pointer is the task's, but for a leaf's few words.
        if words.iter().any(|(above, _)| *above > part.bounds.1 - part.bounds.0) {
            return;
        }
        if self.count == ALL {
            self.forget();
        }
        let fp = (!alone).then(|| Value::of(at.fp, at, part));
        let shapes = self.known.entry(at.pc).or_default();
        if shapes.len() == EACH {
            shapes.pop_back();
            self.count -= 1;
        }
        shapes.push_front(Shape { lr: at.lr, fp, words, trace: trace.clone() });
        self.count += 1;
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    const WORD: usize = size_of::<usize>();

    /// A stack of two callers, with frame pointers, whose lowest address is this one.
    fn stack(low: usize) -> [usize; 10] {
        [7, low + 0x20, 0x501, 8, low + 0x40, 0x601, 9, 9, 0, 0]
    }

    fn part(low: usize, words: &[usize]) -> Part {
        Part { bounds: (low, low + words.len() * WORD), left: None }
    }

    fn at(low: usize) -> Registers {
        Registers { pc: 0x400, sp: low, fp: low + 8, lr: 0 }
    }

    fn reader(low: usize, words: &[usize]) -> impl Fn(usize) -> usize {
        move |at| words[(at - low) / WORD]
    }

    /// Walks, and keeps what is found: as where nothing is known of the code, with frame
    /// pointers, whose walks do not come to a known end.
    fn learn(shapes: &mut Shapes, low: usize, words: &[usize], whole: bool) -> Trace {
        let (mut walker, mut found) = (Walker::new(), Found::new());
        shapes.begin();
        let read = |at| {
            let value = reader(low, words)(at);
            shapes.note(at, value);
            value
        };
        walker.walk(&at(low), std::iter::once(part(low, words)), read, &mut found);
        found.whole = whole;
        let trace = Trace::of(found.ends().0.to_vec(), None, whole);
        shapes.keep(&mut walker, &at(low), &part(low, words), &found, &trace);
        trace
    }

    fn find(shapes: &mut Shapes, low: usize, words: &[usize]) -> Option<Vec<usize>> {
        let found = shapes.find(&at(low), &part(low, words), reader(low, words));
        found.map(|trace| trace.addresses().to_vec())
    }

    #[test]
    fn a_stack_is_known_wherever_it_is() {
        let mut shapes = Shapes::new();
        let trace = learn(&mut shapes, 0x1000, &stack(0x1000), true);
        assert_eq!(trace.addresses(), [0x400, 0x500, 0x600]);
        for low in [0x1000, 0x8000] {
            let found = find(&mut shapes, low, &stack(low));
            assert_eq!(found.as_deref(), Some(trace.addresses()), "{low:x}");
        }
        shapes.forget();
        assert_eq!(find(&mut shapes, 0x1000, &stack(0x1000)), None);
    }

    /// Each of the words that a walk reads decides.
    #[test]
    fn another_stack_is_not_taken_for_it() {
        let mut shapes = Shapes::new();
        learn(&mut shapes, 0x1000, &stack(0x1000), true);
        for read in [1, 2, 4, 5] {
            let mut other = stack(0x1000);
            other[read] += WORD;
            assert_eq!(find(&mut shapes, 0x1000, &other), None, "{read}");
        }
        let mut same = stack(0x1000);
        (same[0], same[3], same[6]) = (1, 2, 3);
        assert!(find(&mut shapes, 0x1000, &same).is_some());
        let words = stack(0x1000);
        let elsewhere = Registers { pc: 0x401, ..at(0x1000) };
        let read = reader(0x1000, &words);
        assert!(shapes.find(&elsewhere, &part(0x1000, &words), &read).is_none());
        let other_frame = Registers { fp: 0x1010, ..at(0x1000) };
        assert!(shapes.find(&other_frame, &part(0x1000, &words), &read).is_none());
    }

    /// Nothing is read beyond the end of one that is shorter.
    #[test]
    fn a_shorter_stack_is_not_read_beyond_its_end() {
        let mut shapes = Shapes::new();
        learn(&mut shapes, 0x1000, &stack(0x1000), true);
        assert_eq!(find(&mut shapes, 0x1000, &stack(0x1000)[..5]), None);
    }

    #[test]
    fn a_walk_that_was_broken_off_is_not_kept() {
        let mut shapes = Shapes::new();
        learn(&mut shapes, 0x1000, &stack(0x1000), false);
        assert_eq!(find(&mut shapes, 0x1000, &stack(0x1000)), None);
    }

    #[test]
    fn not_all_are_kept_for_ever() {
        let mut shapes = Shapes::new();
        for n in 0..3 * EACH {
            let mut words = stack(0x1000);
            words[2] = 0x701 + n;
            learn(&mut shapes, 0x1000, &words, true);
            assert!(find(&mut shapes, 0x1000, &words).is_some());
        }
        assert_eq!(shapes.known[&0x400].len(), EACH);
        assert_eq!(shapes.count, EACH);
    }
}
