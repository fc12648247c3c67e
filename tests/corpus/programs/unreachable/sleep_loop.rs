//! A task that looks every minute whether it is to end, and is never told.

use crate::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn program(fixed: bool) {
    let stop = Arc::new(AtomicBool::new(fixed));
    go(move || {
        while !stop.load(Ordering::Relaxed) {
            gopark::sleep(Duration::from_secs(60)); //~ sleep
        }
    });
}
