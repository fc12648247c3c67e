//! OS threads: whose they are, which are leaks, and whom they could wake.

use crate::fixtures::silent;
use crate::left_threads::to_the_pool;
use crate::support::{Run, alone, alone_with, here};
use gopark::inspect::foreign_threads_of;
use gopark::{Scope, chan, go};
use leakcheck::{Filter, Options, find, verify_none};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// The test of this name, alone in a process, fails with a report.
fn fails(name: &str) -> Run {
    let run = Run::fixture(&format!("threads::{name}"));
    assert!(!run.passed, "{name} passed:\n{}", run.text);
    run
}

#[test]
fn one_that_stays_is_reported() {
    fails("leaves_one").shows(&[
        "leakcheck: 1 thread leaked by test fixtures::threads::leaves_one\n",
        "[1] 1 thread blocked in `futex`\n",
        "--> tests/leak/../left_threads.rs:",
        "thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();\n",
        "made here, by leak::left_threads::wait_for_ever\n",
        "= name:   left-over\n",
        "leak::fixtures::threads::leaves_one at tests/leak/fixtures/threads.rs:",
        "= why:    did not end in the time that the check waited\n",
    ]);
}

#[test]
fn equal_ones_are_one_block() {
    fails("leaves_equal_ones").shows(&[
        "leakcheck: 3 threads leaked by test",
        "[1] 3 threads blocked in `futex`\n",
        "equal-0, equal-1, equal-2\n",
    ]);
}

#[test]
fn one_that_computes_is_running() {
    fails("leaves_one_that_computes").shows(&["[1] 1 thread still running\n"]);
}

#[test]
fn one_of_a_c_library() {
    fails("a_c_library_leaves_one").shows(&[
        "leakcheck: 1 thread leaked by test",
        "[1] 1 thread blocked in `",
        "gopark_test_start_thread",
    ]);
}

#[test]
fn the_right_one_of_parallel_tests() {
    let run = Run::of(&["--ignored", "fixtures::threads::at_once::", "--test-threads=4"], &[]);
    run.must_have_run(4);
    for (name, result) in [("one", "FAILED"), ("two", "ok"), ("three", "FAILED"), ("four", "ok")] {
        run.shows(&[&format!("test fixtures::threads::at_once::{name} ... {result}\n")]);
    }
    run.shows(&[
        "leakcheck: 1 thread leaked by test fixtures::threads::at_once::one\n",
        "leakcheck: 1 thread leaked by test fixtures::threads::at_once::three\n",
        "= name:   of-one\n",
        "= name:   of-three\n",
    ]);
}

/// Where threads cannot be told of, those count that were not there before.
#[test]
fn without_the_wrapper_the_lists_are_compared() {
    let name = "fixtures::threads::leaves_one";
    let run = Run::of(&["--ignored", "--exact", name], &[("LEAKCHECK_WRAP_THREADS", "0")]);
    run.must_have_run(1);
    assert!(!run.passed, "{}", run.text);
    run.shows(&[
        "leakcheck: 1 thread leaked by test fixtures::threads::leaves_one\n",
        "= name:   left-over\n",
        "who made it is not known here",
    ]);
}

#[test]
fn a_task_belongs_to_the_scope_of_the_thread_that_starts_it() {
    fails("a_task_of_a_thread_is_left").shows(&[
        "leakcheck: 1 task leaked by test fixtures::threads::a_task_of_a_thread_is_left\n",
        "nothing can wake it",
    ]);
    fails("a_task_of_a_thread_makes_one")
        .shows(&["leakcheck: 1 thread leaked by test", "= name:   made-by-a-task\n"]);
}

#[test]
fn pools_for_everybody_are_nobodys() {
    let run = Run::fixture("threads::starts_pools");
    assert!(run.passed, "{}", run.text);
}

#[test]
fn known_pools_are_named_and_not_counted() {
    fails("leaves_a_pool_of_its_own").shows(&[
        "leakcheck: 1 thread leaked by test",
        "= name:   beside-a-pool\n",
        "(alive and not counted: 2 threads of rayon)\n",
    ]);
}

/// A thread that waits until the sender is dropped.
fn waiting() -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel::<()>();
    let (started, starts) = mpsc::channel();
    let thread = thread::spawn(move || {
        started.send(()).unwrap();
        let _ = stopped.recv();
    });
    starts.recv().unwrap();
    (stop, thread)
}

#[test]
fn one_that_ends_in_time_is_none() {
    alone(here!(), || {
        let guard = verify_none(Options::new().threads(true).deadline(LONG));
        let (stop, thread) = waiting();
        let about_to = Arc::new(AtomicBool::new(false));
        let stopping = about_to.clone();
        let stops = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            stopping.store(true, Ordering::SeqCst);
            drop(stop);
        });
        drop(guard);
        assert!(about_to.load(Ordering::SeqCst), "it was not waited for");
        thread.join().unwrap();
        stops.join().unwrap();
    });
}

#[test]
fn it_is_none_unless_asked_for() {
    alone(here!(), || {
        let guard = verify_none(Options::new().deadline(LONG));
        let (stop, thread) = waiting();
        let start = Instant::now();
        drop(guard);
        assert!(start.elapsed() < LONG);
        drop(stop);
        thread.join().unwrap();
    });
}

/// It may yet send: the verdict waits for it, also when threads are not reported.
#[test]
fn one_of_the_scope_keeps_the_verdict_waiting() {
    alone(here!(), || {
        let guard = verify_none(Options::new().settle(Duration::ZERO).deadline(LONG));
        let (tx, rx) = chan::rendezvous();
        go(move || rx.recv());
        let about_to = Arc::new(AtomicBool::new(false));
        let sending = about_to.clone();
        let sends = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            sending.store(true, Ordering::SeqCst);
            tx.send(1).unwrap();
        });
        drop(guard);
        assert!(about_to.load(Ordering::SeqCst), "nobody waited for the thread");
        sends.join().unwrap();
    });
}

