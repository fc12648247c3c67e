//! Reuse of stacks: per processor, then global, then cold.
//!
//! A free slot holds the link to the next one in its topmost word, which is in
//! a page that the next user touches anyway. Slots whose pages were given back
//! are kept apart, as numbers in a vector, so that listing them touches nothing.

use super::{Stack, arena};
use crate::sys::{lock::RawLock, mem};
use core::cell::{Cell, UnsafeCell};
use std::io;

/// Stacks that a processor keeps for itself. Go: 64 dead goroutines.
const LOCAL: usize = 64;
/// What moves between a processor and the global pool at once.
const BATCH: usize = 32;
/// Warm stacks that the global pool keeps; more than this give their pages back.
const WARM: usize = 4096;

/// Free stacks linked through their topmost word.
#[derive(Clone, Copy)]
struct List {
    head: *mut u8,
    len: usize,
}

impl List {
    const EMPTY: List = List { head: core::ptr::null_mut(), len: 0 };

    fn push(&mut self, stack: Stack) {
        // SAFETY: the list owns the slot now (K1); its topmost word is writable.
        unsafe { link(stack.top()).write(self.head) };
        self.head = stack.top();
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Stack> {
        if self.head.is_null() {
            return None;
        }
        let top = self.head;
        // SAFETY: the slot is in the list, so its topmost word is the link.
        self.head = unsafe { link(top).read() };
        self.len -= 1;
        Some(Stack { top })
    }
}

/// The topmost word of the slot that ends at `top`.
fn link(top: *mut u8) -> *mut *mut u8 {
    top.wrapping_sub(size_of::<*mut u8>()).cast()
}

/// The stacks of one processor. Not `Sync`: the holder of the processor uses it.
pub(crate) struct Local(Cell<List>);

impl Local {
    pub(crate) const fn new() -> Self {
        Local(Cell::new(List::EMPTY))
    }

    /// A stack for a task that starts.
    #[inline]
    pub(crate) fn take(&self) -> io::Result<Stack> {
        let mut list = self.0.get();
        let stack = match list.pop() {
            Some(stack) => stack,
            None => {
                GLOBAL.refill(&mut list);
                match list.pop() {
                    Some(stack) => stack,
                    None => return GLOBAL.cold_or_fresh(),
                }
            }
        };
        self.0.set(list);
        Ok(stack)
    }

    /// Takes back the stack of a task that ended.
    #[inline]
    pub(crate) fn put(&self, stack: Stack) {
        let mut list = self.0.get();
        list.push(stack);
        if list.len > LOCAL {
            GLOBAL.take_from(&mut list);
        }
        self.0.set(list);
    }
}

struct Shared {
    warm: List,
    cold: Vec<Stack>,
}

struct Global {
    lock: RawLock,
    shared: UnsafeCell<Shared>,
}

// SAFETY: `shared` is touched only under `lock`; the pointers in it are slots
// that it owns (K1).
unsafe impl Sync for Global {}

static GLOBAL: Global = Global {
    lock: RawLock::new(),
    shared: UnsafeCell::new(Shared { warm: List::EMPTY, cold: Vec::new() }),
};

impl Global {
    fn with<R>(&self, f: impl FnOnce(&mut Shared) -> R) -> R {
        // SAFETY: under the lock that guards it.
        self.lock.with(|| f(unsafe { &mut *self.shared.get() }))
    }

    #[cold]
    fn refill(&self, list: &mut List) {
        self.with(|shared| {
            for _ in 0..BATCH {
                let Some(stack) = shared.warm.pop() else { break };
                list.push(stack);
            }
        });
    }

    #[cold]
    fn cold_or_fresh(&self) -> io::Result<Stack> {
        match self.with(|shared| shared.cold.pop()) {
            Some(stack) => Ok(stack),
            None => arena::fresh(),
        }
    }

    #[cold]
    fn take_from(&self, list: &mut List) {
        let room = self.with(|shared| {
            let mut moved = 0;
            while moved < BATCH && shared.warm.len < WARM {
                let Some(stack) = list.pop() else { break };
                shared.warm.push(stack);
                moved += 1;
            }
            moved
        });
        let mut given = [Stack { top: core::ptr::null_mut() }; BATCH];
        let surplus = BATCH - room;
        for slot in &mut given[..surplus] {
            let Some(stack) = list.pop() else { break };
            // SAFETY: popped just now, so this slot is ours and holds nothing
            // that anybody needs (K1).
            unsafe { mem::give_back(stack.base(), arena::usable()) };
            *slot = stack;
        }
        self.with(|shared| shared.cold.extend_from_slice(&given[..surplus]));
    }
}
