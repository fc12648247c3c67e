//! The check that the runtime does not allocate where it must not can fail.
//!
//! Everything else in this binary runs under that check.

use crate::child::{Child, here, inside};
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

/// Runs the body in a process of its own, which the check is to end with these
/// words.
#[track_caller]
fn is_found(test: &str, said: &str, body: impl FnOnce()) {
    if inside(test) {
        return body();
    }
    let ended = Child::new(test).run();
    let text = &ended.stderr;
    assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{}\n{text}", ended.status);
    assert!(text.contains(&format!("in a section of the runtime somebody {said}\n")), "{text}");
    assert!(text.contains("sections::"), "does not say who:\n{text}");
}

#[expect(unsafe_code, reason = "what the check is to find")]
fn in_section<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: nothing here waits for a task; what waits otherwise ends the process.
    unsafe { gopark::in_section(f) }
}

#[test]
fn who_allocates_is_found() {
    is_found(here!(), "allocates", || {
        in_section(|| drop(black_box(Box::new(1))));
    });
}

#[test]
fn who_reallocates_is_found() {
    is_found(here!(), "reallocates", || {
        let mut bytes = vec![1_u8];
        in_section(|| black_box(&mut bytes).reserve_exact(1000));
    });
}

#[test]
fn who_frees_is_found() {
    is_found(here!(), "frees", || {
        let value = Box::new(1);
        in_section(|| drop(black_box(value)));
    });
}

#[test]
fn a_task_is_found_too() {
    is_found(here!(), "allocates", || {
        let task = gopark::go(|| in_section(|| drop(black_box(Box::new(1)))));
        task.join().unwrap();
    });
}

#[test]
fn who_makes_a_thread_is_found() {
    is_found(here!(), "allocates", || {
        in_section(|| drop(std::thread::spawn(|| ())));
    });
}

#[test]
fn who_prints_is_found() {
    is_found(here!(), "calls write", || in_section(|| eprint!("something")));
}

#[test]
fn outside_of_sections_all_may_be_done() {
    assert!(gopark::may_allocate());
    let inside = gopark::go(|| (gopark::may_allocate(), in_section(gopark::may_allocate)));
    assert_eq!(inside.join().unwrap(), (true, false));
    assert!(gopark::may_allocate());
}

#[test]
#[expect(unsafe_code, reason = "a lock of the C library's")]
fn who_takes_a_lock_of_the_c_library_is_found() {
    is_found(here!(), "calls pthread_mutex_lock", || {
        let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
        // SAFETY: initialised, and nobody else has it.
        in_section(|| unsafe { libc::pthread_mutex_lock(&raw mut mutex) });
    });
}
