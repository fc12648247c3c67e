//! A hundred thousand leaks: one block, all of them ended.

use crate::fixtures::silent;
use crate::support::{alone_with, here};
use gopark::{Scope, go};
use leakcheck::{Filter, find};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TASKS: usize = 100_000;

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_hundred_thousand_are_one_block() {
    // On a busy machine it takes long until all of them have parked.
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "30000")], || {
        let scope = Scope::new("many");
        let _in = scope.enter();
        let dropped = Arc::new(AtomicUsize::new(0));
        let rx = silent();
        for _ in 0..TASKS {
            let (counted, rx) = (Counted(Arc::clone(&dropped)), rx.clone());
            go(move || {
                let _counted = counted;
                rx.recv()
            });
        }
        let leaks = find(&Filter::new()).expect_err("leaks");
        assert_eq!(leaks.len(), TASKS);

        let text = leaks.to_string();
        assert!(text.contains("[1] 100000 tasks blocked in `chan receive`"), "{text}");
        assert!(!text.contains("[2]"), "{text}");
        assert!(text.contains("(99999 tasks left out of the dump: equal to one above)"), "{text}");
        assert!(text.lines().count() < 40, "{text}");

        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        let reaped = leaks.reap();
        assert_eq!((reaped.ended, reaped.abandoned), (TASKS, 0));
        assert_eq!(dropped.load(Ordering::Relaxed), TASKS);
        assert_eq!(scope.live(), 0);
        assert!(find(&Filter::new()).is_ok());
    });
}
