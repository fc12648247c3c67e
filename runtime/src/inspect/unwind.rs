//! Return addresses, from the registers of code that stands still and its stack.
//!
//! The unwinder is `framehop`: it reads the same tables as an exception does, needs
//! neither locks nor memory on the way, and the stack only through a function that is
//! given to it. That one answers for the piece of stack that is walked and for nothing
//! else, so that whatever is found there, no access faults. Where a piece ends, the
//! walk goes on in the one further out, at the words that `arch::call_on` has left
//! (`stack/segment.rs`).
//!
//! The tables are those in memory, found through the program headers. A library that can
//! be unloaded may take them away in the middle of a walk; so its tables are copied, while
//! the loader's lock keeps it. The program itself stays.

use crate::arch::Registers;
use crate::stack::Part;
use crate::sys::program::{Library, libraries};
use framehop::{
    ExplicitModuleSectionInfo, FrameAddress, Module, MustNotAllocateDuringUnwind, Unwinder,
};
use std::borrow::Cow;

type Tables = Cow<'static, [u8]>;
#[cfg(target_arch = "aarch64")]
type Engine = framehop::aarch64::UnwinderAarch64<Tables, MustNotAllocateDuringUnwind>;
#[cfg(target_arch = "aarch64")]
type Cache = framehop::aarch64::CacheAarch64<MustNotAllocateDuringUnwind>;
#[cfg(target_arch = "x86_64")]
type Engine = framehop::x86_64::UnwinderX86_64<Tables, MustNotAllocateDuringUnwind>;
#[cfg(target_arch = "x86_64")]
type Cache = framehop::x86_64::CacheX86_64<MustNotAllocateDuringUnwind>;
type Inner = <Engine as Unwinder>::UnwindRegs;

/// So far below the stack pointer a function may have put something.
const RED_ZONE: usize = 128;
/// How many addresses are kept of either end of a stack.
const KEPT: usize = 64;
/// Of a cache of `framehop`.
const PLACES: u64 = 509;
/// A walk that has not ended by then is broken off.
const MOST: usize = 1 << 20;

/// Addresses that a walk has found, each inside of the instruction that its frame is at,
/// the innermost first. Takes no memory while it is filled.
#[derive(Debug)]
pub(super) struct Found {
    inner: Vec<usize>,
    /// A ring of the last ones.
    outer: Vec<usize>,
    count: usize,
    /// The outermost is the first of the stack.
    pub(super) whole: bool,
    /// No more are looked for.
    pub(super) most: usize,
}

impl Found {
    pub(super) fn new() -> Found {
        Found {
            inner: Vec::with_capacity(KEPT),
            outer: Vec::with_capacity(KEPT),
            count: 0,
            whole: false,
            most: MOST,
        }
    }

    fn clear(&mut self) {
        self.inner.clear();
        self.outer.clear();
        self.count = 0;
        self.whole = false;
    }

    fn push(&mut self, address: usize) {
        if self.inner.len() < KEPT {
            self.inner.push(address);
        } else if self.outer.len() < KEPT {
            self.outer.push(address);
        } else {
            self.outer[(self.count - KEPT) % KEPT] = address;
        }
        self.count += 1;
    }

    /// How many are missing behind the first [`KEPT`](Self::inner).
    pub(super) fn elided(&self) -> usize {
        self.count - self.inner.len() - self.outer.len()
    }

    /// The inner ones, and behind those that are missing the outer ones.
    pub(super) fn ends(&self) -> (&[usize], impl Iterator<Item = usize>) {
        let first = if self.outer.len() < KEPT { 0 } else { (self.count - KEPT) % KEPT };
        let (late, early) = self.outer.split_at(first);
        (&self.inner, early.iter().chain(late).copied())
    }
}

/// Walks stacks.
pub(super) struct Walker {
    engine: Engine,
    /// Rules of addresses that were met before. Each of these caches has one place for all
    /// addresses that are equal modulo [`PLACES`], and two in one stack would drive each
    /// other out at every walk.
    caches: [Cache; 4],
    /// How many libraries were loaded and unloaded when the tables were found.
    seen: Option<(u64, u64)>,
}

impl Walker {
    pub(super) fn new() -> Walker {
        let caches = std::array::from_fn(|_| Cache::new_in());
        Walker { engine: Engine::new(), caches, seen: None }
    }

    /// Finds the tables of libraries that have come since the last time. Whether
    /// something has changed.
    pub(super) fn refresh(&mut self) -> bool {
        let mut engine = Engine::new();
        let before = self.seen;
        let now = libraries(before, |library| {
            if let Some(module) = module(library) {
                engine.add_module(module);
            }
        });
        let changed = before != now;
        if changed {
            self.engine = engine;
            self.seen = now;
        }
        changed
    }

