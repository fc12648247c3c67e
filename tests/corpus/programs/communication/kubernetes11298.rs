//! A service loop that is aborted signals a condition, and waits for the one who waits on
//! it to come to an end. The signal comes before the wait, and is lost.

use crate::prelude::*;

#[derive(Default)]
struct Notifier {
    signalled: Mutex<bool>,
    changed: Condvar,
}

impl Notifier {
    fn wait(&self, fixed: bool) {
        let mut signalled = self.signalled.lock();
        if fixed {
            return self.changed.wait_while(&mut signalled, |signalled| !*signalled);
        }
        self.changed.wait(&mut signalled); //~ sync.Cond.Wait
    }

    fn serve(self: &Arc<Self>, fixed: bool) {
        let (own, ended) = (self.clone(), Chan::<()>::new());
        let (aborted, end) = (Chan::<()>::new(), ended.clone());
        let abort = aborted.clone();
        go(move || {
            aborted.rx.recv().expect_err("nobody sends");
            own.wait(fixed);
            end.tx.close();
        });
        *self.signalled.lock() = true;
        self.changed.notify_one();
        abort.tx.close();
        ended.rx.recv().expect_err("nobody sends"); //~ chan receive
    }
}

pub(crate) fn program(fixed: bool) {
    let done = Chan::<()>::new();
    let end = done.clone();
    go(move || {
        Arc::new(Notifier::default()).serve(fixed);
        end.tx.close();
    });
    done.rx.recv().expect_err("nobody sends"); //~ body chan receive
}
