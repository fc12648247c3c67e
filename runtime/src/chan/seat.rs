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
//! A handle has the number of its seat and that of the task that used it last, in one
//! word, so that it is two words long: closures with two handles fit into a task's
//! record. An operation compares the task with its own, and that is all it costs,
//! as most handles are used by one task. A new user writes itself into the seat.
//!
//! What was tried or thought of and thrown away:
//! - a store into the seat by each operation. With four senders of one seat on two
//!   processors the line of the seat went to and fro like that of the channel's lock;
//! - a handle that is the address of its seat, and the last user in the seat: the same
//!   stores, and every operation looks up its channel there first;
//! - a handle of one word, with seat and user in bits of the channel's address that are
//!   not used: a leak sanitizer would not find the channel any more.
//!
//! | field of a seat | who writes | what it is worth |
//! |---|---|---|
//! | `count` | clones and drops | exact while nobody clones or drops |
//! | `users` | a handle's new user; a handle's drop takes its last user out | a few of the last users: two whose numbers fall on one place push each other out |
//!
//! The seats that were made later are a [`Pile`], so no handle takes a lock.

use super::raw::Side;
use crate::pile::Pile;
use crate::task::TaskRef;
use crate::task::subject::{SEATS, SeatSketch};
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many users a seat remembers.
pub(crate) const USERS: usize = 3;

/// Handles of one channel and one half that were made at one place.
pub(super) struct Seat {
    site: &'static Location<'static>,
    users: [AtomicU64; USERS],
    count: AtomicU32,
    number: u16,
    side: Side,
}

impl Seat {
    fn new(side: Side, site: &'static Location<'static>) -> Seat {
        Seat {
            site,
            users: [const { AtomicU64::new(0) }; USERS],
            count: AtomicU32::new(1),
            number: side as u16,
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

    fn enter(&self) -> Mark {
        self.count.fetch_add(1, Ordering::Relaxed);
        Mark::new(self.number)
    }
}

/// All seats of a channel.
pub(super) struct Seats {
    first: [Seat; 2],
    more: Pile<Seat>,
}

impl Seats {
    pub(super) fn new(site: &'static Location<'static>) -> Seats {
        Seats {
            first: [Seat::new(Side::Send, site), Seat::new(Side::Recv, site)],
            more: Pile::new(),
        }
    }

    /// Where the channel was made.
    pub(super) fn site(&self) -> &'static Location<'static> {
        self.first[0].site
    }

    /// The mark of the handle that the channel begins with.
    pub(super) fn mark(&self, side: Side) -> Mark {
        Mark::new(side as u16)
    }

    /// The mark of one more handle.
    pub(super) fn another(&self, side: Side, site: &'static Location<'static>) -> Mark {
        match self.all().find(|seat| seat.side == side && ptr::eq(seat.site, site)) {
            Some(seat) => seat.enter(),
            None => self.add(Seat::new(side, site)),
        }
    }

    #[cold]
    fn add(&self, seat: Seat) -> Mark {
        let side = seat.side;
        let added = self.more.add(seat, |seat, newest| {
            let next = newest.map_or(1, |newest| newest.number).checked_add(1);
            seat.number = next.unwrap_or_default();
            next.is_some()
        });
        match added {
            // Two that come at a time from one place make two seats.
            Ok(seat) => Mark::new(seat.number),
            // Nobody clones at so many places: counted, if by another's name.
            Err(_) => self.first[side as usize].enter(),
        }
    }

    fn of(&self, mark: &Mark) -> &Seat {
        let number = (mark.0.load(Ordering::Relaxed) & SEAT) as u16;
        self.all().find(|seat| seat.number == number).expect("a mark is one of its channel's")
    }

    /// `me` uses the handle with that mark.
    #[inline]
    pub(super) fn used_by(&self, mark: &Mark, me: TaskRef) {
        let me = me.record().id_number();
        if mark.0.load(Ordering::Relaxed) >> SEAT_BITS != me {
            self.note(mark, me);
        }
    }

    #[cold]
    fn note(&self, mark: &Mark, me: u64) {
        let seat = self.of(mark);
        mark.0.store(me << SEAT_BITS | u64::from(seat.number), Ordering::Relaxed);
        seat.user(me).store(me, Ordering::Relaxed);
    }

    /// The handle with that mark goes.
    #[inline]
    pub(super) fn leave(&self, mark: &Mark) {
        let seat = self.of(mark);
        let last = mark.0.load(Ordering::Relaxed) >> SEAT_BITS;
        // Another handle of this place may be the same task's; then that is lost
        // until it is used by another one.
        if last != 0 && seat.user(last).load(Ordering::Relaxed) == last {
            seat.user(last).store(0, Ordering::Relaxed);
        }
        seat.count.fetch_sub(1, Ordering::Relaxed);
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
        self.first.iter().chain(self.more.iter())
    }
}

/// A handle's own part: the number of its seat, and above it that of the task that used
/// it last; 0 for none.
pub(super) struct Mark(AtomicU64);

const SEAT_BITS: u32 = u16::BITS;
const SEAT: u64 = u16::MAX as u64;

impl Mark {
    const fn new(seat: u16) -> Mark {
        Mark(AtomicU64::new(seat as u64))
    }

    /// Of a handle without a channel; to be used no further.
    pub(super) const fn none() -> Mark {
        Mark::new(0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::chan;

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    fn counts(seats: &Seats) -> Vec<(u16, Side, u32)> {
        seats.all().map(|seat| (seat.number, seat.side, seat.count())).collect()
    }

    #[test]
    fn a_handle_is_two_words() {
        assert_eq!(size_of::<chan::Sender<[u64; 9]>>(), 2 * size_of::<usize>());
        assert_eq!(size_of::<chan::Receiver<[u64; 9]>>(), 2 * size_of::<usize>());
    }

    #[test]
    fn every_place_has_a_number_and_its_handles_find_it() {
        let (made, sends, receives) = (here(), here(), here());
        let seats = Seats::new(made);
        let marks = [
            seats.mark(Side::Send),
            seats.mark(Side::Recv),
            seats.another(Side::Send, sends),
            seats.another(Side::Recv, receives),
            seats.another(Side::Recv, sends),
            seats.another(Side::Send, sends),
        ];
        use Side::{Recv, Send};
        let all = [(0, Send, 1), (1, Recv, 1), (4, Recv, 1), (3, Recv, 1), (2, Send, 2)];
        assert_eq!(counts(&seats), all);
        for (mark, seat) in marks.iter().zip([0, 1, 2, 3, 4, 2]) {
            assert_eq!(seats.of(mark).number, seat);
            let me = 1_000_000_007 + u64::from(seat);
            seats.note(mark, me);
            assert_eq!(seats.of(mark).number, seat);
            assert!(seats.of(mark).users().contains(&me));
        }
        marks.iter().for_each(|mark| seats.leave(mark));
        assert!(seats.all().all(|seat| seat.count() == 0 && seat.users() == [0; USERS]));
    }

    #[test]
    fn when_there_are_no_numbers_left_handles_count_with_the_first() {
        let seats = Seats::new(here());
        let last = Seat { number: u16::MAX, ..Seat::new(Side::Send, here()) };
        assert!(seats.more.add(last, |_, _| true).is_ok());
        let mark = seats.another(Side::Recv, here());
        assert_eq!(seats.of(&mark).number, Side::Recv as u16);
        assert_eq!(counts(&seats)[1], (1, Side::Recv, 2));
    }
}
