//! Who waits for a condition, by a poller, is told that it holds, and does not tell the
//! poller that the wait is over: not by `done`, which somebody else waits for.

use crate::prelude::*;
use gopark::time::Ticker;

fn poller(done: Chan<()>) -> Receiver<()> {
    let (ticks, polled) = rendezvous();
    go(move || {
        let ticker = Ticker::new(Duration::from_millis(1));
        loop {
            select! {
                recv(ticker.receiver()) => {
                    // A tick that nobody waits for is lost, and after the last nobody does.
                    if ticks.send(()).is_err() {
                        return;
                    }
                }
                recv(done.rx) => return,
            }
        }
    });
    polled
}

fn wait_for(done: &Chan<()>, fixed: bool) {
    let polled = poller(done.clone());
    polled.recv().expect("a tick");
    if fixed {
        done.tx.close();
    }
}

pub(crate) fn program(fixed: bool) {
    let done = Chan::new();
    wait_for(&done, fixed);
    done.rx.recv().expect_err("nobody sends"); //~ body chan receive
}
