//! A task that computes until it is told to stop, and looks for nothing else.

use crate::prelude::*;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn program(fixed: bool) {
    let stop = Arc::new(AtomicBool::new(fixed));
    go(move || { //~ running
        while !stop.load(Ordering::Relaxed) {
            spin_loop();
        }
    });
}
