//! The end of a program in which nobody can go on. Under libtest there is always a
//! thread that could do something; here the main thread calls `run`.

use super::child::{Child, Ended, inside};
use gopark::chan;
use gopark::time::{Timer, after, after_func};
use std::ffi::OsStr;
use std::thread;
use std::time::Duration;

pub(super) const TESTS: &[(&str, fn())] = &[
    ("all_tasks_parked_is_a_deadlock", all_tasks_parked_is_a_deadlock),
    (
        "an_adopted_thread_that_is_parked_saves_nobody",
        an_adopted_thread_that_is_parked_saves_nobody,
    ),
    ("a_thread_that_ends_saved_nobody", a_thread_that_ends_saved_nobody),
    ("what_came_before_is_recorded", what_came_before_is_recorded),
    ("a_timer_saves_them", a_timer_saves_them),
    ("a_timers_channel_saves_them", a_timers_channel_saves_them),
    ("a_timer_that_is_stopped_saves_nobody", a_timer_that_is_stopped_saves_nobody),
    ("a_timer_that_a_thread_stops_saves_nobody", a_timer_that_a_thread_stops_saves_nobody),
    ("a_thread_saves_them", a_thread_saves_them),
    ("an_offloaded_call_saves_them", an_offloaded_call_saves_them),
    ("a_system_call_saves_them", a_system_call_saves_them),
];

/// Runs the test's own body in a child.
fn child(name: &str, variables: &[(&str, &OsStr)], body: impl FnOnce()) -> Option<Ended> {
    if inside(name) {
        body();
        println!("it came to its end");
        return None;
    }
    let child =
        variables.iter().fold(Child::new(name), |child, (key, value)| child.env(key, value));
    Some(child.run())
}

fn deadlocks(name: &str, body: impl FnOnce()) -> Option<String> {
    deadlocks_with(name, &[], body)
}

fn deadlocks_with(name: &str, variables: &[(&str, &OsStr)], body: impl FnOnce()) -> Option<String> {
    let ended = child(name, variables, body)?;
    assert_eq!(ended.status.code(), Some(2), "{}\n{}", ended.status, ended.stderr);
    assert!(!ended.stdout.contains("it came to its end"), "{}", ended.stdout);
    let begin = "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine ";
    assert!(ended.stderr.starts_with(begin), "{}", ended.stderr);
    Some(ended.stderr)
}

fn lives(name: &str, body: impl FnOnce()) {
    if let Some(ended) = child(name, &[], body) {
        ended.passed(name);
        assert!(ended.stdout.contains("it came to its end"), "{}", ended.stdout);
    }
}

fn all_tasks_parked_is_a_deadlock() {
    let said = deadlocks("all_tasks_parked_is_a_deadlock", || {
        gopark::run(|| {
            let (tx, rx) = chan::rendezvous::<()>();
            let waits = rx.clone();
            drop(gopark::go(move || waits.recv()));
            let result = rx.recv();
            drop(tx);
            result
        })
        .unwrap();
    });
    if let Some(said) = said {
        assert_eq!(said.matches("[chan receive]:\n").count(), 2, "{said}");
        assert_eq!(said.matches("[join, locked to thread]:\n").count(), 1, "{said}");
        assert_eq!(said.matches("}}(...)\n\t/").count(), 3, "{said}");
        // The main thread from its call of `run` on.
        let (_, thread) = said.split_once("[join, locked to thread]:\n").expect("above");
        let at = |what: &str| thread.find(what).unwrap_or_else(|| panic!("{what}: {said}"));
        assert!(at("::all_tasks_parked_is_a_deadlock(...)\n") < at("main_thread::main(...)\n"));
    }
}

