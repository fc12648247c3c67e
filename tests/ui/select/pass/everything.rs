//! What may be written, without a warning.
#![deny(warnings)]
#![forbid(unsafe_code)]

use gopark::chan::{self, Receiver, RecvError, SendError, Sender};
use gopark::select;
use std::time::{Duration, Instant};

fn generic<T: Default + Send, E: From<RecvError>>(a: &Receiver<T>, b: &Sender<T>) -> Result<T, E> {
    let got = select! {
        recv(a) -> value => value?,
        send(b, T::default()) -> _ => T::default(),
    };
    Ok(got)
}

/// A case that is the last expression, blocks without commas, all limits.
fn forms(rx: &Receiver<u8>, tx: &Sender<u8>) -> u32 {
    select! {
        recv(rx) -> Ok(_) | Err(RecvError) => {}
        send(tx, 1) -> Ok(()) | Err(SendError(_)) => {}
        default => (),
    }
    select! { recv(rx) => {}, after(Duration::ZERO) => {} }
    select!(recv(rx) => {}, at(Instant::now()) => {});
    let _: u8 = select![default => 7];
    let _ = select! { recv(rx) -> value => value.ok(), default => None };
    match select! { default => 1 } {
        1 => {}
        _ => unreachable!(),
    }
    select! {
        recv(rx) -> mut value => {
            value = value.map(|n| n + 1);
            value.map_or(0, u32::from)
        }
        send(tx, 2) -> ref sent => u32::from(sent.is_ok()),
        default => {
            let outcome = 5;
            outcome
        }
    }
}

/// Names of the macro's own do not meet the user's.
fn names(chosen: Receiver<u8>, limit: Receiver<u8>, handle: Receiver<u8>) -> u8 {
    let (c0, c1, outcome) = (1, 2, 3);
    select! {
        recv(chosen) -> value => value.unwrap_or(c0),
        recv(limit) -> value => value.unwrap_or(c1),
        recv(handle) -> value => value.unwrap_or(outcome),
        after(Duration::from_millis(u64::from(outcome))) => outcome + c0 + c1,
    }
}

fn diverges(rx: &Receiver<u8>) -> u8 {
    loop {
        select! {
            recv(rx) -> value => match value {
                Ok(_) => continue,
                Err(RecvError) => break,
            },
            default => return 9,
        }
    }
    8
}

/// In a macro of somebody else.
macro_rules! first {
    ($($rx:expr),* $(,)?) => {
        select! { $(recv($rx) -> value => value,)* }
    };
}

fn never_ends() -> ! {
    select! {}
}

fn main() {
    let (tx, rx) = chan::bounded(1);
    assert_eq!(generic::<u8, RecvError>(&rx, &tx), Ok(0));
    assert_eq!(forms(&rx, &tx), 5 - 5 + 1);
    let quiet = chan::never;
    assert_eq!(names(quiet(), quiet(), quiet()), 6);
    while rx.try_recv().is_ok() {}
    assert_eq!(diverges(&rx), 9);
    tx.send(4).unwrap();
    assert_eq!(first!(rx, chan::never::<u8>()), Ok(4));
    let _ = never_ends as fn() -> !;
}
