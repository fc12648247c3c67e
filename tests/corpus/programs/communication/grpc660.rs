//! A benchmark returns at the first error, and its workers go on to say that they are
//! done.

use crate::prelude::*;

struct Benchmark {
    done: Chan<Result<u32, &'static str>>,
}

impl Benchmark {
    fn worker(&self, n: u32) {
        let result = if n == 0 { Err("connection refused") } else { Ok(n) };
        self.done.tx.send(result).expect("somebody counts"); //~ 3 chan send
    }
}

pub(crate) fn program(fixed: bool) {
    const WORKERS: u32 = 4;
    let room = if fixed { WORKERS } else { 0 };
    let benchmark = Arc::new(Benchmark { done: Chan::buffered(room as usize) });
    let first = benchmark.clone();
    go(move || first.worker(0));
    assert!(benchmark.done.rx.recv().expect("it is open").is_err());
    for n in 1..WORKERS {
        let own = benchmark.clone();
        go(move || own.worker(n));
    }
    // The result was an error: back to the caller.
}