/// By a flight recorder, and in the trace of the whole run.
fn what_came_before_is_recorded() {
    let folder = std::env::temp_dir().join(format!("gopark-{}-deadlock", std::process::id()));
    let run = folder.join("run");
    let variables: [(&str, &OsStr); 3] = [
        ("GOPARK_DEBUG", "flightrecorder=60".as_ref()),
        ("GOPARK_TRACE", run.as_ref()),
        ("TMPDIR", folder.as_ref()),
    ];
    if !inside("what_came_before_is_recorded") {
        std::fs::create_dir(&folder).unwrap();
    }
    let said = deadlocks_with("what_came_before_is_recorded", &variables, || {
        gopark::run(|| {
            let (_tx, rx) = chan::rendezvous::<()>();
            gopark::trace::log("the", "last words");
            rx.recv().unwrap();
        });
    });
    if let Some(said) = said {
        let (_, file) = said.split_once("before the deadlock is in ").expect("a line");
        let (file, _) = file.split_once("; see it by").expect("the same line");
        assert!(file.ends_with("-deadlock.trace"), "{said}");
        for file in [file.as_ref(), run.as_path()] {
            let bytes = std::fs::read(file).unwrap();
            assert!(bytes.starts_with(b"go 1.26 trace"));
            assert!(bytes.windows(10).any(|part| part == b"last words"), "{}", file.display());
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

fn an_adopted_thread_that_is_parked_saves_nobody() {
    deadlocks("an_adopted_thread_that_is_parked_saves_nobody", || {
        let (tx, rx) = chan::rendezvous::<()>();
        let thread = thread::spawn({
            let rx = rx.clone();
            move || rx.recv()
        });
        gopark::run(move || {
            rx.recv().unwrap();
            drop(tx);
        });
        thread.join().unwrap().unwrap();
    });
}

fn a_thread_that_ends_saved_nobody() {
    deadlocks("a_thread_that_ends_saved_nobody", || {
        thread::spawn(|| thread::sleep(Duration::from_millis(300)));
        let (tx, rx) = chan::rendezvous::<()>();
        gopark::run(move || {
            rx.recv().unwrap();
            drop(tx);
        });
    });
}

fn a_timer_saves_them() {
    lives("a_timer_saves_them", || {
        let (tx, rx) = chan::rendezvous();
        gopark::run(move || {
            drop(gopark::go(move || {
                gopark::sleep(Duration::from_millis(300));
                tx.send(1).unwrap();
            }));
            assert_eq!(rx.recv(), Ok(1));
        });
    });
}

fn a_timers_channel_saves_them() {
    lives("a_timers_channel_saves_them", || {
        gopark::run(|| {
            let late = Duration::from_millis(300);
            assert!(after(late).recv().is_ok());
            let (tx, rx) = chan::rendezvous();
            after_func(late, move || tx.send(1).unwrap());
            assert_eq!(rx.recv(), Ok(1));
        });
    });
}

fn a_timer_that_is_stopped_saves_nobody() {
    deadlocks("a_timer_that_is_stopped_saves_nobody", || {
        gopark::run(|| {
            let timer = Timer::new(Duration::from_secs(3600));
            timer.stop();
            timer.receiver().recv().unwrap();
        });
    });
}

/// Nobody takes a processor for that, and so nobody sees that it has changed anything.
fn a_timer_that_a_thread_stops_saves_nobody() {
    deadlocks("a_timer_that_a_thread_stops_saves_nobody", || {
        let (tx, rx) = chan::rendezvous::<()>();
        let thread = thread::spawn({
            let rx = rx.clone();
            move || {
                let timer = Timer::new(Duration::from_secs(3600));
                thread::sleep(Duration::from_millis(300));
                timer.stop();
                rx.recv()
            }
        });
        gopark::run(move || {
            rx.recv().unwrap();
            drop(tx);
        });
        thread.join().unwrap().unwrap();
    });
}

fn a_thread_saves_them() {
    lives("a_thread_saves_them", || {
        let (tx, rx) = chan::rendezvous();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            tx.send(1).unwrap();
        });
        gopark::run(move || assert_eq!(rx.recv(), Ok(1)));
        thread.join().unwrap();
    });
}

fn an_offloaded_call_saves_them() {
    lives("an_offloaded_call_saves_them", || {
        let (tx, rx) = chan::rendezvous();
        gopark::run(move || {
            drop(gopark::go(move || {
                gopark::offload(|| thread::sleep(Duration::from_millis(300)));
                tx.send(1).unwrap();
            }));
            assert_eq!(rx.recv(), Ok(1));
        });
    });
}

fn a_system_call_saves_them() {
    lives("a_system_call_saves_them", || {
        let (tx, rx) = chan::rendezvous();
        gopark::run(move || {
            drop(gopark::go(move || {
                gopark::blocking(|| thread::sleep(Duration::from_millis(300)));
                thread::sleep(Duration::from_millis(300));
                tx.send(1).unwrap();
            }));
            assert_eq!(rx.recv(), Ok(1));
        });
    });
}
