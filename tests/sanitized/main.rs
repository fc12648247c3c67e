//! A program with a sanitizer, which must see every thread as it is made: leakcheck's own
//! `pthread_create` stands back.
//!
//! The sanitizer is a dummy with the names of a real one; the compiler has those of its own
//! for nightly toolchains only.

#[path = "../no_alloc.rs"]
mod no_alloc;

use gopark::{Scope, threads};
use leakcheck::{Options, verify_none};
use std::panic::catch_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

#[link(name = "gopark_sanitizer", kind = "static")]
unsafe extern "C" {
    safe fn gopark_test_threads_seen() -> i32;
}

#[verify_none]
#[test]
fn it_makes_every_thread_and_the_runtime_is_not_told() {
    let before = gopark_test_threads_seen();
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = thread::spawn(move || stopped.recv());
    assert!(gopark_test_threads_seen() > before);
    assert_eq!(threads::count(&Scope::current()), 0);
    drop(stop);
    assert!(thread.join().unwrap().is_err());
}

#[test]
fn a_thread_that_is_left_is_found_all_the_same() {
    let leaks = catch_unwind(|| {
        let options = Options::new().threads(true).deadline(Duration::from_millis(50));
        let _guard = verify_none(options);
        thread::spawn(thread::park);
    });
    let says = leaks.unwrap_err().downcast::<String>().expect("text");
    assert!(says.starts_with("leakcheck: ") && says.contains(" leaked by test "), "{says}");
}
