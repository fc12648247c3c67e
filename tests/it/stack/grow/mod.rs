//! `grow`, `ensure`: a closure on a larger stack is like any other.

mod frames;
mod parks;
mod unwinds;

use crate::child::{Child, alone, here, inside};
use crate::stack::{KIB, MIB, PAGE, down_to, everywhere, use_up};
use crate::support::{Gate, ONE_COOPERATIVE, Tally, info, parked, until};
use gopark::inspect::{Kind, Snapshot, WaitReason};
use gopark::stack::{CLASSES, default_limit, ensure, grow, high_water, remaining, usage};
use std::cell::RefCell;
use std::hint::black_box;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn values_move_in_and_out() {
    everywhere(|| {
        let text = String::from("moved in");
        let moved = grow(64 * KIB, move || {
            assert_eq!(text, "moved in");
            vec![text, "moved out".into()]
        });
        assert_eq!(moved, ["moved in", "moved out"]);
        // What is borrowed stays where it is.
        let mut count = 0;
        grow(MIB, || count += 1);
        assert_eq!(count, 1);
        // Without a word, and of many.
        grow(1, || ());
        let large = grow(MIB, || [7_u8; 4096]);
        assert!(large.iter().all(|byte| *byte == 7));
    });
}

#[test]
fn a_segment_has_what_was_asked_for() {
    everywhere(|| {
        for (n, class) in CLASSES.into_iter().enumerate() {
            let smallest = if n == 0 { 0 } else { CLASSES[n - 1] + 1 };
            for bytes in [smallest, class - 1, class] {
                let inside = grow(bytes, remaining);
                assert!((class - KIB..class).contains(&inside), "{inside} of {bytes}");
            }
        }
    });
}

#[test]
fn all_of_it_can_be_used() {
    everywhere(|| {
        for bytes in [64 * KIB, 256 * KIB, 8 * MIB] {
            grow(bytes, || down_to(4 * KIB, &mut || ()));
        }
    });
}

#[test]
fn a_task_of_the_default_class_recurses_through_64_mib() {
    let task = gopark::go(|| grow(64 * MIB, || use_up(64 * MIB - 64 * KIB)));
    task.join().unwrap();
}

/// Every level asks whether there is room for the next.
#[test]
fn a_task_recurses_through_64_mib_of_small_segments() {
    #[inline(never)]
    fn down(left: usize, pieces: &Tally) -> usize {
        let mut frame = black_box([left; 128]);
        ensure(32 * KIB, MIB, || {
            if remaining() > MIB - KIB {
                pieces.add();
            }
            let used = size_of_val(&frame);
            frame[0] = if left > used { down(left - used, pieces) } else { 0 };
        });
        assert_eq!(frame[127], left, "somebody wrote into this frame");
        frame[0] + size_of_val(&frame)
    }
    let pieces = Tally::new();
    let counted = pieces.clone();
    let task = gopark::go(move || down(64 * MIB, &counted));
    assert_eq!(task.join().unwrap(), 64 * MIB);
    assert!(pieces.count() > 60, "{} segments", pieces.count());
}

#[test]
fn a_hot_loop_maps_nothing() {
    /// The mappings that these addresses are in.
    fn mappings(places: &[usize]) -> Vec<Range<usize>> {
        let text = std::fs::read_to_string("/proc/self/maps").expect("the system has /proc");
        let range = |line: &str| {
            let (from, to) = line.split_once(' ').expect("a range").0.split_once('-').unwrap();
            let address = |text| usize::from_str_radix(text, 16).expect("an address");
            address(from)..address(to)
        };
        let holds = |range: &Range<usize>| places.iter().any(|place| range.contains(place));
        text.lines().map(range).filter(holds).collect()
    }
    // The kernel makes one mapping of two that others have mapped beside each other.
    fn not_less(before: &[Range<usize>], after: &[Range<usize>]) -> bool {
        let within = |a: &Range<usize>, b: &Range<usize>| b.start <= a.start && a.end <= b.end;
        before.iter().all(|a| after.iter().any(|b| within(a, b)))
    }
    alone(here!(), ONE_COOPERATIVE, || {
        everywhere(|| {
            let first = on_segments();
            let (before, reserved) = (mappings(&first), usage().reserved);
            let growths = usage().growths;
            for _ in 0..1000 {
                assert_eq!(on_segments(), first, "a segment of each class is used again");
            }
            let after = mappings(&first);
            assert!(not_less(&before, &after), "{before:x?} became {after:x?}");
            assert_eq!(usage().reserved, reserved);
            assert_eq!(usage().growths - growths, 7000);
        });
    });
}

/// Addresses on segments of all classes, one after the other.
fn on_segments() -> [usize; 7] {
    CLASSES.map(|bytes| {
        grow(bytes, || {
            let local = 0_u8;
            black_box(&raw const local).addr()
        })
    })
}

#[test]
fn what_is_under_way_is_counted() {
    alone(here!(), &[], || {
        everywhere(|| {
            let before = usage();
            let nested = || grow(MIB, || grow(64 * KIB, usage));
            let inside = nested();
            assert_eq!((before.segments, inside.segments, usage().segments), (0, 2, 0));
            assert_eq!(inside.growths - before.growths, 2);
            // Segments are no tasks.
            assert_eq!((inside.tasks, inside.counted), (before.tasks, before.counted));
        });
    });
}

