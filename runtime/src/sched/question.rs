//! One asks where another stands, who stands still for it and goes on when it is over.
//!
//! ```text
//!   31             2 1     0
//!  ┌────────────────┬───────┐   ASKED ─▶ STANDS ─▶ READ ─▶ OVER
//!  │ which question │ phase │     └─────────┴───────────────▲
//!  └────────────────┴───────┘        withdrawn
//! ```
//!
//! | step | who | what |
//! |---|---|---|
//! | a1 | the asker | the number of a new question, `ASKED`; then whom |
//! | a2 | who is asked | takes the question, which nobody else can then; `STANDS` |
//! | a3 | the asker | `READ`, unless he has withdrawn |
//! | a4 | the asker | `OVER` |
//!
//! The number is for those who are slow: whoever has stood still for one question, and
//! wakes when the next one is under way, must take that for the end of his own. Else he
//! stands on for nothing, and in the end withdraws what another one has answered.

use crate::sys::atomic::{AtomicPtr, AtomicU32, Ordering};
use core::ptr;

const PHASE: u32 = 3;
const ASKED: u32 = 0;
const STANDS: u32 = 1;
const READ: u32 = 2;
const OVER: u32 = 3;

/// There is one; `W` are those who are asked, each by an address that nobody else has.
pub(crate) struct Question<W> {
    who: AtomicPtr<W>,
    state: AtomicU32,
}

/// What has become of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// None yet; what the futex is to be waited with.
    NotYet(u32),
    /// He stands still, and until [`Question::begin_reading`] may change his mind.
    Stands,
    Withdrawn,
}

/// What one waits for who stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stand {
    /// Nobody reads yet; what the futex is to be waited with.
    Unread(u32),
    /// His stack is being read.
    Read(u32),
    Over,
}

impl<W> Question<W> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Question { who: AtomicPtr::new(ptr::null_mut()), state: AtomicU32::new(OVER) }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Question { who: AtomicPtr::new(ptr::null_mut()), state: AtomicU32::new(OVER) }
    }

    /// What both wait on.
    pub(crate) fn futex(&self) -> &AtomicU32 {
        &self.state
    }

    /// a1, by the one asker who has his turn. The last question is over.
    pub(crate) fn ask(&self, whom: *const W) {
        let last = self.state.load(Ordering::Relaxed);
        // The number takes up the rest of the word, and starts again when that is full.
        let new = (last & !PHASE).wrapping_add(PHASE + 1) | ASKED;
        // ORDERING: Release; pairs with the Acquire in stands(): who stood still for the
        // last question, and first sees this one, goes on after he was read.
        self.state.store(new, Ordering::Release);
        // ORDERING: Release; pairs with the Acquire in take(): who takes the question
        // sees its number.
        self.who.store(whom.cast_mut(), Ordering::Release);
    }

    /// By the asker.
    pub(crate) fn answer(&self) -> Answer {
        // ORDERING: Acquire; pairs with the Release in stand(), also if go_on() came after
        // it: what he has written comes before what the next one writes who is asked.
        let state = self.state.load(Ordering::Acquire);
        match state & PHASE {
            ASKED => Answer::NotYet(state),
            STANDS => Answer::Stands,
            _ => Answer::Withdrawn,
        }
    }

    /// By the asker, who waits no longer. `false`: it has been taken, so there is an
    /// answer soon.
    #[must_use]
    pub(crate) fn withdraw(&self, whom: *const W) -> bool {
        let (whom, nobody) = (whom.cast_mut(), ptr::null_mut());
        let taken = self.who.compare_exchange(whom, nobody, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_ok() {
            let asked = self.state.load(Ordering::Relaxed);
            self.state.store(asked | OVER, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// a3. Until [`end_reading`](Self::end_reading) he stands still.
    #[must_use]
    pub(crate) fn begin_reading(&self) -> bool {
        let seen = self.state.load(Ordering::Relaxed);
        let (stands, read) = (seen & !PHASE | STANDS, seen & !PHASE | READ);
        // ORDERING: Acquire; pairs with the Release in stand(): what he has left is there.
        self.state.compare_exchange(stands, read, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// a4. Whoever waits on the futex is to be woken.
    pub(crate) fn end_reading(&self) {
        let read = self.state.load(Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire in stands(): nothing is read any more.
        self.state.store(read | OVER, Ordering::Release);
    }

    /// By whoever may be asked. If it is `me`, the question's number: nobody else has it.
    pub(crate) fn take(&self, me: *const W) -> Option<u32> {
        let me = me.cast_mut();
        // Looked at first, as it is mostly another one or nobody.
        if self.who.load(Ordering::Relaxed) != me {
            return None;
        }
        // ORDERING: Acquire; pairs with the Release in ask().
        self.who
            .compare_exchange(me, ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        Some(self.state.load(Ordering::Relaxed))
    }

    /// a2. Whoever waits on the futex is to be woken.
    pub(crate) fn stand(&self, question: u32) {
        // ORDERING: Release; pairs with the Acquire in begin_reading() and answer().
        self.state.store(question & !PHASE | STANDS, Ordering::Release);
    }

    /// By who stands still for that question.
    pub(crate) fn stands(&self, question: u32) -> Stand {
        // ORDERING: Acquire; pairs with the Release in end_reading(), and in ask() and
        // stand() of a later question: nothing is read any more.
        let state = self.state.load(Ordering::Acquire);
        match state & PHASE {
            _ if state & !PHASE != question & !PHASE => Stand::Over,
            STANDS => Stand::Unread(state),
            READ => Stand::Read(state),
            _ => Stand::Over,
        }
    }

    /// By who stands still and will not any longer. `false`: it is being read, or over.
    #[must_use]
    pub(crate) fn go_on(&self, question: u32) -> bool {
        let number = question & !PHASE;
        // ORDERING: Relaxed; nobody has read anything, and stand() has published the rest.
        self.state
            .compare_exchange(number | STANDS, number | OVER, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}
