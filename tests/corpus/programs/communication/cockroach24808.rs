//! A compactor is started with a suggestion pending: the start sends one more into a
//! channel with room for one, before there is a task that takes them.

use crate::prelude::*;

struct Compactor {
    suggestions: Chan<()>,
}

impl Compactor {
    fn start(self: &Arc<Self>, fixed: bool) {
        if fixed {
            let _ = self.suggestions.tx.try_send(());
        } else {
            self.suggestions.tx.send(()).expect("it is open"); //~ body chan send
        }
        let own = self.clone();
        go(move || own.suggestions.rx.recv()).join().expect("a suggestion").expect("it is open");
    }
}

pub(crate) fn program(fixed: bool) {
    let compactor = Arc::new(Compactor { suggestions: Chan::buffered(1) });
    compactor.suggestions.tx.send(()).expect("there is room");
    compactor.start(fixed);
}
