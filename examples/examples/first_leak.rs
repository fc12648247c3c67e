//! One leaked task, and what is said about it.

use gopark::{chan, go};
use leakcheck::{Filter, find};

fn main() {
    let (tx, rx) = chan::rendezvous();
    go(move || tx.send("hello"));

    if let Err(leaks) = find(&Filter::new()) {
        println!("{leaks}");
    }
    drop(rx); // had it been dropped before, the send would have ended
}
