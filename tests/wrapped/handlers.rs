//! The end of the process: what else happens there.

use crate::run;
use std::sync::atomic::{AtomicI32, Ordering};

/// Handlers run in the opposite order of their registration: this one, registered
/// before all others, runs behind that of `leakcheck`, as a writer of coverage data
/// may. It would not if the process ended by `_exit`.
#[used]
#[unsafe(link_section = ".init_array.00001")]
static FIRST_OF_ALL: extern "C" fn() = first_of_all;

static TIMES: AtomicI32 = AtomicI32::new(0);

extern "C" fn first_of_all() {
    extern "C" fn last_of_all() {
        if std::env::var_os(crate::SETTINGS).is_some() {
            eprintln!("last of all, time {}", TIMES.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }
    // SAFETY: the handler accepts to be called at the end.
    assert_eq!(unsafe { libc::atexit(last_of_all) }, 0);
}

#[test]
fn other_handlers_run_once_each() {
    for (fixture, code) in [("is_clean", 0), ("leaves_one", 1), ("fails", 101)] {
        let run = run(&[fixture], "");
        run.ends_with(code).shows(&["last of all, time 1"]).hides(&["last of all, time 2"]);
    }
}

#[test]
fn a_code_of_the_programs_own_is_kept() {
    run(&["leaves_one_and_exits_with_3"], "").ends_with(3).is_silent();
    let looked = run(&["leaves_one_and_exits_with_3"], "run_on_failure");
    looked.ends_with(3).shows(&["1 task leaked by test fixtures::leaves_one_and_exits_with_3"]);
}

#[test]
fn a_forked_child_is_not_looked_at() {
    // Its exit code is asserted by the fixture, which leaks itself.
    run(&["forks"], "").ends_with(1).shows(&["test fixtures::forks ... ok"]);
}
