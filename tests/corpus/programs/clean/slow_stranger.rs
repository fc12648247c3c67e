//! A task asks an OS thread by a channel of std's, and the answer takes its time.

use crate::prelude::*;
use std::sync::mpsc;
use std::thread;

pub(crate) fn program() {
    let (ask, asked) = mpsc::channel::<Sender<u32>>();
    thread::spawn(move || {
        for answer in asked {
            thread::sleep(Duration::from_millis(60));
            answer.send(7).expect("it is wanted");
        }
    });
    go(move || {
        let (tx, answer) = rendezvous();
        ask.send(tx).expect("it listens");
        answer.recv()
    });
}
