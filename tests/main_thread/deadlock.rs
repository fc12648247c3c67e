//! The end of a program in which nobody can go on. Under libtest there is always a
//! thread that could do something; here the main thread calls `run`.

use super::child::{Child, Ended, inside};
use gopark::chan;
use gopark::time::{Timer, after, after_func};
use std::thread;
use std::time::Duration;

pub(super) const TESTS: &[(&str, fn())] = &[
    ("all_tasks_parked_is_a_deadlock", all_tasks_parked_is_a_deadlock),
    (
        "an_adopted_thread_that_is_parked_saves_nobody",
        an_adopted_thread_that_is_parked_saves_nobody,
    ),
    ("a_thread_that_ends_saved_nobody", a_thread_that_ends_saved_nobody),
    ("a_timer_saves_them", a_timer_saves_them),
    ("a_timers_channel_saves_them", a_timers_channel_saves_them),
    ("a_timer_that_is_stopped_saves_nobody", a_timer_that_is_stopped_saves_nobody),
    ("a_thread_saves_them", a_thread_saves_them),
    ("an_offloaded_call_saves_them", an_offloaded_call_saves_them),
    ("a_system_call_saves_them", a_system_call_saves_them),
];

/// Runs the test's own body in a child.
fn child(name: &str, body: impl FnOnce()) -> Option<Ended> {
    if inside(name) {
        body();
        println!("it came to its end");
        return None;
    }
    Some(Child::new(name).run())
}

fn deadlocks(name: &str, body: impl FnOnce()) -> Option<String> {
    let ended = child(name, body)?;
    assert_eq!(ended.status.code(), Some(2), "{}\n{}", ended.status, ended.stderr);
    assert!(!ended.stdout.contains("it came to its end"), "{}", ended.stdout);
    let begin = "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine ";
    assert!(ended.stderr.starts_with(begin), "{}", ended.stderr);
    Some(ended.stderr)
}

fn lives(name: &str, body: impl FnOnce()) {
    if let Some(ended) = child(name, body) {
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
