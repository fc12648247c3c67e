//! `grow`, `ensure`, `remaining`, `high_water`: a closure on a larger stack is
//! like any other.

use crate::child::{Child, alone, here, inside};
use crate::support::{
    Gate, ONE_COOPERATIVE, Tally, for_ever, info, on_one_thread, parked, thread_id, until,
};
use gopark::inspect::{Kind, Snapshot, WaitReason};
use gopark::runtime::Config;
use gopark::stack::{CLASSES, default_limit, ensure, grow, high_water, remaining, usage};
use gopark::{JoinError, Scope};
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::hint::black_box;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Arc, Mutex};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const PAGE: usize = 4 * KIB;
const SIGABRT: i32 = 6;

/// Runs the body in a task and in a thread.
fn everywhere(body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    let task = body.clone();
    gopark::go(move || task()).join().unwrap();
    std::thread::spawn(move || body()).join().unwrap();
}

/// Goes down until at most `left` bytes remain, calls the function there, and
/// returns how much remained.
#[inline(never)]
fn down_to(left: usize, then: &mut dyn FnMut()) -> usize {
    let here = remaining();
    let frame = black_box([here; 16]);
    let deepest = if here <= left {
        then();
        here
    } else {
        down_to(left, then)
    };
    assert_eq!(frame[15], here, "somebody wrote into this frame");
    deepest
}

/// Recursion that uses this many bytes and comes back.
fn use_up(bytes: usize) {
    down_to(remaining() - bytes, &mut || ());
}

// ---- grow

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