/// A leak is proven although other tests' threads run.
#[test]
fn those_of_other_open_scopes_wake_nobody_here() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "60000")], || {
        let other = Scope::new("other");
        let (stop, thread) = {
            let _in = other.enter();
            waiting()
        };
        let mine = Scope::new("mine");
        assert!(foreign_threads_of(&mine).is_empty());
        assert_eq!(foreign_threads_of(&other).len(), 1, "its own scope's");
        let _in = mine.enter();
        go(|| silent().recv());
        let leaks = find(&Filter::new()).expect_err("a leak");
        assert!(leaks.to_string().contains("nothing can wake it"), "{leaks}");
        leaks.reap();
        // Nobody's test any more: it could do anything.
        drop(other);
        assert_eq!(foreign_threads_of(&mine).len(), 1);
        drop(stop);
        thread.join().unwrap();
    });
}

/// The thread was born in one scope, but runs the jobs of all.
#[test]
fn one_of_a_pool_for_everybody_may_wake_a_task() {
    alone(here!(), || {
        let other = Scope::new("other");
        {
            let _in = other.enter();
            to_the_pool(|| ());
        }
        let guard = verify_none(Options::new().settle(Duration::ZERO).deadline(LONG));
        let (tx, rx) = chan::rendezvous();
        go(move || rx.recv());
        let job = move || {
            thread::sleep(Duration::from_millis(200));
            tx.send(1).unwrap();
        };
        to_the_pool(job);
        drop(guard);
        assert_eq!(gopark::threads::count(&other), 0, "it is nobody's");
    });
}

/// The scope is not used again under a thread that was born there.
#[test]
fn one_that_outlives_its_scope_keeps_it_from_others() {
    alone(here!(), || {
        let scope = Scope::new("first");
        let in_it = scope.enter();
        let (go_on, goes_on) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            goes_on.recv().unwrap();
            Scope::current().name()
        });
        drop(in_it);
        drop(scope);
        let later: Vec<_> = (0..20).map(|n| Scope::new(format!("later {n}"))).collect();
        go_on.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), "first");
        drop(later);
    });
}

#[test]
fn it_counts_until_it_has_ended() {
    alone(here!(), || {
        // So that births are told of.
        drop(verify_none(Options::new()));
        let scope = Scope::new("counted");
        let _in = scope.enter();
        let threads: Vec<_> = (0..5).map(|_| waiting()).collect();
        assert_eq!(gopark::threads::count(&scope), 5);
        assert_eq!(gopark::threads::of(&scope).len(), 5);
        for (stop, thread) in threads {
            drop(stop);
            thread.join().unwrap();
        }
        assert_eq!(gopark::threads::count(&scope), 0);
    });
}

/// Somebody else's kind of things.
mod source {
    use super::*;
    use leakcheck::source::{Item, Seen, Source, State};

    /// Names that were taken and not given back.
    #[derive(Debug, Clone, Default)]
    struct Names(Arc<Mutex<Vec<String>>>);

    struct Before {
        names: Names,
        were: Vec<String>,
        state: State,
    }

    #[derive(Debug)]
    struct In(Names, State);

    impl Source for In {
        fn open(&self, _: &Scope) -> Box<dyn Seen> {
            let were = self.0.0.lock().unwrap().clone();
            Box::new(Before { names: self.0.clone(), were, state: self.1 })
        }
    }

    impl Seen for Before {
        fn look(&mut self) -> Vec<Item> {
            let now = self.names.0.lock().unwrap().clone();
            let new = now.into_iter().filter(|name| !self.were.contains(name));
            let item = |name: String| {
                Item::new("reservation", name.clone(), self.state)
                    .name(name)
                    .does("still there")
                    .note("since", "the test")
                    .why("nobody has given it back")
            };
            new.map(item).collect()
        }

        fn end(&mut self) {
            self.names.0.lock().unwrap().retain(|name| self.were.contains(name));
        }
    }

    fn take(names: &Names, name: &str) {
        names.0.lock().unwrap().push(name.to_owned());
    }

    fn message(guard: leakcheck::Guard) -> String {
        let drop_it = std::panic::AssertUnwindSafe(|| drop(guard));
        let payload = std::panic::catch_unwind(drop_it).expect_err("a leak");
        payload.downcast_ref::<String>().expect("text").clone()
    }

    #[test]
    fn what_it_names_is_reported_and_ended() {
        let names = Names::default();
        take(&names, "before");
        let options = Options::new().deadline(LONG).source(In(names.clone(), State::Stays));
        let guard = verify_none(options.name("hotel"));
        take(&names, "a");
        take(&names, "b");
        let start = Instant::now();
        let says = message(guard);
        assert!(says.contains("2 reservations leaked in scope `hotel`"), "{says}");
        assert!(start.elapsed() < LONG, "what stays is not waited for");
        assert_eq!(*names.0.lock().unwrap(), ["before"]);
    }

    #[test]
    fn what_may_end_is_waited_for() {
        let names = Names::default();
        let options = Options::new().deadline(LONG).source(In(names.clone(), State::MayEnd));
        let guard = verify_none(options);
        take(&names, "a");
        let ends = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            names.0.lock().unwrap().clear();
        });
        drop(guard);
        ends.join().unwrap();
    }

    #[test]
    fn filters_go_by_its_names() {
        let names = Names::default();
        let filter = Filter::new().ignore_name("a");
        let options = Options::new().filter(filter).source(In(names.clone(), State::Stays));
        let guard = verify_none(options);
        take(&names, "a");
        drop(guard);
    }
}
