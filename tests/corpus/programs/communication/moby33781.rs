//! A health probe is cancelled while it runs. The monitor has gone when it reports.

use crate::prelude::*;

fn monitor(stop: &Chan<()>, running: &Chan<()>, fixed: bool) {
    let results = Arc::new(Chan::buffered(usize::from(fixed)));
    let (own, probe) = (results.clone(), running.clone());
    go(move || {
        probe.rx.recv().expect_err("nobody sends");
        own.tx.send("healthy").expect("the monitor waits"); //~ chan send
    });
    select! {
        recv(results.rx) -> health => assert!(health.is_err()),
        recv(stop.rx) => {}
    }
}

pub(crate) fn program(fixed: bool) {
    let (stop, running) = (Chan::new(), Chan::new());
    stop.tx.close();
    monitor(&stop, &running, fixed);
    running.tx.close();
}
