//! The only sender of an answer is in a question that lies in a buffer.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let questions = Arc::new(Chan::<Sender<u32>>::buffered(1));
    let own = questions.clone();
    go(move || {
        let (tx, answer) = rendezvous();
        own.tx.send(tx).expect("there is room");
        answer.recv() //~ chan receive
    });
    if fixed {
        drop(questions.rx.recv());
    }
}
