//! The sender is with an OS thread that waits for a channel, like a task.

use crate::prelude::*;
use std::thread;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous::<()>();
    let (wake, woken) = rendezvous::<()>();
    let started = Chan::<()>::new();
    let begins = started.clone();
    let stranger = thread::spawn(move || {
        let _mine = tx;
        begins.tx.close();
        woken.recv()
    });
    started.rx.recv().expect_err("nobody sends");
    go(move || rx.recv()); //~ chan receive
    if fixed {
        drop(wake);
        stranger.join().expect("it only waits").expect_err("nobody sends");
    } else {
        forget(wake);
    }
}
