//! A task asks a pool that was there before the test, and whose workers are idle; its
//! question was lost.

use crate::prelude::*;
use gopark::Scope;

pub(crate) fn program(fixed: bool) {
    let questions = Chan::<Sender<u32>>::buffered(1);
    let pool = questions.clone();
    let worker = {
        let others = Scope::new("nobody's");
        let _outside = others.enter();
        go(move || {
            for answer in &pool.rx {
                answer.send(7).expect("it is wanted");
            }
        })
    };
    until_waits(worker.id(), WaitReason::ChanReceive);
    go(move || {
        let (tx, answer) = rendezvous();
        if fixed {
            questions.tx.send(tx).expect("the pool is there");
        } else {
            forget(tx);
        }
        answer.recv() //~ chan receive
    });
}
