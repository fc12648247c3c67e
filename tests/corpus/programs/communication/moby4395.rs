//! A function is run beside, and its result comes through a channel without room. Who
//! started it has an error of its own.

use crate::prelude::*;

fn beside(f: impl FnOnce() -> u32 + Send + 'static, room: usize) -> Arc<Chan<u32>> {
    let result = Arc::new(Chan::buffered(room));
    let own = result.clone();
    go(move || own.tx.send(f())); //~ chan send
    result
}

fn attach(fixed: bool) -> Result<u32, &'static str> {
    let copied = beside(|| 42, usize::from(fixed));
    let attached: Result<(), &str> = Err("no such container");
    attached?;
    copied.rx.recv().map_err(|_| "closed")
}

pub(crate) fn program(fixed: bool) {
    attach(fixed).expect_err("there is none");
}