    /// Walks from the part that the stack pointer is in outwards. The innermost of the
    /// chain need not be that one: a segment is in the chain before its task is on it, and
    /// for a moment afterwards; and a signal's handler is on a stack of its own. `read` is
    /// asked for words of the part that is walked only. Allocates nothing.
    pub(super) fn walk(
        &mut self,
        start: &Registers,
        parts: impl Iterator<Item = Part>,
        mut read: impl FnMut(usize) -> usize,
        found: &mut Found,
    ) {
        found.clear();
        let mut registers = inner(start);
        let mut address = FrameAddress::from_instruction_pointer(start.pc as u64);
        let mut parts = parts.skip_while(|part| !part.has(start.sp)).peekable();
        // What lies further down is not in use, and not even mapped on the main thread (V1).
        if let Some(innermost) = parts.peek_mut() {
            innermost.bounds.0 = innermost.bounds.0.max(start.sp.saturating_sub(RED_ZONE));
        }
        if parts.peek().is_none() {
            found.push(address.address_for_lookup() as usize);
            return;
        }
        while let Some(part) = parts.next() {
            let mut word = |at: u64| part.word(at as usize).map(|at| read(at) as u64).ok_or(());
            loop {
                found.push(address.address_for_lookup() as usize);
                if found.count == found.most {
                    return;
                }
                let turn = address.address_for_lookup() / PLACES % self.caches.len() as u64;
                let cache = &mut self.caches[turn as usize];
                let next = self.engine.unwind_frame(address, &mut registers, cache, &mut word);
                match next.map(|next| next.map(FrameAddress::from_return_address)) {
                    Ok(Some(Some(next))) => address = next,
                    Ok(None) => {
                        found.whole = true;
                        return;
                    }
                    // A return address that is none, or not here.
                    Ok(Some(None)) | Err(_) => break,
                }
            }
            let (Some(left), Some(outer)) = (part.left, parts.peek()) else { return };
            let at = |n: usize| outer.word(left.wrapping_add(n * size_of::<usize>()));
            let (Some(fp), Some(pc)) = (at(0), at(1)) else { return };
            let (fp, pc, sp) = (read(fp), read(pc), left + 2 * size_of::<usize>());
            registers = inner(&Registers { pc, sp, fp, lr: 0 });
            let Some(next) = FrameAddress::from_return_address(pc as u64) else { return };
            address = next;
        }
    }
}

impl Part {
    pub(super) fn has(&self, sp: usize) -> bool {
        (self.bounds.0..=self.bounds.1).contains(&sp)
    }

    /// The address, if a word of this part is there.
    fn word(&self, at: usize) -> Option<usize> {
        let (low, end) = self.bounds;
        let inside = at >= low && at <= end.saturating_sub(size_of::<usize>());
        (inside && at.is_multiple_of(size_of::<usize>())).then_some(at)
    }
}

fn inner(at: &Registers) -> Inner {
    #[cfg(target_arch = "x86_64")]
    return Inner::new(at.pc as u64, at.sp as u64, at.fp as u64);
    #[cfg(target_arch = "aarch64")]
    return Inner::new(at.lr as u64, at.sp as u64, at.fp as u64);
}

