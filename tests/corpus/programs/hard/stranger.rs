//! The sender is with an OS thread that stands still in a call of std's.

use crate::prelude::*;
use std::sync::mpsc;
use std::thread;

pub(crate) fn program(fixed: bool) {
    let (tx, rx) = rendezvous::<()>();
    go(move || rx.recv()); //~ chan receive
    let (wake, woken) = mpsc::channel::<()>();
    let stranger = thread::spawn(move || {
        let _mine = tx;
        woken.recv()
    });
    if fixed {
        drop(wake);
        stranger.join().expect("it only waits").expect_err("nobody sends");
    } else {
        forget(wake);
    }
}
