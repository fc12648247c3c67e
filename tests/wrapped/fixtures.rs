//! Tests that the others run in a process of their own. Whether they fail, and
//! what they leave behind, is in their names.

use gopark::chan::{self, Receiver, Sender};
use gopark::{Builder, Scope, go, time};
use leakcheck::verify_none;
use std::mem;
use std::sync::Mutex;
use std::time::Duration;

/// A receiver that stays open for ever and never gets anything.
fn silent() -> Receiver<u8> {
    let (tx, rx) = chan::rendezvous();
    mem::forget(tx);
    rx
}

/// Leaves a task that waits for ever.
fn leave() {
    let rx = silent();
    go(move || rx.recv());
}

#[test]
#[ignore = "a fixture"]
fn is_clean() {
    go(|| ()).join().unwrap();
}

#[test]
#[ignore = "a fixture"]
fn uses_no_task() {}

#[test]
#[ignore = "a fixture"]
fn leaves_one() {
    leave();
}

#[test]
#[ignore = "a fixture"]
fn leaves_two() {
    leave();
    go(leave).join().unwrap();
}

#[test]
#[ignore = "a fixture"]
fn fails() {
    go(|| ()).join().unwrap();
    panic!("as it should");
}

#[test]
#[ignore = "a fixture"]
fn leaves_one_and_fails() {
    leave();
    panic!("as it should");
}

#[test]
#[ignore = "a fixture"]
fn leaves_one_that_ends_late() {
    go(|| (0..1000).for_each(|_| gopark::yield_now()));
}

#[test]
#[ignore = "a fixture"]
fn leaves_a_sleeper() {
    go(|| gopark::sleep(Duration::from_secs(3600)));
}

#[test]
#[ignore = "a fixture"]
fn leaves_a_daemon() {
    let rx = silent();
    Builder::new().daemon().go(move || rx.recv()).unwrap();
}

#[test]
#[ignore = "a fixture"]
fn leaves_a_cache() {
    let rx = silent();
    Builder::new().name("cache").go(move || rx.recv()).unwrap();
}

/// The task is started by a task, that by a timer.
#[test]
#[ignore = "a fixture"]
fn leaves_one_that_a_timer_started() {
    let (done, over) = chan::rendezvous();
    time::after_func(Duration::from_millis(1), move || {
        go(leave).join().unwrap();
        done.send(()).unwrap();
    });
    over.recv().unwrap();
}

#[test]
#[ignore = "a fixture"]
fn leaves_one_of_no_test() {
    let all = Scope::all();
    let root = all.iter().find(|scope| scope.name() == "root").expect("it is always there");
    let _in = root.enter();
    leave();
}

#[test]
#[ignore = "a fixture"]
fn leaves_one_in_a_scope() {
    let scope = Scope::new("my pool");
    let _in = scope.enter();
    leave();
}

#[test]
#[ignore = "a fixture"]
fn leaves_a_panic() {
    let scope = Scope::current();
    drop(go(|| panic!("nobody will see this")));
    while scope.live() > 0 {
        gopark::yield_now();
    }
}

/// Runs behind the one above, and uses again what scopes there are to be used again.
#[test]
#[ignore = "a fixture"]
fn opens_scopes() {
    for _ in 0..20 {
        drop(Scope::new("another"));
    }
}

#[verify_none]
#[test]
#[ignore = "a fixture"]
fn is_verified_and_leaves_one() {
    leave();
}

#[verify_none(ignore_name = "stays")]
#[test]
#[ignore = "a fixture"]
fn is_verified_and_ignores_one() {
    let rx = silent();
    Builder::new().name("stays").go(move || rx.recv()).unwrap();
}

/// Cannot be ended by unwinding.
#[verify_none]
#[test]
#[ignore = "a fixture"]
fn is_verified_and_leaves_one_for_good() {
    struct Stubborn;
    impl Drop for Stubborn {
        fn drop(&mut self) {
            gopark::no_park(|| std::thread::sleep(Duration::from_secs(3600)));
        }
    }
    go(|| {
        let _stubborn = Stubborn;
        silent().recv()
    });
}

#[test]
#[ignore = "a fixture"]
fn leaves_one_and_exits_with_3() {
    leave();
    std::process::exit(3);
}

static SERVER: Mutex<Option<Sender<u8>>> = Mutex::new(None);

#[test]
#[ignore = "a fixture"]
fn starts_a_server() {
    let (stop, stopped) = chan::rendezvous();
    *SERVER.lock().unwrap() = Some(stop);
    go(move || stopped.recv());
}

pub(crate) fn stop_the_server() {
    drop(SERVER.lock().unwrap().take());
}

/// A child without threads ends, and nobody looks at what it has not got.
#[test]
#[ignore = "a fixture"]
fn forks() {
    leave();
    // SAFETY: the child calls nothing but exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: takes a number.
        unsafe { libc::exit(0) }
    }
    let mut status = -1;
    // SAFETY: the place is writable.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}
