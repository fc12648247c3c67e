//! Who runs where and when.

mod blocking;
mod bound;
mod config;
mod fairness;
mod hazards;
mod lock_thread;
mod maxprocs;
mod migrating;
mod offload;
mod preempt;
mod spreading;
mod startup;
mod threads;
mod watchdog;

use crate::support::{Tally, until};
use gopark::JoinHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ONE: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "1")];
const TWO: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "2")];

/// Counts its turns until it is told to stop.
struct Turns {
    count: Tally,
    over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Turns {
    fn new() -> Turns {
        let (count, over) = (Tally::new(), Arc::new(AtomicBool::new(false)));
        let task = {
            let (count, over) = (count.clone(), over.clone());
            gopark::go(move || {
                while !over.load(Ordering::SeqCst) {
                    count.add();
                    gopark::yield_now();
                }
            })
        };
        until("it runs", || count.count() > 10);
        Turns { count, over, task }
    }

    fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        self.task.join().unwrap();
    }
}
