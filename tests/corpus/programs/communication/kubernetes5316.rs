//! A request that takes too long is answered with an error. When its result comes
//! nobody is there to take it.

use crate::prelude::*;

fn finish_request(slow: &Chan<()>, fixed: bool) -> Result<u32, &'static str> {
    let result = Arc::new(Chan::buffered(usize::from(fixed)));
    let (own, work) = (result.clone(), slow.clone());
    go(move || {
        work.rx.recv().expect_err("nobody sends");
        own.tx.send(7).expect("there is room"); //~ chan send
    });
    select! {
        recv(result.rx) -> n => n.map_err(|_| "closed"),
        after(Duration::from_millis(1)) => Err("timeout"),
    }
}

pub(crate) fn program(fixed: bool) {
    let slow = Chan::new();
    finish_request(&slow, fixed).expect_err("it is slow");
    slow.tx.close();
}
