//! Stacks in a process that locks its memory.

use super::{KIB, MIB, PAGE, down};
use crate::child::{Child, Ended, here, inside};
use crate::support::{Gate, Tally, until, until_some};
use gopark::stack::{CLASSES, scavenge, usage};
use gopark::{Builder, JoinHandle};
use std::io;

#[expect(unsafe_code, reason = "what the test is about")]
fn mlockall(what: libc::c_int) -> io::Result<()> {
    // SAFETY: changes nothing that memory holds.
    match unsafe { libc::mlockall(what) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives up what root may do beyond the limits. Whoever is not root cannot
/// anyway.
#[expect(unsafe_code, reason = "std knows no users")]
fn become_nobody() {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: changes nothing that memory holds.
    unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
}

/// Parked tasks of every class up to 64 MiB.
struct Crowd {
    gate: Gate,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn of(count: usize) -> Crowd {
        let (gate, came) = (Gate::new(), Tally::new());
        let tasks: Vec<_> = (0..count)
            .map(|n| {
                let (held, came) = (gate.clone(), came.clone());
                let class = CLASSES[n % 6];
                let task = Builder::new().stack_limit(class).go(move || {
                    down(20 * KIB, || ());
                    came.add();
                    held.pass();
                });
                task.unwrap()
            })
            .collect();
        until("all are parked", || came.count() == count);
        Crowd { gate, tasks }
    }

    fn end(self) {
        self.gate.open();
        self.tasks.into_iter().for_each(|task| task.join().unwrap());
    }
}

const WARNING: &str = "gopark: warning: this process locks its memory (mlockall)";

#[track_caller]
fn warned_once(ended: &Ended) {
    // Where the system does not let it lock, there is nothing to warn of.
    let expected = usize::from(!ended.stdout.contains("mlockall was refused"));
    assert_eq!(ended.stderr.matches(WARNING).count(), expected, "{}", ended.stderr);
}

/// Locks as much as it may; says so if that is nothing.
fn lock(what: libc::c_int) -> bool {
    let locked = mlockall(what);
    if let Err(error) = &locked {
        println!("mlockall was refused: {error}");
    }
    locked.is_ok()
}

#[test]
fn future_memory_that_is_locked_leaves_stacks_lazy() {
    const COUNT: usize = 240;
    if inside(here!()) {
        lock(libc::MCL_FUTURE);
        let crowd = Crowd::of(COUNT);
        let usage = usage();
        assert!(usage.reserved > 40 * 64 * MIB, "{usage:?}");
        assert!(usage.committed >= COUNT * PAGE, "{usage:?}");
        assert!(usage.committed < COUNT * 16 * PAGE, "{usage:?}");
        crowd.end();
        return;
    }
    let ended = Child::new(here!()).run();
    ended.passed(here!());
    warned_once(&ended);
}

/// What was reserved before is locked with everything else and takes memory at
/// once; but it is given back as ever.
#[test]
fn current_memory_that_is_locked_can_be_given_back() {
    if inside(here!()) {
        let crowd = Crowd::of(6);
        crowd.end();
        scavenge();
        lock(libc::MCL_CURRENT);
        // On the locked ones, with guards where there were none.
        let crowd = Crowd::of(60);
        let before = usage().committed;
        crowd.end();
        until("stacks that nobody uses have been given back", || {
            scavenge();
            let now = usage();
            now.pooled == 0 && now.committed < before
        });
        return;
    }
    let ended = Child::new(here!()).run();
    ended.passed(here!());
    warned_once(&ended);
}

/// The kernel counts what is reserved as locked, for a moment.
#[test]
fn a_limit_of_locked_memory_is_an_error_that_says_so() {
    if inside(here!()) {
        // All threads are there that the test needs: theirs would be refused.
        let crowd = Crowd::of(6);
        crowd.end();
        become_nobody();
        if lock(libc::MCL_FUTURE) {
            let mut tasks = Vec::new();
            let gate = Gate::new();
            let error = loop {
                let held = gate.clone();
                match Builder::new().stack_limit(64 * MIB).go(move || held.pass()) {
                    Ok(task) => tasks.push(task),
                    Err(error) => break error,
                }
                assert!(tasks.len() < 1000, "the limit is none");
            };
            println!("refused after {}: {error}", tasks.len());
            assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
            for says in ["MCL_FUTURE", "ulimit -l allows 8192 KiB", "stack of 65600 KiB"] {
                assert!(error.to_string().contains(says), "does not say {says:?}: {error}");
            }
            gate.open();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        }
        // What was there before serves as before.
        let small = || Builder::new().stack_limit(64 * KIB).go(|| 7);
        let task = until_some("a small stack is free", || small().ok());
        assert_eq!(task.join().unwrap(), 7);
        return;
    }
    let script = "ulimit -l 8192 && exec \"$0\" \"$@\"";
    let ended = Child::started_by(script, here!()).run();
    ended.passed(here!());
}