/// Also when there are more than the record can say.
#[test]
fn observers_see_the_segments_of_a_task() {
    fn nest(depth: usize, gate: &Gate) {
        if depth == 0 {
            return gate.pass();
        }
        grow(64 * KIB, || nest(depth - 1, gate));
        gate.pass();
    }
    for (depth, seen) in [(0, 0), (1, 1), (3, 3), (600, 511)] {
        let (gate, after) = (Gate::new(), Gate::new());
        let (held, last) = (gate.clone(), after.clone());
        let task = gopark::go(move || {
            nest(depth, &held);
            last.pass();
        });
        let stack = parked(task.id(), WaitReason::ChanReceive).stack.expect("it has started");
        assert_eq!((stack.segments, stack.limit), (seen, default_limit()));
        assert_eq!(stack.depth.is_some(), depth == 0);
        gate.open();
        until("it is back on its own stack", || {
            info(task.id()).and_then(|task| task.stack).is_some_and(|stack| stack.depth.is_some())
        });
        let stack = info(task.id()).and_then(|task| task.stack).expect("it is alive");
        assert_eq!(stack.segments, 0);
        after.open();
        task.join().unwrap();
    }
}

#[test]
fn a_thread_is_not_adopted_for_it() {
    alone(here!(), &[], || {
        let threads =
            || Snapshot::all().tasks.iter().filter(|task| task.kind == Kind::Thread).count();
        let thread = std::thread::spawn(move || {
            grow(MIB, || use_up(MIB / 2));
            ensure(32 * KIB, MIB, || ());
            ensure(usize::MAX, MIB, || ());
            assert!(remaining() > 0 && high_water() > 0);
            threads()
        });
        assert_eq!(thread.join().unwrap(), 0);
    });
}

#[test]
fn a_destructor_of_a_thread_local_can_grow() {
    struct Late(Tally);
    impl Drop for Late {
        fn drop(&mut self) {
            grow(MIB, || use_up(MIB / 2));
            self.0.add();
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let tally = Tally::new();
    let inner = tally.clone();
    let thread = std::thread::spawn(move || {
        LATE.set(Some(Late(inner)));
        grow(MIB, || ());
    });
    thread.join().unwrap();
    // A worker's thread ends too, if it belongs to one task.
    let inner = tally.clone();
    let task = gopark::Builder::new().own_thread().go(move || {
        LATE.set(Some(Late(inner)));
        grow(MIB, || ());
    });
    task.unwrap().join().unwrap();
    until("both destructors ran", || tally.count() == 2);
}

#[test]
fn the_thread_is_the_same() {
    everywhere(|| {
        let (id, name) =
            (std::thread::current().id(), std::thread::current().name().map(String::from));
        grow(MIB, || {
            assert_eq!(std::thread::current().id(), id);
            assert_eq!(std::thread::current().name().map(String::from), name);
        });
    });
}

// ---- refusals

fn message(body: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).expect_err("it cannot succeed");
    payload.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn more_than_the_largest_class_panics() {
    everywhere(|| {
        let dropped = Tally::new();
        let mark = dropped.mark();
        let text = message(|| grow((1 << 30) + 1, move || mark.check()));
        assert!(text.contains("1073741825 bytes") && text.contains("has 1073741824"), "{text}");
        assert_eq!(dropped.count(), 1);
        assert!(grow(64 * KIB, remaining) < 64 * KIB);
    });
}

/// Nests until the system has no more addresses.
#[test]
fn a_refusal_of_the_system_panics() {
    if !inside(here!()) {
        let script = "ulimit -v 6000000 && exec \"$0\" \"$@\"";
        Child::started_by(script, here!()).run().passed(here!());
        return;
    }
    fn nest(deep: &Tally) {
        deep.add();
        grow(1 << 30, || nest(deep));
    }
    everywhere(|| {
        let deep = Tally::new();
        let text = message(|| nest(&deep));
        assert!(text.contains("1073741824 bytes"), "{text}");
        assert!(text.contains("has no segment") && text.contains("ulimit -v"), "{text}");
        assert!(deep.count() > 1, "the first ones were there");
        // What was taken can be used again.
        let again = Tally::new();
        message(|| nest(&again));
        assert!(again.count() >= deep.count(), "what the system gave is kept");
    });
}

// ---- ensure

#[test]
fn enough_room_is_used_as_it_is() {
    everywhere(|| {
        let here = |at: &u8| (&raw const *at).addr();
        let local = 0_u8;
        let room = remaining() - PAGE;
        let near = ensure(room, 8 * MIB, || here(&black_box(0)));
        assert!(here(&local).abs_diff(near) < PAGE);
        let far = ensure(remaining() + 1, 8 * MIB, || here(&black_box(0)));
        assert!(here(&local).abs_diff(far) > PAGE);
        assert!(ensure(usize::MAX, 8 * MIB, remaining) > 8 * MIB - PAGE);
    });
}