fn module(library: &Library<'_>) -> Option<Module<Tables>> {
    let (header, frames) = (library.unwind_header()?, library.unwind_frames()?);
    let keep = |bytes: &[u8]| match library.stays(bytes) {
        Some(bytes) => Cow::Borrowed(bytes),
        None => Cow::Owned(bytes.to_vec()),
    };
    let range = |(at, bytes): (u64, &[u8])| Some(at..at + bytes.len() as u64);
    let sections = ExplicitModuleSectionInfo {
        eh_frame_hdr_svma: range(header),
        eh_frame_hdr: Some(keep(header.1)),
        eh_frame_svma: range(frames),
        eh_frame: Some(keep(frames.1)),
        ..Default::default()
    };
    let range = library.addresses()?;
    Some(Module::new(String::new(), range, library.bias(), sections))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(found: &Found) -> Vec<usize> {
        let (inner, outer) = found.ends();
        inner.iter().copied().chain(outer).collect()
    }

    #[test]
    fn both_ends_are_kept() {
        for count in [0, 1, KEPT, KEPT + 1, 2 * KEPT, 2 * KEPT + 1, 1000] {
            let mut found = Found::new();
            (0..count).for_each(|n| found.push(n));
            let elided = count.saturating_sub(2 * KEPT);
            assert_eq!(found.elided(), elided, "{count}");
            let expected: Vec<usize> =
                (0..count).filter(|n| !(KEPT..KEPT + elided).contains(n)).collect();
            assert_eq!(addresses(&found), expected, "{count}");
            assert_eq!(found.ends().0.len(), count.min(KEPT));
        }
    }

    /// Where a frame pointer lies as on x86-64.
    #[cfg(target_arch = "x86_64")]
    mod by_frame_pointers {
        use super::*;

        const WORD: usize = size_of::<usize>();

        /// Walks with frame pointers, as where nothing is known of the code, in pieces of memory
        /// that begin at these addresses; the first is the innermost, and each but the last says
        /// where the next was left. Whoever reads beside them fails.
        fn walk(at: Registers, pieces: &[(usize, &[usize], Option<usize>)]) -> Found {
            let mut found = Found::new();
            let parts = pieces.iter().map(|(start, words, left)| Part {
                bounds: (*start, start + words.len() * WORD),
                left: *left,
            });
            let read = |at: usize| {
                let inside = |(start, words, _): &&(usize, &[usize], _)| {
                    (*start..start + words.len() * WORD).contains(&at)
                };
                let (start, words, _) = pieces.iter().find(inside).expect("in one of the pieces");
                words[(at - start) / WORD]
            };
            Walker::new().walk(&at, parts, read, &mut found);
            found
        }

        fn at(pc: usize, sp: usize, fp: usize) -> Registers {
            Registers { pc, sp, fp, lr: 0 }
        }

        #[test]
        fn callers_are_found_by_their_frame_pointers() {
            let stack = [7, 0x1020, 0x501, 8, 0x1040, 0x601, 9, 9, 0, 0];
            let found = walk(at(0x400, 0x1000, 0x1008), &[(0x1000, &stack, None)]);
            // Each but the first is an instruction before the one that is returned to.
            assert_eq!(addresses(&found), [0x400, 0x500, 0x600]);
            assert_eq!(found.elided(), 0);
        }

        /// Nothing is read outside, whatever the words say.
        #[test]
        fn a_torn_stack_ends_the_walk() {
            for torn in [0, 1, 8, 0xFF8, 0x1001, 0x1018, 0x1020, 0x1028, usize::MAX, usize::MAX - 7]
            {
                for back in [0, 0x501, usize::MAX] {
                    let stack = [7, torn, back, 8];
                    for fp in [0x1008, torn] {
                        let found = walk(at(0x400, 0x1000, fp), &[(0x1000, &stack, None)]);
                        assert!(addresses(&found).len() <= 3, "{torn:x} {found:x?}");
                        assert_eq!(addresses(&found)[0], 0x400);
                    }
                }
            }
        }

        #[test]
        fn a_seam_leads_to_the_stack_around_wherever_that_is() {
            for around in [0x8000, 0x100] {
                // The frame of `call_on` has its saved words on the stack around.
                let segment = [7, 0x1018, 0x501, around + 8, 0x601];
                let outer = [1, around + 0x20, 0x701, 2, 0, 0];
                let pieces: [(_, &[usize], _); 2] =
                    [(0x1000, &segment, Some(around + 8)), (around, &outer, None)];
                let found = walk(at(0x400, 0x1000, 0x1008), &pieces);
                assert_eq!(addresses(&found), [0x400, 0x500, 0x600, 0x700], "{around:x}");
            }
        }

        /// A task can be asked between the moment at which a segment is in its chain and the
        /// one at which it is on it, and after it has left it.
        #[test]
        fn a_segment_that_nobody_is_on_is_passed_over() {
            let segment = [7, 0x1018, 0x501, 0x8008, 0x601];
            let outer = [1, 0x8018, 0x701, 0x8028, 0x801, 0, 0, 0, 0];
            for left in [0, 0x8008, usize::MAX - 15] {
                let pieces: [(_, &[usize], _); 2] =
                    [(0x1000, &segment, Some(left)), (0x8000, &outer, None)];
                let found = walk(at(0x400, 0x8000, 0x8008), &pieces);
                assert_eq!(addresses(&found), [0x400, 0x700, 0x800], "{left:x}");
            }
            // Whoever is on neither, but in a signal's handler, say.
            let pieces: [(_, &[usize], _); 2] =
                [(0x1000, &segment, Some(0)), (0x8000, &outer, None)];
            let found = walk(at(0x400, 0x4000, 0x4008), &pieces);
            assert_eq!(addresses(&found), [0x400]);
            // A seam that leads to nowhere.
            let segment = [7, 0, 0x501, 8];
            for left in [0, 0x7FF8, 0x8048, usize::MAX - 7] {
                let pieces: [(_, &[usize], _); 2] =
                    [(0x1000, &segment, Some(left)), (0x8000, &outer, None)];
                let found = walk(at(0x400, 0x1000, 0x1008), &pieces);
                assert!(addresses(&found).starts_with(&[0x400]), "{left:x}");
            }
        }
    }
}
