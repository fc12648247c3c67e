//! A task asks a pool that was there before the test, and the answer takes its time.

use crate::prelude::*;
use gopark::Scope;

pub(crate) fn program() {
    let (ask, asked) = bounded::<Sender<u32>>(1);
    {
        let others = Scope::new("nobody's");
        let _outside = others.enter();
        go(move || {
            for answer in asked {
                gopark::sleep(Duration::from_millis(60));
                answer.send(7).expect("it is wanted");
            }
        });
    }
    go(move || {
        let (tx, answer) = rendezvous();
        ask.send(tx).expect("it listens");
        answer.recv()
    });
}
