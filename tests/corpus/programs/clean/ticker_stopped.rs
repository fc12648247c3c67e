//! A ticker beside a stop, and the stop comes.

use crate::prelude::*;
use gopark::time::Ticker;

pub(crate) fn program() {
    let (stop, stopped) = rendezvous::<()>();
    let ticks = go(move || {
        let ticker = Ticker::new(Duration::from_millis(1));
        let mut ticks = 0;
        loop {
            select! {
                recv(ticker.receiver()) => ticks += 1,
                recv(stopped) => {
                    ticker.stop();
                    return ticks;
                }
            }
        }
    });
    gopark::sleep(Duration::from_millis(5));
    drop(stop);
    ticks.join().expect("it only ticks");
}