#[test]
fn a_section_without_parks_goes_on_inside() {
    let task = gopark::go(|| {
        gopark::no_park(|| grow(MIB, gopark::yield_now));
    });
    let Err(JoinError::Panicked(payload)) = task.join() else { panic!("it parked") };
    let message = payload.downcast_ref::<&str>().expect("text");
    assert!(message.contains("gopark::no_park"), "{message}");
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

// ---- parks

#[test]
fn it_parks_and_goes_on() {
    let gate = Gate::new();
    let held = gate.clone();
    let task = gopark::go(move || {
        let outside = remaining();
        let value = grow(MIB, || {
            let before = remaining();
            held.pass();
            grow(8 * MIB, || {
                let deep = remaining();
                gopark::yield_now();
                assert_eq!(remaining(), deep);
            });
            assert_eq!(remaining(), before);
            7
        });
        assert_eq!(remaining(), outside);
        value
    });
    parked(task.id(), WaitReason::ChanReceive);
    gate.open();
    assert_eq!(task.join().unwrap(), 7);
}

/// Two on one thread, turn by turn, each on segments of its own.
#[test]
fn siblings_on_segments_do_not_meet() {
    alone(here!(), ONE_COOPERATIVE, || {
        #[inline(never)]
        fn turns(n: usize, me: usize) {
            let frame = black_box([me; 64]);
            let here = remaining();
            if n > 0 {
                grow((64 * KIB) << (n % 3), || {
                    gopark::yield_now();
                    turns(n - 1, me);
                    gopark::yield_now();
                });
            }
            assert_eq!((frame[63], remaining()), (me, here));
        }
        on_one_thread(|| {
            let tasks: Vec<_> = (0..8).map(|me| gopark::go(move || turns(20, me))).collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
    });
}

#[test]
fn a_thread_blocks_on_a_segment() {
    let gate = Gate::new();
    let held = gate.clone();
    let thread = std::thread::spawn(move || {
        grow(MIB, || {
            let before = remaining();
            held.pass();
            assert_eq!(remaining(), before);
        });
        remaining()
    });
    until("it is parked", || {
        Snapshot::all().tasks.iter().any(|task| task.kind == Kind::Thread && task.wait.is_some())
    });
    gate.open();
    assert!(thread.join().unwrap() > MIB);
}

#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn start_migrating() {
    // SAFETY: no frame of the tests that call this touches a thread-local on
    // both sides of a park: what they ask of a thread, the kernel answers.
    unsafe { Config::new().maxprocs(2).migrating() }.start().unwrap();
}

fn hog() {
    for _ in 0..20_000 {
        std::hint::spin_loop();
    }
}

#[test]
fn a_task_goes_on_on_another_thread() {
    alone(here!(), &[], || {
        start_migrating();
        fn travel(nested: usize) {
            let (first, before) = (thread_id(), remaining());
            while thread_id() == first {
                drop(gopark::go(hog));
                gopark::yield_now();
            }
            assert_eq!(remaining(), before);
            if nested > 0 {
                grow(MIB, || travel(nested - 1));
                assert_eq!(remaining(), before);
            }
        }
        for _ in 0..50 {
            let task = gopark::go(|| {
                grow(64 * KIB, || travel(3));
                // Not on a worker's own account, but on the task's.
                assert!(remaining() < default_limit() && remaining() > default_limit() - 16 * KIB);
            });
            task.join().unwrap();
        }
    });
}

/// The panic is thrown on one thread's segment and goes on where it was.
#[test]
fn a_panic_after_a_journey_passes_through() {
    alone(here!(), &[], || {
        start_migrating();
        std::panic::set_hook(Box::new(|_| ()));
        for _ in 0..50 {
            let task = gopark::go(|| {
                grow(MIB, || {
                    let first = thread_id();
                    while thread_id() == first {
                        drop(gopark::go(hog));
                        gopark::yield_now();
                    }
                    panic_any(7_u32)
                })
            });
            let Err(JoinError::Panicked(payload)) = task.join() else { panic!("it returned") };
            assert_eq!(payload.downcast_ref(), Some(&7_u32));
            assert!(!gopark::go(std::thread::panicking).join().unwrap());
        }
    });
}

// ---- unwinds

/// Writes its name when it is dropped.
struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Drop for Named {
    fn drop(&mut self) {
        // Parks now and then, as destructors do.
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn a_panic_passes_through() {
    alone(here!(), &[], || {
        static HOOK: Mutex<Vec<String>> = Mutex::new(Vec::new());
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().expect("a place");
            HOOK.lock().unwrap().push(format!("{}:{}", place.file(), place.line()));
        }));
        everywhere(|| {
            HOOK.lock().unwrap().clear();
            let log = Arc::new(Mutex::new(Vec::new()));
            let named = |name| Named(name, log.clone());
            let payload: Box<[u64; 4]> = Box::new([1, 2, 3, 4]);
            let place = (&raw const *payload).addr();
            let line = line!() + 10;
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _outside = named("outside");
                grow(MIB, || {
                    let _outer = named("outer");
                    let _before = named("before");
                    ensure(usize::MAX, 8 * MIB, || {
                        let _inner = named("inner");
                        grow(64 * KIB, || {
                            let _innermost = named("innermost");
                            panic_any(payload)
                        })
                    })
                })
            }));
            let payload = caught.unwrap_err();
            let payload = payload.downcast::<Box<[u64; 4]>>().expect("what was thrown");
            assert_eq!((&raw const **payload).addr(), place);
            assert_eq!(**payload, [1, 2, 3, 4]);
            let order = ["innermost", "inner", "before", "outer", "outside"];
            assert_eq!(*log.lock().unwrap(), order);
            assert_eq!(*HOOK.lock().unwrap(), [format!("{}:{line}", file!())]);
            // Nothing is left behind.
            assert!(!std::thread::panicking());
            assert!(grow(64 * KIB, remaining) < 64 * KIB);
        });
    });
}

/// The box itself goes through all frames, not a copy.
#[test]
fn the_payload_is_the_very_same() {
    everywhere(|| {
        let payload: Box<dyn std::any::Any + Send> = Box::new([7_u64; 8]);
        let place = (&raw const *payload).addr();
        let thrown = AssertUnwindSafe(|| {
            grow(MIB, || grow(MIB, || std::panic::resume_unwind(payload)));
        });
        assert_eq!((&raw const *catch_unwind(thrown).unwrap_err()).addr(), place);
    });
}

#[test]
fn goexit_passes_through() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let kept = log.clone();
    let task = gopark::go(move || {
        let _outside = Named("outside", kept.clone());
        grow(MIB, || {
            let _inside = Named("inside", kept.clone());
            grow(MIB, || gopark::goexit())
        })
    });
    assert!(matches!(task.join(), Err(JoinError::Exited)));
    assert_eq!(*log.lock().unwrap(), ["inside", "outside"]);
}

#[test]
fn a_task_that_is_parked_on_a_segment_is_reaped() {
    let scope = Scope::new("on segments");
    let log = Arc::new(Mutex::new(Vec::new()));
    let kept = log.clone();
    let task = {
        let _in = scope.enter();
        gopark::go(move || {
            let _outside = Named("outside", kept.clone());
            grow(MIB, || {
                let _inside = Named("inside", kept.clone());
                grow(MIB, || for_ever());
            });
        })
    };
    parked(task.id(), WaitReason::ChanReceiveNil);
    let reaped = scope.reap();
    assert_eq!((reaped.ended, reaped.abandoned), (1, 0));
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    assert_eq!(*log.lock().unwrap(), ["inside", "outside"]);
}

