//! A debouncer stops its timer and then takes what the timer has sent. Two do so at
//! the same time, and there is one value.

use crate::prelude::*;
use gopark::time::Timer;

struct Debouncer {
    timer: Timer,
    fired: Chan<()>,
}

impl Debouncer {
    fn stop(&self, fixed: bool) {
        if self.timer.stop() {
            return;
        }
        if fixed {
            let _ = self.fired.rx.try_recv();
            return;
        }
        let _ = self.fired.rx.recv(); //~ chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let timer = Timer::new(Duration::from_millis(1));
    timer.receiver().recv().expect("it fires");
    let debouncer = Arc::new(Debouncer { timer, fired: Chan::buffered(1) });
    debouncer.fired.tx.send(()).expect("there is room");
    for _ in 0..2 {
        let own = debouncer.clone();
        go(move || own.stop(fixed));
    }
}
