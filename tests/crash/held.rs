//! A lock of the program is held by a task that is suspended. What the runtime does
//! meanwhile must not wait for it: the task may be waiting for that.

use crate::allocator;
use crate::child::{Child, here, inside};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Tasks that are suspended once they have begun, so that each needs a thread.
const TASKS: usize = 8;
static BEGUN: AtomicUsize = AtomicUsize::new(0);

fn all_have_begun() -> bool {
    BEGUN.load(Ordering::Relaxed) == TASKS
}

/// Nearly all the time the allocator's lock is held, by a task that computes. The threads
/// are made by one that allocates, in the short times in between.
#[test]
fn threads_begin_while_the_allocators_lock_is_held() {
    if inside(here!()) {
        let holder = gopark::go(|| {
            while !all_have_begun() {
                let guard = allocator::lock();
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(30) {
                    black_box(());
                }
                drop(guard);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                gopark::go(|| {
                    BEGUN.fetch_add(1, Ordering::Relaxed);
                    while !all_have_begun() {
                        black_box(());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        return holder.join().unwrap();
    }
    Child::new(here!()).env("GOPARK_MAXPROCS", "1").run().passed(here!());
}
