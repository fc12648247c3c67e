//! Two tasks, each of which waits for the other one to end.

use crate::prelude::*;
use gopark::JoinHandle;

pub(crate) fn program(fixed: bool) {
    let (to_first, first) = bounded::<JoinHandle<()>>(1);
    let (to_second, second) = bounded::<JoinHandle<()>>(1);
    let wait = move |handle: Receiver<JoinHandle<()>>, wait: bool| {
        let handle = handle.recv().expect("a handle comes");
        if wait {
            handle.join().expect("it ends"); //~ 2 join
        }
    };
    let a = go(move || wait(first, true));
    let b = go(move || wait(second, !fixed));
    to_first.send(b).expect("there is room");
    to_second.send(a).expect("there is room");
}
