//! Who makes a value waits for a word from one that wants the value first.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let value = Arc::new(OnceCell::new());
    let (tx, word) = rendezvous();
    let own = value.clone();
    let maker = go(move || {
        own.get_or_init(|| word.recv().unwrap_or(0)); //~ chan receive
    });
    until_waits(maker.id(), WaitReason::ChanReceive);
    go(move || {
        if fixed {
            tx.send(1).expect("it is wanted");
        }
        value.get_or_init(|| 2); //~ sync.Once.Do
        let _ = tx.send(3);
    });
}
