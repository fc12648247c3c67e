//! How large stacks can be: seven classes of usable bytes.
//!
//! A class and not any size, so that a slot that one task leaves fits the next.
//! What a larger class costs is address space and page tables (eight bytes for
//! each page that the slot spans, in pages of their own), not memory: a stack of
//! any class takes what its task touches.

use std::sync::atomic::{AtomicU8, Ordering};

/// Usable bytes of each class.
pub(crate) const SIZES: [usize; 7] =
    [64 << 10, 256 << 10, 512 << 10, 1 << 20, 8 << 20, 64 << 20, 1 << 30];

/// One of the [`SIZES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Class(u8);

/// Of tasks that ask for nothing: 512 KiB, and twice as much with debug
/// assertions, whose frames are several times larger.
pub(crate) const USUAL: Class = Class(if cfg!(debug_assertions) { 3 } else { 2 });

/// What tasks get that ask for nothing.
static DEFAULT: AtomicU8 = AtomicU8::new(USUAL.0);
/// The least that any task gets.
static LEAST: AtomicU8 = AtomicU8::new(0);

impl Class {
    pub(crate) const COUNT: usize = SIZES.len();

    pub(crate) fn all() -> impl Iterator<Item = Class> {
        (0..Class::COUNT as u8).map(Class)
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The class of that index, which came from [`index`](Self::index).
    #[inline]
    pub(crate) fn of_index(index: usize) -> Class {
        assert!(index < Class::COUNT, "class {index} does not exist");
        Class(index as u8)
    }

    /// Bytes that a task of the class can use.
    pub(crate) const fn usable(self) -> usize {
        SIZES[self.0 as usize]
    }

    /// The smallest class with at least that many usable bytes; `None` if even
    /// the largest has fewer.
    pub(crate) fn for_bytes(bytes: usize) -> Option<Class> {
        Class::all().find(|class| class.usable() >= bytes)
    }

    /// What a task gets that asks for this, or for nothing.
    pub(crate) fn chosen(asked: Option<Class>) -> Class {
        match asked {
            Some(class) => class.max(Class(LEAST.load(Ordering::Relaxed))),
            None => Class(DEFAULT.load(Ordering::Relaxed)),
        }
    }

    /// Sets what tasks get from now on: those that ask for nothing, and the
    /// least for those that ask.
    pub(crate) fn set(default: Class, least: Option<Class>) {
        DEFAULT.store(default.0, Ordering::Relaxed);
        LEAST.store(least.map_or(0, |class| class.0), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_is_enough() {
        let usable = |bytes| Class::for_bytes(bytes).map(Class::usable);
        assert_eq!(usable(0), Some(64 << 10));
        assert_eq!(usable(64 << 10), Some(64 << 10));
        assert_eq!(usable((64 << 10) + 1), Some(256 << 10));
        assert_eq!(usable(1 << 30), Some(1 << 30));
        assert_eq!(usable((1 << 30) + 1), None);
    }
}
