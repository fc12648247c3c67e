//! Who shows the progress of a transfer has seen enough, and takes no more of it. The
//! watcher has more to tell, and who releases the transfer waits for the watcher.

use crate::prelude::*;

struct Watcher {
    progress: Chan<u32>,
    released: Chan<()>,
    running: Chan<()>,
}

impl Watcher {
    fn watch(&self) {
        for percent in [50, 100] {
            if self.progress.tx.send(percent).is_err() { //~ chan send
                break;
            }
        }
        self.released.rx.recv().expect_err("nobody sends");
        self.running.tx.close();
    }

    fn release(&self) {
        self.released.tx.close();
        self.running.rx.recv().expect_err("nobody sends"); //~ body chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let (progress, released, running) = (Chan::new(), Chan::new(), Chan::new());
    let watcher = Arc::new(Watcher { progress, released, running });
    let (own, shown) = (watcher.clone(), watcher.clone());
    go(move || own.watch());
    let show = go(move || {
        shown.progress.rx.recv().expect("there is progress");
        if fixed {
            shown.progress.rx.close();
        }
    });
    show.join().expect("it has seen enough");
    watcher.release();
}
