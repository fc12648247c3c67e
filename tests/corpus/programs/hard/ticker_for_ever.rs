//! A task that does something every hour, for ever.

use crate::prelude::*;
use gopark::time::Ticker;

pub(crate) fn program(fixed: bool) {
    let ticker = Ticker::new(Duration::from_secs(3600));
    if !fixed {
        go(move || ticker.receiver().iter().count()); //~ chan receive
    }
}
