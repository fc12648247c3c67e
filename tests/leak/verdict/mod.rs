//! What is decided, and when.

mod wakers;

use crate::fixtures::{leak_a_receiver, leak_a_sender, silent};
use crate::support::{alone, alone_with, here};
use gopark::inspect::{Census, Kind, Snapshot};
use gopark::{JoinError, Scope, chan, go, time};
use leakcheck::{Filter, Leaks, Options, find, verify_none};
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn check() -> Result<(), Leaks> {
    find(&Filter::new())
}

/// Finds nothing; else it shows everything.
#[track_caller]
fn clean() {
    if let Err(leaks) = check() {
        panic!("{leaks}\nall tasks:\n{}", Snapshot::all());
    }
}

/// The report on what is left, and how long the verdict took.
fn report() -> (String, Duration) {
    let start = Instant::now();
    let leaks = check().expect_err("a leak");
    let took = start.elapsed();
    let text = leaks.to_string();
    leaks.reap();
    (text, took)
}

#[track_caller]
fn shows(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "does not say {part:?}:\n{text}");
    }
}

/// A task that computes until it is told to stop.
fn spinner() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let (started, wait) = chan::rendezvous();
    go(move || {
        started.send(()).unwrap();
        while !seen.load(Ordering::Relaxed) {
            hint::spin_loop();
        }
    });
    wait.recv().unwrap();
    stop
}

#[test]
fn a_leak_that_nothing_can_wake_is_decided_after_settle() {
    alone(here!(), || {
        let scope = Scope::new("proof");
        let _in = scope.enter();
        leak_a_receiver();
        leak_a_sender();
        let (text, took) = report();
        shows(&text, &["2 tasks leaked", "nothing can wake it"]);
        assert!(took >= 20 * MS, "{took:?}");
    });
}

/// A task that selects leaks only if none of its channels can wake it.
#[test]
fn a_select_that_nothing_can_wake() {
    alone(here!(), || {
        let scope = Scope::new("select");
        let _in = scope.enter();
        let (to_a, a) = chan::rendezvous::<u8>();
        let (to_b, b) = chan::rendezvous::<u8>();
        let _keep = (to_a.clone(), b);
        go(move || gopark::select! { recv(a) -> _ => {}, send(to_b, 1) -> _ => {} });
        let (text, _) = report();
        shows(&text, &["1 task leaked", "blocked in `select`", "nothing can wake it"]);
        let forever = go(|| gopark::select! {});
        let (text, _) = report();
        shows(&text, &["blocked in `select (no cases)`", "nothing can wake it"]);
        assert!(matches!(forever.join(), Err(JoinError::Reaped)));
    });
}

#[test]
fn ten_thousand_too() {
    alone(here!(), || {
        let scope = Scope::new("proof");
        let _in = scope.enter();
        let rx = silent();
        for _ in 0..10_000 {
            let rx = rx.clone();
            go(move || rx.recv());
        }
        let (text, _) = report();
        shows(&text, &["[1] 10000 tasks blocked", "nothing can wake them"]);
    });
}

#[test]
fn settle_zero_decides_at_once() {
    alone_with(here!(), &[("LEAKCHECK_SETTLE_MS", "0")], || {
        let scope = Scope::new("proof");
        let _in = scope.enter();
        let times: Vec<Duration> = (0..20)
            .map(|_| {
                leak_a_receiver();
                report().1
            })
            .collect();
        let best = times.iter().min().expect("times");
        assert!(*best < 10 * MS, "{times:?}");
    });
}

#[test]
fn one_that_runs() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let scope = Scope::new("runs");
        let _in = scope.enter();
        let stop = spinner();
        leak_a_receiver();
        let leaks = check().expect_err("leaks");
        let text = leaks.to_string();
        shows(&text, &["1 task still running", "did not end or park in the "]);
        shows(
            &text,
            &[
                "1 task blocked in `chan receive`",
                "may yet be woken by 1 running task of the scope",
            ],
        );
        stop.store(true, Ordering::Relaxed);
        leaks.reap();
    });
}

#[test]
fn one_that_blocks_its_thread() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let scope = Scope::new("blocks");
        let _in = scope.enter();
        let (end, told) = mpsc::channel();
        let line = line!() + 1;
        let task = go(move || gopark::blocking(|| told.recv()));
        let leaks = check().expect_err("a leak");
        let text = leaks.to_string();
        shows(
            &text,
            &[
                "1 task in a blocking call",
                &format!("verdict/mod.rs:{line}:"),
                "^ blocks here",
                "did not return in the ",
                " [syscall]:",
            ],
        );
        end.send(()).unwrap();
        task.join().unwrap().unwrap();
        clean();
    });
}

#[test]
fn one_whose_call_is_made_elsewhere() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let scope = Scope::new("offloads");
        let _in = scope.enter();
        let (end, told) = mpsc::channel();
        let task = go(move || gopark::offload(move || told.recv()));
        let leaks = check().expect_err("a leak");
        let text = leaks.to_string();
        shows(&text, &["1 task waiting in `offload` for ", "waits here", "did not end in the "]);
        end.send(()).unwrap();
        task.join().unwrap().unwrap();
        clean();
        // The thread that made the call is no reason to doubt.
        leak_a_receiver();
        shows(&report().0, &["nothing can wake it"]);
    });
}

