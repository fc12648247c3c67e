//! A context is cancelled, and all that was derived from it ends.

use crate::prelude::*;

pub(crate) fn program() {
    let (root, cancel) = Context::background().with_cancel();
    for _ in 0..3 {
        let (child, stop) = root.with_timeout(Duration::from_secs(600));
        for _ in 0..2 {
            let (leaf, own) = child.with_cancel();
            go(move || {
                let _own = own;
                leaf.wait();
            });
        }
        let child = child.clone();
        go(move || {
            let _stop = stop;
            child.done().recv()
        });
    }
    cancel.cancel();
}