#[test]
fn a_destructor_grows_while_its_thread_unwinds() {
    struct Deep(Tally);
    impl Drop for Deep {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            grow(MIB, || use_up(MIB / 2));
            // A panic that does not leave the destructor is no second one.
            let caught = catch_unwind(|| grow(MIB, || panic_any(1_u8)));
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&1_u8));
            assert!(std::thread::panicking());
            grow(MIB, gopark::yield_now);
            self.0.add();
        }
    }
    let body = || {
        let tally = Tally::new();
        let (outer, inner) = (Deep(tally.clone()), Deep(tally.clone()));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _outer = outer;
            grow(MIB, || {
                let _inner = inner;
                panic_any(2_u8)
            })
        }));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&2_u8));
        assert_eq!(tally.count(), 2);
        assert!(!std::thread::panicking());
    };
    // It parks in the middle of its unwind, which siblings would notice.
    alone(here!(), &[], || everywhere(body));
}

// ---- backtraces

#[inline(never)]
fn the_function_that_grows(nested: usize, bytes: usize) -> String {
    let text = grow(bytes, || {
        if nested == 0 {
            Backtrace::force_capture().to_string()
        } else {
            the_function_that_grows(nested - 1, bytes)
        }
    });
    black_box(text)
}

#[test]
fn backtraces_walk_across() {
    everywhere(|| {
        // Some of these lie above the stack that is left for them, some below.
        for bytes in [64 * KIB, 256 * KIB, MIB, 8 * MIB] {
            let text = black_box(the_function_that_grows(3, bytes));
            let count = |name: &str| text.lines().filter(|line| line.contains(name)).count();
            assert!(count("::the_function_that_grows") >= 4, "{text}");
            assert!(count("call_on") >= 4, "{text}");
            // This function, beyond all of them.
            let test = here!();
            let last = text.rfind("::the_function_that_grows").expect("seen above");
            assert!(text[last..].contains(&test[test.find("::").unwrap()..]), "{text}");
        }
    });
}

// ---- overflows

/// Fills stacks until nothing is left.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[7]
}