/// Being ready now and then is no excuse for one that keeps running.
#[test]
fn one_that_only_yields() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let scope = Scope::new("yields");
        let _in = scope.enter();
        for _ in 0..3 {
            go(|| {
                loop {
                    gopark::yield_now();
                }
            });
        }
        let (report, _) = report();
        assert!(report.contains("3 tasks"), "{report}");
    });
}

#[test]
fn one_that_sleeps() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let scope = Scope::new("sleeps");
        let _in = scope.enter();
        go(|| gopark::sleep(3_600_000 * MS));
        let (text, _) = report();
        shows(
            &text,
            &[
                "1 task sleeping for ",
                "sleeps here",
                "wakes by itself, but only in 5",
                "goroutine ",
            ],
        );
        shows(&text, &[" [sleep]:"]);
    });
}

#[test]
fn one_with_a_timeout() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "100")], || {
        let scope = Scope::new("waits");
        let _in = scope.enter();
        let rx = silent();
        go(move || rx.recv_timeout(3_600_000 * MS));
        let (text, _) = report();
        shows(
            &text,
            &["1 task waiting in `chan receive` with a timeout", "wakes by itself, but only in 5"],
        );
    });
}

/// With one processor and a hog on it, a task of the scope does not get to run
/// before the deadline. That is no leak.
#[test]
fn time_without_a_processor_does_not_count() {
    let variables = [
        ("GOPARK_MAXPROCS", "1"),
        ("GOPARK_DEBUG", "asyncpreemptoff=1"),
        ("LEAKCHECK_DEADLINE_MS", "500"),
    ];
    alone_with(here!(), &variables, || {
        let stop = spinner();
        let scope = Scope::new("starved");
        let _in = scope.enter();
        go(|| ());
        let thread = thread::spawn(move || {
            thread::sleep(700 * MS);
            stop.store(true, Ordering::Relaxed);
        });
        clean();
        thread.join().unwrap();
    });
}

/// The task that asks is no leak, and may be the only one.
#[test]
fn from_inside_a_task() {
    alone(here!(), || {
        let scope = Scope::new("inside");
        let _in = scope.enter();
        let asks = go(|| {
            clean();
            leak_a_receiver();
            let leaks = check().expect_err("a leak");
            assert_eq!(leaks.len(), 1, "{leaks}");
            shows(&leaks.to_string(), &["nothing can wake it"]);
        });
        asks.join().unwrap();
        let _ = report();
    });
}

#[test]
fn a_guard_inside_a_task() {
    alone_with(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let says = |body: fn()| {
            let task = go(move || {
                let _guard = verify_none(Options::new().name("in a task"));
                leak_a_receiver();
                body();
            });
            match task.join() {
                Err(JoinError::Panicked(payload)) => *payload.downcast::<String>().expect("text"),
                other => panic!("{other:?}"),
            }
        };
        let found = "leakcheck: 1 task leaked in scope `in a task` (report above)";
        assert_eq!(says(|| ()), found);
        assert_eq!(says(|| panic!("{}", "the body's own words")), "the body's own words");
        let alive = Snapshot::all().tasks;
        assert!(alive.iter().all(|task| task.kind == Kind::Thread), "{alive:?}");
    });
}

/// Passing costs the same, however many tasks others have: one pass over them takes many
/// times as long.
#[test]
fn a_clean_check_is_flat() {
    alone(here!(), || {
        // The best of many short times: whoever else runs here lengthens only some.
        fn best(rounds: u32, mut f: impl FnMut()) -> Duration {
            let time = |_| {
                let start = Instant::now();
                f();
                start.elapsed()
            };
            (0..rounds).map(time).min().expect("times")
        }
        let others = Scope::new("others");
        {
            let _in = others.enter();
            let rx = silent();
            for _ in 0..10_000 {
                let rx = rx.clone();
                go(move || rx.recv());
            }
        }
        assert_eq!(others.live(), 10_000);
        let pass = best(5, || drop(Census::everywhere()));
        let scope = Scope::new("clean");
        let filter = Filter::new();
        let _in = scope.enter();
        let clean = best(1000, || find(&filter).unwrap());
        assert!(clean < pass / 10, "{clean:?}, and {pass:?} to look at 10 000 tasks");
    });
}

/// One that is woken again and again is not blocked all the time.
#[test]
fn who_was_woken_meanwhile_is_not_blocked_still() {
    alone_with(here!(), &[("LEAKCHECK_DEADLINE_MS", "1000")], || {
        let scope = Scope::new("ticks");
        let _in = scope.enter();
        let ticker = time::Ticker::new(MS);
        go(move || ticker.receiver().iter().for_each(drop));
        let (text, _) = report();
        shows(&text, &["did not end "]);
        assert!(!text.contains("still blocked"), "{text}");
    });
}
