//! Signals on which the process says what its tasks do.

use crate::child::{Child, Ended, here, inside};
use crate::grammar::{self, Block};
use gopark::chan;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SIGQUIT: i32 = libc::SIGQUIT;
const SIGUSR1: i32 = libc::SIGUSR1;

#[inline(never)]
fn computes() {
    while std::hint::black_box(true) {}
}

#[inline(never)]
fn waits(rx: &chan::Receiver<u8>) {
    std::hint::black_box(rx.recv().is_ok());
}

#[inline(never)]
fn sleeps() {
    std::thread::sleep(Duration::from_secs(60));
    std::hint::black_box(());
}

/// Some tasks, of which some compute and some allocate all the time, and the signals.
fn with_tasks(signals: &[i32]) {
    let (tx, rx) = chan::rendezvous();
    for _ in 0..3 {
        let rx = rx.clone();
        gopark::go(move || waits(&rx));
        gopark::go(computes);
        gopark::go(|| {
            loop {
                drop(std::hint::black_box(vec![0_u8; 100]));
            }
        });
    }
    let parked =
        || gopark::inspect::Snapshot::all().tasks.iter().filter(|it| it.wait.is_some()).count();
    while parked() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    for signal in signals {
        // Of two that are sent to the process, other threads may handle the second first.
        // SAFETY: sends this thread a signal, which arrives before the call returns.
        unsafe { libc::raise(*signal) };
    }
    std::thread::sleep(Duration::from_secs(60));
    drop(tx);
}

/// The dump that begins there.
#[track_caller]
fn read(text: &str) -> Vec<Block<'_>> {
    let blocks = grammar::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let of = |name: &str| {
        let has = |it: &&Block<'_>| it.frames.iter().any(|frame| frame.function.ends_with(name));
        blocks.iter().filter(has).count()
    };
    assert_eq!(of("quit::waits"), 3, "{text}");
    // Of nine that want to run, those that have started, and answered in time.
    assert!(blocks.len() >= 9, "{text}");
    blocks
}

fn text(ended: &Ended) -> &str {
    let start = ended.stderr.find("SIGQUIT: quit\n\n").or_else(|| ended.stderr.find("goroutine "));
    &ended.stderr[start.unwrap_or_else(|| panic!("{}\n{}", ended.status, ended.stderr))..]
}

#[test]
fn at_sigquit_all_tasks_are_shown_and_the_process_ends() {
    if inside(here!()) {
        return with_tasks(&[SIGQUIT]);
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.code(), Some(2), "{}\n{}", ended.status, ended.stderr);
    let dump = text(&ended).strip_prefix("SIGQUIT: quit\n\n").expect("Go's words");
    read(dump);
}

#[test]
fn at_a_signal_of_choice_it_goes_on() {
    if inside(here!()) {
        return with_tasks(&[SIGUSR1, SIGQUIT]);
    }
    let settings = format!("dumpsignal={SIGUSR1}");
    let ended = Child::new(here!()).env("GOPARK_DEBUG", settings).run();
    assert_eq!(ended.status.code(), Some(2), "{}\n{}", ended.status, ended.stderr);
    let (_, dumps) = ended
        .stderr
        .split_once("dump signal\n\n")
        .unwrap_or_else(|| panic!("no dump in\n{}", ended.stderr));
    let (first, second) = dumps
        .split_once("\nSIGQUIT: quit\n\n")
        .unwrap_or_else(|| panic!("one dump in\n{}", ended.stderr));
    read(first);
    read(second);
}

/// It gets the signal itself, while it is asked where it is because of the one before.
#[test]
fn the_thread_that_is_interrupted_says_where_it_is() {
    if inside(here!()) {
        drop(gopark::Scope::current());
        // SAFETY: asks.
        let me = unsafe { libc::pthread_self() };
        std::thread::spawn(move || {
            for _ in 0..100 {
                // SAFETY: the thread sleeps until the process ends.
                unsafe { libc::pthread_kill(me, SIGUSR1) };
                std::thread::sleep(Duration::from_millis(5));
            }
            // SAFETY: sends this process a signal.
            unsafe { libc::kill(libc::getpid(), SIGQUIT) };
        });
        return sleeps();
    }
    let settings = format!("dumpsignal={SIGUSR1}");
    let ended = Child::new(here!()).env("GOPARK_DEBUG", settings).run();
    assert_eq!(ended.status.code(), Some(2), "{}\n{}", ended.status, ended.stderr);
    assert!(ended.stderr.contains("\ncrash::quit::sleeps(...)\n"), "{}", ended.stderr);
}

#[test]
fn it_can_be_turned_off() {
    if inside(here!()) {
        return with_tasks(&[SIGQUIT]);
    }
    let ended = Child::new(here!()).env("GOPARK_DEBUG", "sigquit=0").run();
    assert_eq!(ended.status.signal(), Some(SIGQUIT), "{}\n{}", ended.status, ended.stderr);
}

#[test]
fn it_is_the_programs_if_that_has_said_so() {
    static SEEN: AtomicBool = AtomicBool::new(false);
    extern "C" fn own(_: libc::c_int) {
        SEEN.store(true, Ordering::SeqCst);
    }
    if inside(here!()) {
        // SAFETY: a handler with the right signature, fit for anything.
        unsafe { libc::signal(SIGQUIT, own as *const () as libc::sighandler_t) };
        gopark::go(|| ()).join().unwrap();
        // SAFETY: sends this thread a signal, which arrives before the call returns.
        unsafe { libc::raise(SIGQUIT) };
        assert!(SEEN.load(Ordering::SeqCst));
        return;
    }
    Child::new(here!()).run().passed(here!());
}
