//! A global channel that no task uses any more but the one that waits.

use crate::prelude::*;
use std::sync::LazyLock;

static LOG: LazyLock<Chan<&'static str>> = LazyLock::new(Chan::new);

pub(crate) fn program(fixed: bool) {
    go(|| LOG.tx.send("started")); //~ chan send
    if fixed {
        LOG.rx.recv().expect("it is open");
    }
}
