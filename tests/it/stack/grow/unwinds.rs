//! What unwinds goes through segments as through frames.

use crate::child::{alone, here};
use crate::stack::{KIB, MIB, everywhere, use_up};
use crate::support::{Tally, for_ever, parked};
use gopark::inspect::WaitReason;
use gopark::stack::{ensure, grow, remaining};
use gopark::{JoinError, Scope};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Arc, Mutex};

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
