//! Who holds his siblings up is reported, once.
//!
//! The test in the child process reads what that has written to stderr.

use super::migrating;
use crate::child::{Child, here, inside};
use crate::support::{Gate, parked, spin_until, thread_id, until};
use gopark::inspect::WaitReason;
use gopark::runtime::Config;
use gopark::{Builder, JoinHandle};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const SAYS: &str = "has kept its thread for more than a second";

fn stderr() -> PathBuf {
    std::env::var_os("STDERR").expect("set by the parent").into()
}

fn reports() -> usize {
    std::fs::read_to_string(stderr()).expect("written by the shell").matches(SAYS).count()
}

/// Runs the test with its stderr in a file, which is returned.
#[track_caller]
fn child(test: &str, debug: &str) -> String {
    let name = format!("gopark-{}-{}", test.replace(':', "-"), std::process::id());
    let path = std::env::temp_dir().join(name);
    let script = "exec \"$0\" \"$@\" 2>\"$STDERR\"";
    let child = Child::started_by(script, test).env("GOPARK_DEBUG", debug);
    let ended = child.env("GOPARK_MAXPROCS", "1").env("STDERR", &path).run();
    let text = std::fs::read_to_string(&path).expect("made by the shell");
    let _ = std::fs::remove_file(&path);
    println!("{text}");
    ended.passed(test);
    text
}

/// Two tasks on the thread of the one that calls this, which wait for the gate; and
/// those that have started elsewhere.
fn siblings(gate: &Gate) -> Vec<JoinHandle<()>> {
    let (me, mut siblings, mut all) = (thread_id(), 0, Vec::new());
    until("two have started here", || {
        let (held, (at, started)) = (gate.clone(), channel());
        let task = gopark::go(move || {
            at.send(thread_id()).unwrap();
            held.pass();
        });
        parked(task.id(), WaitReason::ChanReceive);
        all.push(task);
        siblings += usize::from(started.recv().unwrap() == me);
        siblings == 2
    });
    all
}

/// Set by a thread when there is a report, and some time has passed since.
fn reported() -> Arc<AtomicBool> {
    let seen = Arc::new(AtomicBool::new(false));
    let mark = seen.clone();
    std::thread::spawn(move || {
        while reports() == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Enough for another one.
        std::thread::sleep(Duration::from_millis(1700));
        mark.store(true, Ordering::SeqCst);
    });
    seen
}

#[test]
fn a_task_that_computes() {
    if inside(here!()) {
        let (gate, seen) = (Gate::new(), reported());
        let begin = Instant::now();
        let hog = Builder::new().name("the hog").go(move || {
            let siblings = siblings(&gate);
            gate.open();
            spin_until("it is reported", || seen.load(Ordering::SeqCst));
            siblings
        });
        let hog = hog.unwrap();
        println!("number {}", hog.id());
        let siblings = hog.join().unwrap();
        assert!(begin.elapsed() > Duration::from_secs(1));
        siblings.into_iter().for_each(|sibling| sibling.join().unwrap());
        return;
    }
    let text = child(here!(), "");
    assert_eq!(text.matches(SAYS).count(), 1, "{text}");
    for says in [
        "gopark: warning: task ",
        " (\"the hog\") has kept",
        "and 2 tasks bound to that thread wait",
        "sched::watchdog::a_task_that_computes::{{closure}}",
        "watchdog.rs:",
        "GOPARK_DEBUG=watchdog=0",
    ] {
        assert!(text.contains(says), "does not say {says:?}:\n{text}");
    }
    let (_, frames) = text.split_once("\tit is at\n   0: ").expect("frames");
    for says in ["spin_until", "watchdog.rs:"] {
        assert!(frames.contains(says), "no frame of {says:?}:\n{text}");
    }
}

#[test]
fn a_task_that_blocks() {
    if inside(here!()) {
        let (gate, seen) = (Gate::new(), reported());
        let blocks = gopark::go(move || {
            let siblings = siblings(&gate);
            gopark::blocking(|| {
                // In the call: nobody gives way here.
                gate.open();
                while !seen.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
            siblings
        });
        let siblings = blocks.join().unwrap();
        siblings.into_iter().for_each(|sibling| sibling.join().unwrap());
        return;
    }
    let text = child(here!(), "");
    assert_eq!(text.matches(SAYS).count(), 1, "{text}");
    assert!(text.contains("it is syscall, in a call at "), "{text}");
    let (_, frames) = text.split_once("\tit is at\n   0: ").expect("frames");
    assert!(frames.contains("sleep"), "{text}");
    assert!(frames.contains("watchdog.rs:"), "{text}");
}

fn compute(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// Longer than it takes to be reported.
const LONG: Duration = Duration::from_millis(3000);

/// A hog with siblings behind it.
fn hold_up() {
    let hog = gopark::go(|| {
        let gate = Gate::new();
        let siblings = siblings(&gate);
        gate.open();
        compute(LONG);
        siblings
    });
    let siblings = hog.join().unwrap();
    siblings.into_iter().for_each(|sibling| sibling.join().unwrap());
}

#[test]
fn it_can_be_turned_off() {
    if inside(here!()) {
        if std::env::var_os("GOPARK_DEBUG").is_some_and(|list| list.is_empty()) {
            Config::new().watchdog(false).start().unwrap();
        }
        return hold_up();
    }
    for debug in ["watchdog=0", ""] {
        let text = child(here!(), debug);
        assert!(!text.contains(SAYS), "{debug:?}: {text}");
    }
}

/// Nobody is bound to a thread.
#[test]
fn in_migrating_mode_there_is_none() {
    if inside(here!()) {
        migrating::start(1);
        return hold_up();
    }
    let text = child(here!(), "");
    assert!(!text.contains(SAYS), "{text}");
}

#[test]
fn who_holds_nobody_up_is_not_reported() {
    if inside(here!()) {
        let gate = Gate::new();
        let held = gate.clone();
        // They are parked all the time.
        let first = gopark::go(move || {
            let siblings = siblings(&held);
            compute(LONG);
            siblings
        });
        let siblings = first.join().unwrap();
        gate.open();
        siblings.into_iter().for_each(|sibling| sibling.join().unwrap());
        // These wait, but it gives way.
        let both = [(); 2].map(|()| {
            gopark::go(|| {
                let end = Instant::now() + LONG;
                while Instant::now() < end {
                    compute(Duration::from_millis(1));
                    gopark::safepoint();
                }
            })
        });
        both.into_iter().for_each(|task| task.join().unwrap());
        // And this waits for nothing of a thread: it has not started.
        let hog = gopark::go(|| {
            let fresh = gopark::go(|| ());
            compute(LONG);
            fresh
        });
        hog.join().unwrap().join().unwrap();
        return;
    }
    let text = child(here!(), "");
    assert!(!text.contains(SAYS), "{text}");
}
