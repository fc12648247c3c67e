//! OS threads that nothing is known of.

use crate::child::{Child, alone, here, inside};
use crate::support::{Gate, parked, thread_id, until};
use gopark::inspect::{Census, WaitReason, foreign_threads, mark_harness_thread};
use gopark::{Builder, Scope};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// A thread that waits until the sender is dropped.
fn waiting(
    first: impl FnOnce() + Send + 'static,
) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>, u64) {
    let (stop, stopped) = mpsc::channel::<()>();
    let (ready, is_ready) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        first();
        ready.send(thread_id()).unwrap();
        let _ = stopped.recv();
    });
    let id = is_ready.recv().unwrap();
    (stop, thread, id)
}

#[test]
fn a_plain_thread_is_foreign_until_it_ends() {
    alone(here!(), &[], || {
        mark_harness_thread();
        assert_eq!(foreign_threads(), []);
        let (stop, thread, id) = waiting(|| ());
        assert_eq!(foreign_threads(), [id as u32]);
        drop(stop);
        thread.join().unwrap();
        until("the kernel has let it go", || foreign_threads().is_empty());
    });
}

#[test]
fn known_threads_are_not_foreign() {
    alone(here!(), &[("GOPARK_MAXPROCS", "3")], || {
        mark_harness_thread();
        // Adopted; of a harness; workers; the timer's.
        let adopted = waiting(|| drop(Scope::current()));
        let harness = waiting(mark_harness_thread);
        let gate = Gate::new();
        let held = gate.clone();
        let own = Builder::new().own_thread().go(move || held.pass()).unwrap();
        parked(own.id(), WaitReason::ChanReceive);
        let busy: Vec<_> = (0..10).map(|_| gopark::go(gopark::yield_now)).collect();
        busy.into_iter().for_each(|task| task.join().unwrap());
        gopark::go(|| gopark::sleep(Duration::from_micros(1))).join().unwrap();
        until("all have said who they are", || foreign_threads().is_empty());
        gate.open();
        own.join().unwrap();
        for (stop, thread, _) in [adopted, harness] {
            drop(stop);
            thread.join().unwrap();
        }
    });
}

/// Adopted between two things that are read, it would be in neither.
#[test]
fn a_thread_that_is_adopted_after_a_census_is_unknown_to_it() {
    alone(here!(), &[], || {
        mark_harness_thread();
        let scope = Scope::new("counted");
        let adopted = waiting(|| drop(Scope::current()));
        for take in [|_: &Scope| Census::everywhere(), Census::take] {
            let census = take(&scope);
            assert_eq!(census.unknown_threads(), []);
            let plain = waiting(|| ());
            assert_eq!(census.unknown_threads(), [plain.2 as u32]);
            let later = waiting(|| drop(Scope::current()));
            assert_eq!(foreign_threads(), [plain.2 as u32]);
            let mut unknown = census.unknown_threads();
            unknown.sort_unstable();
            let mut both = [plain.2 as u32, later.2 as u32];
            both.sort_unstable();
            assert_eq!(unknown, both);
            assert_eq!(take(&scope).unknown_threads(), [plain.2 as u32]);
            for (stop, thread, _) in [plain, later] {
                drop(stop);
                thread.join().unwrap();
            }
            until("the kernel has let them go", || foreign_threads().is_empty());
        }
        drop(adopted.0);
        adopted.1.join().unwrap();
    });
}

/// No worker ends because it has nothing to do: at its end it runs destructors of the
/// program's, and is foreign.
const ALL_STAY: (&str, &str) = ("GOPARK_DEBUG", "idleworkers=0");

/// A worker is one of ours from the moment at which the kernel knows it.
#[test]
fn a_worker_that_just_starts_is_not_foreign() {
    alone(here!(), &[("GOPARK_MAXPROCS", "2"), ALL_STAY], || {
        mark_harness_thread();
        for _ in 0..300 {
            let gate = Gate::new();
            let held = gate.clone();
            let body = move || {
                held.pass();
                thread_id()
            };
            let own = Builder::new().own_thread().go(body).unwrap();
            assert_eq!(foreign_threads(), [], "a thread of the runtime");
            gate.open();
            // It was made for one task, and ends with it.
            let thread = format!("/proc/self/task/{}", own.join().unwrap());
            until("it has ended", || !Path::new(&thread).exists());
        }
    });
}

/// A worker may just have been made when its task sleeps already.
#[test]
fn the_threads_of_a_sleeping_program_are_not_foreign() {
    if inside(here!()) {
        mark_harness_thread();
        let sleeper = gopark::go(|| gopark::sleep(Duration::from_secs(3600)));
        parked(sleeper.id(), WaitReason::Sleep);
        assert_eq!(foreign_threads(), [], "a thread of the runtime");
        return;
    }
    for _ in 0..20 {
        Child::new(here!()).env(ALL_STAY.0, ALL_STAY.1).run().passed(here!());
    }
}

#[test]
fn each_caller_leaves_itself_out() {
    alone(here!(), &[], || {
        let seen = std::thread::spawn(|| (thread_id() as u32, foreign_threads())).join().unwrap();
        assert!(!seen.1.contains(&seen.0));
    });
}

/// Libtest's main thread only waits; that of another program may do anything.
#[test]
fn the_main_thread_is_foreign_unless_there_is_a_harness() {
    alone(here!(), &[], || {
        let main = std::process::id();
        assert_eq!(foreign_threads(), [main]);
        mark_harness_thread();
        assert_eq!(foreign_threads(), []);
    });
}
