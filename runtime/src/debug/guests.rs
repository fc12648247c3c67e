//! The connections there are, and which of them gives way to another.

use crate::net::TcpStream;
use crate::sync::Mutex;
use std::collections::BTreeMap;

/// Connections at the same time.
const MOST: usize = 64;

/// A connection's number: later ones have larger ones.
pub(super) type Seat = u64;

/// Clients that are served. If there are too many, the one goes that has been longest among
/// those that are waited for; only if there is none, the one that has been longest.
pub(super) struct Guests(Mutex<Inside>);

struct Inside {
    next: Seat,
    seats: BTreeMap<Seat, Guest>,
}

struct Guest {
    stream: TcpStream,
    /// It has not sent its request yet, or has its answer.
    is_waited_for: bool,
}

impl Guests {
    pub(super) fn new() -> Guests {
        Guests(Mutex::new(Inside { next: 0, seats: BTreeMap::new() }))
    }

    pub(super) fn enter(&self, stream: TcpStream) -> Seat {
        let mut inside = self.0.lock();
        let gone = match inside.seats.len() >= MOST {
            true => {
                let mut seats = inside.seats.iter();
                let waited_for = seats.find(|(_, guest)| guest.is_waited_for);
                let seat = waited_for.or_else(|| inside.seats.iter().next()).map(|(seat, _)| *seat);
                seat.and_then(|seat| inside.seats.remove(&seat))
            }
            false => None,
        };
        let seat = inside.next;
        inside.next += 1;
        inside.seats.insert(seat, Guest { stream, is_waited_for: true });
        drop(inside);
        if let Some(guest) = gone {
            // Its task finds that out.
            guest.stream.close();
        }
        seat
    }

    pub(super) fn has_asked(&self, seat: Seat) {
        self.set(seat, false);
    }

    pub(super) fn waits(&self, seat: Seat) {
        self.set(seat, true);
    }

    fn set(&self, seat: Seat, is_waited_for: bool) {
        if let Some(guest) = self.0.lock().seats.get_mut(&seat) {
            guest.is_waited_for = is_waited_for;
        }
    }

    pub(super) fn is_here(&self, seat: Seat) -> bool {
        self.0.lock().seats.contains_key(&seat)
    }

    pub(super) fn leave(&self, seat: Seat) {
        let gone = self.0.lock().seats.remove(&seat);
        drop(gone);
    }
}
