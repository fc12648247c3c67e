//! A loop that is to start its timer anew stops it, and takes the tick of a timer that has
//! fired already. It has taken that tick before, and the requests pile up behind it.

use crate::prelude::*;
use gopark::time::Timer;

struct Debouncer {
    timer: Timer,
    reset: Chan<()>,
}

impl Debouncer {
    fn run(&self, fired: &Chan<()>, fixed: bool) {
        self.timer.receiver().recv().expect("it fires");
        fired.tx.close();
        for () in &self.reset.rx {
            if !self.timer.stop() && !fixed {
                self.timer.receiver().recv().expect("it fires"); //~ chan receive
            }
        }
    }

    fn on_change(&self) {
        self.reset.tx.send(()).expect("the loop runs"); //~ chan send
    }
}

pub(crate) fn program(fixed: bool) {
    let timer = Timer::new(Duration::from_millis(1));
    let debouncer = Arc::new(Debouncer { timer, reset: Chan::buffered(1) });
    let (own, fired) = (debouncer.clone(), Chan::<()>::new());
    let has_fired = fired.clone();
    go(move || own.run(&has_fired, fixed));
    go(move || {
        fired.rx.recv().expect_err("nobody sends");
        (0..3).for_each(|_| debouncer.on_change());
        debouncer.reset.tx.close();
    });
}
