//! Who holds a channel: its living handles by the place that made them, and the
//! tasks that use them. A report on a leak says it; nothing else asks.
//!
//! A handle moves about in the program's memory, where no observer finds it. So
//! what is known of the handles is kept with the channel: a [`Seat`] for each place
//! that makes handles of it, however many it makes. The two halves that a channel
//! begins with have the two seats inside of it; the first clone at another place
//! makes one more. Seats are never taken away before the channel goes: there are as
//! many as the program has places that clone its handles.
//!
//! A handle has the address of its seat and the number of the task that used it last.
//! An operation compares that number with its own task's, and that is all it costs,
//! as most handles are used by one task. A new user writes itself into the seat.
//!
//! What was tried and thrown away: a store into the seat by each operation. With
//! four senders of one seat on two processors the line of the seat went to and fro
//! like that of the channel's lock.
//!
//! | field of a seat | who writes | what it is worth |
//! |---|---|---|
//! | `count` | clones and drops | exact while nobody clones or drops |
//! | `users` | a handle's new user; a handle's drop takes its last user out | a few of the last users: two whose numbers fall on one place push each other out |
//!
//! # Invariants
//!
//! - **M1** A seat lives as long as its channel, and a [`Mark`] is in a handle that
//!   keeps the channel.

use super::raw::Side;
use crate::task::TaskRef;
use crate::task::subject::{SEATS, SeatSketch};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// How many users a seat remembers.
pub(crate) const USERS: usize = 3;

/// Handles of one channel and one half that were made at one place.
pub(super) struct Seat {
    site: &'static Location<'static>,
    next: *const Seat,
    users: [AtomicU64; USERS],
    count: AtomicU32,
    side: Side,
}

// SAFETY: `next` is written before the seat is shared, and points to another one (M1).
unsafe impl Send for Seat {}
// SAFETY: as above.
unsafe impl Sync for Seat {}

impl Seat {
    fn new(side: Side, site: &'static Location<'static>) -> Seat {
        Seat {
            site,
            next: ptr::null(),
            users: [const { AtomicU64::new(0) }; USERS],
            count: AtomicU32::new(1),
            side,
        }
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Numbers of tasks; 0 for none.
    fn users(&self) -> [u64; USERS] {
        self.users.each_ref().map(|user| user.load(Ordering::Relaxed))
    }

    fn user(&self, task: u64) -> &AtomicU64 {
        &self.users[(task % USERS as u64) as usize]
    }
}

/// All seats of a channel.
pub(super) struct Seats {
    first: [Seat; 2],
    more: AtomicPtr<Seat>,
}

impl Seats {
    pub(super) fn new(site: &'static Location<'static>) -> Seats {
        Seats {
            first: [Seat::new(Side::Send, site), Seat::new(Side::Recv, site)],
            more: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Where the channel was made.
    pub(super) fn site(&self) -> &'static Location<'static> {
        self.first[0].site
    }

    /// The mark of the handle that the channel begins with.
    pub(super) fn mark(&self, side: Side) -> Mark {
        Mark { seat: NonNull::from(&self.first[side as usize]), last: AtomicU64::new(0) }
    }

    /// The mark of one more handle, which keeps the channel (M1).
    pub(super) fn another(&self, side: Side, site: &'static Location<'static>) -> Mark {
        let known = self.all().find(|seat| seat.side == side && ptr::eq(seat.site, site));
        let seat = match known {
            Some(seat) => {
                seat.count.fetch_add(1, Ordering::Relaxed);
                NonNull::from(seat)
            }
            None => self.add(Seat::new(side, site)),
        };
        Mark { seat, last: AtomicU64::new(0) }
    }

    #[cold]
    fn add(&self, seat: Seat) -> NonNull<Seat> {
        let seat = Box::into_raw(Box::new(seat));
        let mut first = self.more.load(Ordering::Relaxed);
        loop {
            // SAFETY: not shared yet.
            unsafe { (*seat).next = first };
            // ORDERING: Release; pairs with the Acquire in all(): the seat is one
            // that has been made.
            match self.more.compare_exchange_weak(first, seat, Ordering::Release, Ordering::Relaxed)
            {
                // SAFETY: a box's.
                Ok(_) => return unsafe { NonNull::new_unchecked(seat) },
                // Two that come at a time from one place make two seats.
                Err(now) => first = now,
            }
        }
    }

    /// The seats on which somebody sits, as many as there is room for.
    pub(super) fn sketch(&self) -> [Option<SeatSketch>; SEATS] {
        let mut seats = [None; SEATS];
        let taken = self.all().filter(|seat| seat.count() != 0);
        for (place, seat) in seats.iter_mut().zip(taken) {
            *place = Some(SeatSketch {
                side: seat.side,
                site: seat.site,
                count: seat.count(),
                users: seat.users(),
            });
        }
        seats
    }

    fn all(&self) -> impl Iterator<Item = &Seat> {
        // ORDERING: Acquire; pairs with the Release in add().
        let more = self.more.load(Ordering::Acquire).cast_const();
        // SAFETY: null, or a seat, and those live as long as these seats (M1).
        let more = unsafe { more.as_ref() };
        // SAFETY: as above.
        let rest = std::iter::successors(more, |seat| unsafe { seat.next.as_ref() });
        self.first.iter().chain(rest)
    }
}

impl Drop for Seats {
    fn drop(&mut self) {
        let mut next = *self.more.get_mut();
        while !next.is_null() {
            // SAFETY: made by add(); nobody else knows it any more.
            let seat = unsafe { Box::from_raw(next) };
            next = seat.next.cast_mut();
        }
    }
}

/// A handle's own part.
pub(super) struct Mark {
    seat: NonNull<Seat>,
    /// The task that used it last; 0 for none.
    last: AtomicU64,
}

// SAFETY: a seat may be used from everywhere, and is there (M1).
unsafe impl Send for Mark {}
// SAFETY: as above.
unsafe impl Sync for Mark {}

impl Mark {
    /// Of a handle without a channel; to be used no further.
    pub(super) const fn none() -> Mark {
        Mark { seat: NonNull::dangling(), last: AtomicU64::new(0) }
    }

    /// `me` uses the handle, whose channel is there.
    #[inline]
    pub(super) fn used_by(&self, me: TaskRef) {
        let me = me.record().id_number();
        if self.last.load(Ordering::Relaxed) != me {
            self.note(me);
        }
    }

    #[cold]
    fn note(&self, me: u64) {
        self.last.store(me, Ordering::Relaxed);
        // SAFETY: M1.
        unsafe { self.seat.as_ref() }.user(me).store(me, Ordering::Relaxed);
    }

    /// The handle goes; its channel is still there.
    #[inline]
    pub(super) fn leave(&self) {
        // SAFETY: M1.
        let seat = unsafe { self.seat.as_ref() };
        let last = self.last.load(Ordering::Relaxed);
        // Another handle of this place may be the same task's; then that is lost
        // until it is used by another one.
        if last != 0 && seat.user(last).load(Ordering::Relaxed) == last {
            seat.user(last).store(0, Ordering::Relaxed);
        }
        seat.count.fetch_sub(1, Ordering::Relaxed);
    }
}
