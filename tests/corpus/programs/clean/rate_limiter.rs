//! A bucket of tokens that a ticker fills, until nobody wants any.

use crate::prelude::*;
use gopark::chan::TrySendError;
use gopark::time::Ticker;

pub(crate) fn program() {
    let (refill, tokens) = bounded(1);
    go(move || {
        let ticker = Ticker::new(Duration::from_millis(1));
        for _ in ticker.receiver() {
            if let Err(TrySendError::Closed(())) = refill.try_send(()) {
                return;
            }
        }
    });
    for _ in 0..4 {
        tokens.recv().expect("it is filled");
    }
}
