//! A poller reports at once, and then every minute until its caller says that it is
//! done. The caller has what it wants after the first report, and says nothing.

use crate::prelude::*;
use gopark::time::Ticker;

fn poller(done: Arc<Chan<()>>) -> Receiver<()> {
    let (ticks, polled) = rendezvous();
    let own = Chan { tx: ticks, rx: polled.clone() };
    go(move || {
        let ticker = Ticker::new(Duration::from_secs(60));
        own.tx.send(()).expect("somebody waits");
        loop {
            select! { //~ select
                recv(ticker.receiver()) => {
                    // A tick that nobody waits for is lost.
                    let _ = own.tx.try_send(());
                }
                recv(done.rx) => return,
            }
        }
    });
    polled
}

pub(crate) fn program(fixed: bool) {
    let done = Arc::new(Chan::new());
    poller(done.clone()).recv().expect("a report");
    if fixed {
        done.tx.close();
    }
}
