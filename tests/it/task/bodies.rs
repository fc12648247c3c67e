//! Closures and results of all sizes: moved to their task, back to their
//! joiner, and dropped exactly once whatever happens to the handle.

use crate::support::{Gate, Mark, Tally, parked, until};
use gopark::Scope;
use gopark::inspect::WaitReason;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A value that knows whether it came through whole.
trait Value: Send + 'static {
    fn make(drops: &Tally) -> Self;
    fn check(&self);
    /// Drops that one value counts.
    const DROPS: usize;
}

/// What does not fit into a record.
const LARGE: [u64; 40] = [0x5EED; 40];

struct Small(Mark);

impl Value for Small {
    fn make(drops: &Tally) -> Self {
        Small(drops.mark())
    }
    fn check(&self) {
        self.0.check();
    }
    const DROPS: usize = 1;
}

struct Large([u64; 40], Mark);

impl Value for Large {
    fn make(drops: &Tally) -> Self {
        Large(LARGE, drops.mark())
    }
    fn check(&self) {
        assert_eq!(self.0, LARGE);
        self.1.check();
    }
    const DROPS: usize = 1;
}

/// Fits by its size, not by its alignment.
#[repr(align(64))]
struct Aligned(u8, Mark);

impl Value for Aligned {
    fn make(drops: &Tally) -> Self {
        Aligned(7, drops.mark())
    }
    fn check(&self) {
        assert_eq!(self.0, 7);
        self.1.check();
        assert_eq!(std::ptr::from_ref(self).addr() % 64, 0, "alignment");
    }
    const DROPS: usize = 1;
}

/// Neither a destructor nor padding to hide in.
impl Value for u64 {
    fn make(_: &Tally) -> Self {
        0xFEED_BEEF
    }
    fn check(&self) {
        assert_eq!(*self, 0xFEED_BEEF);
    }
    const DROPS: usize = 0;
}

impl Value for [u64; 40] {
    fn make(_: &Tally) -> Self {
        LARGE
    }
    fn check(&self) {
        assert_eq!(*self, LARGE);
    }
    const DROPS: usize = 0;
}

#[repr(align(128))]
#[derive(Clone, Copy)]
struct Wide([u8; 128]);

impl Value for Wide {
    fn make(_: &Tally) -> Self {
        Wide([9; 128])
    }
    fn check(&self) {
        assert_eq!(self.0, [9; 128]);
        assert_eq!(std::ptr::from_ref(self).addr() % 128, 0, "alignment");
    }
    const DROPS: usize = 0;
}

impl Value for () {
    fn make(_: &Tally) -> Self {}
    fn check(&self) {}
    const DROPS: usize = 0;
}

impl<A: Value, B: Value> Value for (A, B) {
    fn make(drops: &Tally) -> Self {
        (A::make(drops), B::make(drops))
    }
    fn check(&self) {
        self.0.check();
        self.1.check();
    }
    const DROPS: usize = A::DROPS + B::DROPS;
}

/// Every moment at which a handle can be used up.
fn all_moments<In: Value, Out: Value>() {
    for _ in 0..50 {
        joined::<In, Out>();
        dropped_before::<In, Out>();
        dropped_meanwhile::<In, Out>();
        dropped_after::<In, Out>();
    }
}

/// A closure with a capture and a result, and the count of their drops.
struct Body<F> {
    run: F,
    ins: Tally,
    outs: Tally,
}

fn body<In: Value, Out: Value>() -> Body<impl FnOnce() -> Out + Send + 'static> {
    let (ins, outs) = (Tally::new(), Tally::new());
    let (value, made) = (In::make(&ins), outs.clone());
    let run = move || {
        value.check();
        Out::make(&made)
    };
    Body { run, ins, outs }
}

#[track_caller]
fn all_dropped_once<In: Value, Out: Value>(ins: &Tally, outs: &Tally) {
    until("all is dropped", || ins.count() >= In::DROPS && outs.count() >= Out::DROPS);
    assert_eq!((ins.count(), outs.count()), (In::DROPS, Out::DROPS));
}

fn joined<In: Value, Out: Value>() {
    let Body { run, ins, outs } = body::<In, Out>();
    let value = gopark::go(run).join().unwrap();
    value.check();
    assert_eq!((ins.count(), outs.count()), (In::DROPS, 0), "the joiner owns the result");
    drop(value);
    assert_eq!(outs.count(), Out::DROPS);
}

fn dropped_before<In: Value, Out: Value>() {
    let gate = Gate::new();
    let (held, body) = (gate.clone(), body::<In, Out>());
    let run = body.run;
    let task = gopark::go(move || {
        held.pass();
        run()
    });
    parked(task.id(), WaitReason::ChanReceive);
    drop(task);
    gate.open();
    all_dropped_once::<In, Out>(&body.ins, &body.outs);
}

fn dropped_meanwhile<In: Value, Out: Value>() {
    let body = body::<In, Out>();
    drop(gopark::go(body.run));
    all_dropped_once::<In, Out>(&body.ins, &body.outs);
}