#[track_caller]
fn overflows(test: &str) -> String {
    let ended = Child::new(test).run();
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{}\n{}", ended.status, ended.stderr);
    assert!(ended.stderr.contains("gopark: fatal error: stack overflow"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("has overflowed its stack"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("it came back"), "{}", ended.stdout);
    ended.stderr
}

#[test]
fn an_overflow_of_a_tasks_segment_hits_its_guard() {
    if !inside(here!()) {
        let text = overflows(here!());
        // The frames beyond both segments are shown too.
        let (_, beyond) = text.rsplit_once("call_on").expect("a seam");
        assert!(beyond.contains("::an_overflow_of_a_tasks_segment_hits_its_guard"), "{text}");
        return;
    }
    let _ = gopark::go(|| grow(64 * KIB, || grow(MIB, || recurse(1)))).join();
    println!("it came back");
}

#[test]
fn an_overflow_of_a_threads_segment_hits_its_guard() {
    if !inside(here!()) {
        overflows(here!());
        return;
    }
    // Nothing else has started the runtime.
    let _ = std::thread::spawn(|| grow(64 * KIB, || recurse(1))).join();
    println!("it came back");
}

/// A segment that was used before has its guard still.
#[test]
fn an_overflow_of_a_used_segment_hits_its_guard() {
    if !inside(here!()) {
        overflows(here!());
        return;
    }
    let task = gopark::go(|| {
        for _ in 0..10 {
            grow(64 * KIB, || use_up(32 * KIB));
        }
        grow(64 * KIB, || recurse(1))
    });
    let _ = task.join();
    println!("it came back");
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

// ---- remaining

/// The lowest usable address, found from how far it is away, and exactly how
/// far it is from a local variable.
#[inline(never)]
fn lowest() -> (usize, usize) {
    let local = black_box(0_u8);
    let remaining = remaining();
    let at = black_box(&raw const local).addr();
    ((at - remaining) & !(PAGE - 1), at - remaining)
}

#[test]
fn what_remains_is_counted_by_the_byte() {
    fn on_this_piece(usable: Option<usize>) {
        let (base, exact) = lowest();
        let mut deeper = Vec::new();
        for left in [48, 32, 16] {
            down_to(left * KIB, &mut || deeper.push(lowest()));
        }
        // The same frame of the same function stands at the same distance.
        assert_eq!(deeper, [(base, exact); 3]);
        if let Some(usable) = usable {
            let top = base + remaining();
            assert!(usable - 8 * KIB < top - base && top - base < usable, "{}", top - base);
        }
    }
    alone(here!(), &[], || {
        // The first thread: the system library gives later ones the stack of a
        // former one, which may be larger.
        let thread = std::thread::Builder::new().stack_size(MIB);
        thread.spawn(|| on_this_piece(Some(MIB))).unwrap().join().unwrap();
        std::thread::spawn(|| on_this_piece(None)).join().unwrap();
        gopark::go(|| on_this_piece(Some(default_limit()))).join().unwrap();
        everywhere(|| {
            for bytes in [64 * KIB, MIB] {
                grow(bytes, || on_this_piece(Some(bytes)));
            }
        });
    });
}

/// To the last kilobytes: a byte too many would fault.
#[test]
fn what_remains_is_there() {
    alone(here!(), &[], || {
        everywhere(|| {
            down_to(6 * KIB, &mut || ());
            grow(64 * KIB, || down_to(6 * KIB, &mut || ()));
        });
    });
}

// ---- high_water

/// Goes to depths, one after another, and says for each what was used at most
/// and what `high_water` found.
fn depths(usable: usize, deeper: &[usize]) -> Vec<(usize, usize)> {
    let go = |bytes: &usize| {
        let used = usable - down_to(remaining() - bytes, &mut || ());
        (used, high_water())
    };
    deeper.iter().map(go).collect()
}

/// The frames of `high_water` itself may be the deepest; whole pages are counted.
#[track_caller]
fn fits(used: usize, seen: usize) {
    assert_eq!(seen % PAGE, 0);
    assert!((used..used + 2 * PAGE).contains(&seen), "{used} bytes used, {seen} seen");
}

#[test]
fn the_deepest_is_known_to_a_page() {
    fn on_this_piece(usable: usize) {
        let deeper = [4, 5, 6, 7, 8, 16, 20, 40, 41].map(|n| n * KIB);
        for (used, seen) in depths(usable, &deeper) {
            fits(used, seen);
        }
        // What is left again counts.
        let most = high_water();
        for (_, seen) in depths(usable, &[KIB, 24 * KIB]) {
            assert_eq!(seen, most);
        }
        // Larger than what is asked of the kernel at once.
        if usable > 32 * MIB {
            let [(used, seen)] = depths(usable, &[20 * MIB])[..] else { unreachable!() };
            fits(used, seen);
        }
    }
    high_water();
    gopark::go(|| on_this_piece(default_limit())).join().unwrap();
    everywhere(|| {
        for bytes in [64 * KIB, MIB, 64 * MIB] {
            grow(bytes, || on_this_piece(bytes));
        }
    });
}

#[test]
fn what_others_did_with_a_stack_does_not_count() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let small = || high_water() <= 4 * PAGE;
        gopark::go(high_water).join().unwrap();
        let mut places = Vec::new();
        for n in 0..100 {
            let task = gopark::go(move || {
                let local = 0_u8;
                let place = black_box(&raw const local).addr();
                let fresh = small() && grow(MIB, small);
                use_up(n % 3 * 100 * KIB);
                grow(MIB, || use_up(n % 3 * 100 * KIB));
                assert!(fresh, "a stack of another task");
                place
            });
            places.push(task.join().unwrap());
        }
        places.sort_unstable();
        places.dedup();
        assert!(places.len() < 50, "no stack was used again");
    });
}

/// With debug assertions the first measurement is as good as any.
#[test]
#[cfg(debug_assertions)]
fn the_first_measurement_in_a_debug_build_is_exact() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        gopark::go(|| use_up(300 * KIB)).join().unwrap();
        let seen = gopark::go(high_water).join().unwrap();
        assert!(seen <= 4 * PAGE, "{seen}");
    });
}

#[test]
fn the_depth_of_a_thread_is_known() {
    let thread = std::thread::spawn(|| {
        let before = high_water();
        use_up(300 * KIB);
        (before, high_water())
    });
    let (before, after) = thread.join().unwrap();
    assert!(before < 128 * KIB, "{before}");
    assert!((300 * KIB..before + 300 * KIB + 2 * PAGE).contains(&after), "{before} {after}");
}
