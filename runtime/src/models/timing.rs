//! Timers: who sleeps until the earliest one, and that stop and reset are final.
//!
//! Of the timers there is one that matters, due at [`DUE`]. Who sleeps until then,
//! or until before, wakes by itself. Who sleeps longer does not wake without a
//! cause: if that was the wrong one, the timer is never fired, a deadlock to loom.

use super::{Futex, Plain, explore};
use crate::cover::Cover;
use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sys::barrier;
use loom::sync::Mutex;
use loom::thread;
use std::sync::Arc;

const DUE: u64 = 5;
const LATER: u64 = 9;
const NEVER: u64 = u64::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// y3 comes before y1.
    SysmonLooksFirst,
    /// a3 comes before a1.
    LooksBeforeItSets,
    /// a3 is left out.
    WakesNobody,
    /// t5 comes after the look that follows it.
    EndsLate,
}

struct World {
    /// The earliest timer of the one processor that matters.
    first: AtomicU64,
    /// 0: nobody holds it.
    holder: AtomicU32,
    watch: Cover,
    plan: Cover,
    wake: AtomicU32,
    sysmon: Futex,
    worker: Futex,
    fired: AtomicU32,
    flaw: Option<Flaw>,
}

impl World {
    fn new(first: u64, holder: u32, flaw: Option<Flaw>) -> Arc<World> {
        Arc::new(World {
            first: AtomicU64::new(first),
            holder: AtomicU32::new(holder),
            watch: Cover::new(),
            plan: Cover::new(),
            wake: AtomicU32::new(0),
            sysmon: Futex::new(),
            worker: Futex::new(),
            fired: AtomicU32::new(0),
            flaw,
        })
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn is_fired(&self) -> bool {
        self.fired.load(Ordering::Relaxed) != 0
    }

    /// Everybody who sleeps may go home.
    fn fire(&self) {
        self.fired.store(1, Ordering::Relaxed);
        self.wake.fetch_add(1, Ordering::Relaxed);
        self.sysmon.wake();
        self.worker.wake();
    }

    fn earliest_idle(&self) -> u64 {
        if self.holder.load(Ordering::Relaxed) != 0 {
            return NEVER;
        }
        self.first.load(Ordering::Relaxed)
    }

    fn begin_watch(&self) -> Option<u64> {
        let first = self.earliest_idle();
        (first != NEVER && self.watch.begin(first)).then_some(first)
    }

    /// A worker without a processor, until the timer is fired.
    fn rest(&self) {
        while !self.is_fired() {
            let until = self.begin_watch();
            if until.is_none_or(|until| until > DUE) {
                self.worker.wait(|| !self.is_fired());
            }
            if let Some(until) = until {
                self.watch.end(until);
            }
            if self.earliest_idle() <= DUE {
                return self.fire();
            }
        }
    }

    fn uncovered(&self) -> u64 {
        let first = self.first.load(Ordering::Relaxed);
        if self.watch.is_later(first) { first } else { NEVER }
    }

    /// sysmon, until the timer is fired.
    fn alarm(&self) {
        while !self.is_fired() {
            let seen = self.wake.load(Ordering::Relaxed);
            let mut until = NEVER;
            loop {
                if self.is(Flaw::SysmonLooksFirst) {
                    until = self.uncovered();
                    self.plan.set(until);
                    break;
                }
                self.plan.set(until);
                let first = self.uncovered();
                if first >= until {
                    break;
                }
                until = first;
            }
            if until > DUE {
                self.sysmon.wait(|| self.wake.load(Ordering::Relaxed) == seen);
            } else if self.first.load(Ordering::Relaxed) <= DUE {
                return self.fire();
            }
        }
    }

    /// Sets the timer, without holding a processor.
    fn set(&self) {
        let must = || self.watch.is_later(DUE) && self.plan.is_later(DUE);
        let early = self.is(Flaw::LooksBeforeItSets).then(must);
        self.first.store(DUE, Ordering::Relaxed);
        if early.unwrap_or_else(must) && !self.is(Flaw::WakesNobody) {
            self.wake.fetch_add(1, Ordering::Relaxed);
            self.sysmon.wake();
        }
    }
}

fn set_by_somebody_else(first: u64, flaw: Option<Flaw>) {
    explore(Some(3), move || {
        let world = World::new(first, 0, flaw);
        let spawn = |f: fn(&World)| {
            let world = Arc::clone(&world);
            thread::spawn(move || f(&world))
        };
        let threads = [spawn(World::rest), spawn(World::alarm)];
        world.set();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_timer_set_while_all_rest() {
    set_by_somebody_else(NEVER, None);
}

#[test]
fn a_timer_set_before_another() {
    set_by_somebody_else(LATER, None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_y3_before_y1() {
    set_by_somebody_else(NEVER, Some(Flaw::SysmonLooksFirst));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a3_before_a1() {
    set_by_somebody_else(NEVER, Some(Flaw::LooksBeforeItSets));
}

#[test]
#[should_panic(expected = "deadlock")]
fn broken_a3_is_left_out() {
    set_by_somebody_else(NEVER, Some(Flaw::WakesNobody));
}

/// Somebody relies on a watch that is just waking: one who sets a timer, or gives a
/// processor up.
fn relied_on(flaw: Option<Flaw>, relies: fn(&World) -> bool) {
    explore(None, move || {
        let world = World::new(NEVER, 1, flaw);
        assert!(world.watch.begin(3));
        let awake = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                let early = world.is(Flaw::EndsLate).then(|| world.earliest_idle());
                world.watch.end(3);
                early.unwrap_or_else(|| world.earliest_idle()) == DUE
            })
        };
        let sees_to_it = relies(&world);
        assert!(awake.join().unwrap() || sees_to_it, "nobody sleeps until the timer");
    });
}

/// `true`: it sleeps until the timer itself.
fn gives_up_a_processor(world: &World) -> bool {
    world.first.store(DUE, Ordering::Relaxed);
    world.holder.store(0, Ordering::Relaxed);
    barrier::heavy();
    world.begin_watch().is_some()
}

/// `true`: it wakes sysmon.
fn sets_a_timer(world: &World) -> bool {
    world.holder.store(0, Ordering::Relaxed);
    world.first.store(DUE, Ordering::Relaxed);
    world.watch.is_later(DUE)
}

#[test]
fn a_watch_that_wakes_looks_again() {
    relied_on(None, gives_up_a_processor);
    relied_on(None, sets_a_timer);
}

#[test]
#[should_panic(expected = "nobody sleeps until the timer")]
fn broken_t5_comes_late_for_a_processor() {
    relied_on(Some(Flaw::EndsLate), gives_up_a_processor);
}

#[test]
#[should_panic(expected = "nobody sleeps until the timer")]
fn broken_t5_comes_late_for_a_timer() {
    relied_on(Some(Flaw::EndsLate), sets_a_timer);
}

/// How a stop or a reset, or the firing, is done wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slip {
    /// Firing sends when the node is unlocked.
    SendsOutside,
    /// Stop takes the value back before it has the node.
    DrainsFirst,
    /// Who sets it anew does not count.
    SameSetting,
}

/// `node.rs` in small: a node, and the channel of one value. The value is the
/// number of the setting that it was sent for.
struct Timer {
    node: Mutex<Setting>,
    value: Mutex<Option<u32>>,
    /// Whether the channel exists.
    alive: Plain<bool>,
    slip: Option<Slip>,
}

struct Setting {
    number: u32,
    is_set: bool,
    /// The channel is still to be reached.
    linked: bool,
}

impl Timer {
    fn new(slip: Option<Slip>) -> Arc<Timer> {
        Arc::new(Timer {
            node: Mutex::new(Setting { number: 1, is_set: true, linked: true }),
            value: Mutex::new(None),
            alive: Plain::new(true),
            slip,
        })
    }

    fn is(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }

    fn send(&self, number: u32) {
        assert!(self.alive.get(), "sent to a channel that is gone");
        self.value.lock().unwrap().get_or_insert(number);
    }

    /// An entry of that setting is due.
    fn fire(&self, meant: u32) {
        let mut node = self.node.lock().unwrap();
        if !node.is_set || node.number != meant {
            return;
        }
        node.is_set = false;
        if !node.linked {
            return;
        }
        if self.is(Slip::SendsOutside) {
            drop(node);
            return self.send(meant);
        }
        self.send(meant);
    }

    fn drain(&self) -> bool {
        self.value.lock().unwrap().take().is_some()
    }

    /// `true`: nobody has received it, nor will.
    fn stop(&self) -> bool {
        let early = self.is(Slip::DrainsFirst).then(|| self.drain());
        let mut node = self.node.lock().unwrap();
        let was_set = std::mem::replace(&mut node.is_set, false);
        node.number += u32::from(was_set);
        was_set | early.unwrap_or_else(|| self.drain())
    }

    /// The number of the new setting.
    fn reset(&self) -> u32 {
        let mut node = self.node.lock().unwrap();
        node.number += u32::from(!self.is(Slip::SameSetting));
        node.is_set = true;
        self.drain();
        node.number
    }

    fn abandoned(&self) {
        let mut node = self.node.lock().unwrap();
        node.linked = false;
        node.is_set = false;
        drop(node);
        self.alive.set(false);
    }

    fn receive(&self) -> Option<u32> {
        self.value.lock().unwrap().take()
    }
}

fn spawn<T: 'static>(
    timer: &Arc<Timer>,
    f: impl FnOnce(&Timer) -> T + 'static,
) -> thread::JoinHandle<T> {
    let timer = Arc::clone(timer);
    thread::spawn(move || f(&timer))
}

/// Either somebody receives the value, or stop says that nobody will.
fn stopped(slip: Option<Slip>) {
    explore(None, move || {
        let timer = Timer::new(slip);
        let fires = spawn(&timer, |timer| timer.fire(1));
        let receives = spawn(&timer, Timer::receive);
        let stopped = timer.stop();
        assert!(timer.receive().is_none(), "received after a stop");
        fires.join().unwrap();
        assert!(timer.receive().is_none(), "received after a stop");
        let received = receives.join().unwrap().is_some();
        assert_ne!(stopped, received, "both, or neither");
    });
}

#[test]
fn a_stop_is_final() {
    stopped(None);
}

#[test]
#[should_panic(expected = "received after a stop")]
fn broken_a_value_is_sent_outside_of_the_lock() {
    stopped(Some(Slip::SendsOutside));
}

#[test]
#[should_panic(expected = "received after a stop")]
fn broken_a_value_is_taken_back_too_early() {
    stopped(Some(Slip::DrainsFirst));
}

/// Two set it anew, and entries of all three settings are due.
fn set_anew(slip: Option<Slip>) {
    explore(Some(3), move || {
        let timer = Timer::new(slip);
        let old = spawn(&timer, |timer| timer.fire(1));
        let other = spawn(&timer, Timer::reset);
        let mine = timer.reset();
        let value = timer.receive();
        // Nothing of this setting is due yet.
        assert!(value.is_none(), "a value of a setting before");
        let other = other.join().unwrap();
        old.join().unwrap();
        timer.fire(mine.min(other));
        assert!(timer.receive().is_none(), "a value of a setting before");
        timer.fire(mine.max(other));
        assert_eq!(timer.receive(), Some(mine.max(other)));
    });
}

#[test]
fn a_reset_is_final() {
    set_anew(None);
}

#[test]
#[should_panic(expected = "a value of a setting before")]
fn broken_a_reset_does_not_count() {
    set_anew(Some(Slip::SameSetting));
}

/// The last receiver goes while the timer fires.
fn abandoned(slip: Option<Slip>) {
    explore(None, move || {
        let timer = Timer::new(slip);
        let fires = spawn(&timer, |timer| timer.fire(1));
        timer.abandoned();
        fires.join().unwrap();
    });
}

#[test]
fn a_channel_stays_until_the_node_forgets_it() {
    abandoned(None);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn broken_a_channel_is_used_outside_of_the_lock() {
    abandoned(Some(Slip::SendsOutside));
}

/// Promises of places in a heap (M1).
struct Heap {
    promised: AtomicU32,
    places: AtomicU32,
    /// Entries and places, as they are under the lock.
    real: Mutex<(u32, u32)>,
    /// Looks at the places before it counts.
    counts_late: bool,
}

impl Heap {
    fn promise(&self) {
        let before = self.promised.load(Ordering::Relaxed);
        let mut promised = self.promised.fetch_add(1, Ordering::Relaxed) + 1;
        if self.counts_late {
            promised = before + 1;
        }
        if promised <= self.places.load(Ordering::Relaxed) {
            return;
        }
        loop {
            let promised = self.promised.load(Ordering::Relaxed);
            let places = self.places.load(Ordering::Relaxed);
            if promised <= places {
                return;
            }
            let larger = (2 * places).max(promised);
            let mut real = self.real.lock().unwrap();
            if real.1 < larger {
                real.1 = larger;
                self.places.store(larger, Ordering::Relaxed);
            }
        }
    }

    fn push(&self) {
        let mut real = self.real.lock().unwrap();
        assert!(real.0 < real.1, "a push that allocates");
        real.0 += 1;
    }

    fn pop(&self) {
        let mut real = self.real.lock().unwrap();
        if real.0 != 0 {
            real.0 -= 1;
            drop(real);
            self.promised.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn promised(counts_late: bool) {
    explore(Some(3), move || {
        let heap = Arc::new(Heap {
            promised: AtomicU32::new(0),
            places: AtomicU32::new(1),
            real: Mutex::new((0, 1)),
            counts_late,
        });
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let heap = Arc::clone(&heap);
                thread::spawn(move || {
                    heap.promise();
                    heap.push();
                    heap.pop();
                })
            })
            .collect();
        heap.promise();
        heap.push();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn whoever_has_a_promise_finds_a_place() {
    promised(false);
}

#[test]
#[should_panic(expected = "a push that allocates")]
fn broken_a_promise_is_counted_late() {
    promised(true);
}
