//! Several are asked, and the first answer is enough.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    const ASKED: usize = 4;
    let answers = Arc::new(Chan::buffered(if fixed { ASKED } else { 0 }));
    for n in 0..ASKED {
        let own = answers.clone();
        go(move || own.tx.send(n)); //~ 3 chan send
    }
    answers.rx.recv().expect("somebody answers");
}