fn dropped_after<In: Value, Out: Value>() {
    let body = body::<In, Out>();
    let task = gopark::go(body.run);
    until("the task has ended", || task.is_finished());
    assert_eq!((body.ins.count(), body.outs.count()), (In::DROPS, 0), "the handle owns the result");
    drop(task);
    assert_eq!((body.ins.count(), body.outs.count()), (In::DROPS, Out::DROPS));
}

/// One test for each pair of a closure's capture and a result.
macro_rules! pairs {
    ($($name:ident: $in:ty => $out:ty;)*) => {
        $(
            #[test]
            fn $name() {
                all_moments::<$in, $out>();
            }
        )*
    };
}

pairs! {
    nothing_to_nothing: () => ();
    nothing_to_small: () => Small;
    nothing_to_large: () => Large;
    nothing_to_aligned: () => Aligned;
    small_to_nothing: Small => ();
    small_to_small: Small => Small;
    small_to_plain: Small => u64;
    small_to_large_plain: Small => [u64; 40];
    plain_to_wide: u64 => Wide;
    large_to_nothing: Large => ();
    large_to_small: Large => Small;
    large_to_plain: [u64; 40] => u64;
    aligned_to_aligned: Aligned => Aligned;
    aligned_to_plain: Aligned => u64;
    wide_to_small: Wide => Small;
    wide_to_large: Wide => Large;
    all_to_all: (Small, (Large, Aligned)) => (Aligned, (Large, Small));
}

/// The drop of the handle and the end of the task meet at every distance.
#[test]
fn a_handle_dropped_at_the_very_end_drops_the_result_once() {
    let drops = Tally::new();
    for n in 0..20_000 {
        let mark = drops.mark();
        let task = gopark::go(move || mark);
        for _ in 0..n % 200 {
            std::hint::spin_loop();
        }
        drop(task);
    }
    until("all results are dropped", || drops.count() == 20_000);
}

/// Records are used again for bodies of other kinds.
#[test]
fn bodies_of_all_kinds_follow_each_other() {
    for _ in 0..500 {
        joined::<(), Small>();
        joined::<Large, ()>();
        joined::<Aligned, u64>();
        joined::<u64, Wide>();
        joined::<(), ()>();
    }
}

#[test]
fn a_closure_without_size_runs() {
    static RAN: Tally0 = Tally0::new();
    fn job() {
        RAN.add();
    }
    assert_eq!(size_of_val(&job), 0);
    gopark::go(job).join().unwrap();
    gopark::go(|| RAN.add()).join().unwrap();
    assert_eq!(RAN.count(), 2);
}

#[test]
fn a_result_without_size_but_with_a_destructor_is_dropped_once() {
    static DROPS: Tally0 = Tally0::new();
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.add();
        }
    }
    let value = gopark::go(|| Nothing).join().unwrap();
    assert_eq!(DROPS.count(), 0);
    drop(value);
    assert_eq!(DROPS.count(), 1);
    drop(gopark::go(|| Nothing));
    until("the result is dropped", || DROPS.count() == 2);
    let task = gopark::go(|| Nothing);
    until("the task has ended", || task.is_finished());
    drop(task);
    assert_eq!(DROPS.count(), 3);
}

/// A tally in a static.
struct Tally0(std::sync::atomic::AtomicUsize);

impl Tally0 {
    const fn new() -> Tally0 {
        Tally0(std::sync::atomic::AtomicUsize::new(0))
    }
    fn add(&self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
    fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[test]
fn what_a_panicking_task_has_captured_is_dropped_once() {
    let drops = Tally::new();
    for _ in 0..100 {
        let (captured, large) = (drops.mark(), [1_u8; 100]);
        let task = gopark::go(move || {
            let _local = captured;
            assert!(large[0] == 0, "on purpose");
        });
        task.join().unwrap_err();
    }
    assert_eq!(drops.count(), 100);
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("in a destructor");
        }
    }
}

#[test]
fn a_panic_in_the_drop_of_a_captured_value_is_the_tasks() {
    let others = Tally::new();
    let (other, bomb) = (others.mark(), Bomb);
    let task = gopark::go(move || {
        let _captured = (&other, &bomb);
    });
    assert_eq!(task.join().err().unwrap().to_string(), "the task panicked: in a destructor");
    assert_eq!(others.count(), 1);
}

#[test]
fn a_panic_in_the_drop_of_a_result_is_the_handles_owners() {
    let task = gopark::go(|| Bomb);
    until("the task has ended", || task.is_finished());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(task))).is_err());
    // The next task that gets the record is a task like any other.
    for _ in 0..100 {
        assert_eq!(gopark::go(|| 1).join().unwrap(), 1);
    }
}

/// Nobody wants the result, so the task itself drops it, at its end.
#[test]
fn a_panic_in_the_drop_of_a_result_that_nobody_wants_is_an_unseen_one() {
    let scope = Scope::new("bombs");
    let gate = Gate::new();
    for _ in 0..10 {
        let (_in, held) = (scope.enter(), gate.clone());
        drop(gopark::go(move || {
            held.pass();
            Bomb
        }));
    }
    gate.open();
    until("all have ended", || scope.live() == 0);
    let panics = scope.take_panics();
    assert_eq!(panics.len(), 10);
    assert!(panics.iter().all(|panic| panic.message == "in a destructor"));
}
