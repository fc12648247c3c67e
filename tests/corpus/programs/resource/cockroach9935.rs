//! A log that cannot be written calls its exit function, which flushes, under the
//! lock that the writer holds.

use crate::prelude::*;

struct Log {
    lines: Mutex<Vec<&'static str>>,
}

impl Log {
    fn output(&self, line: &'static str, fixed: bool) {
        let mut lines = self.lines.lock();
        lines.push(line);
        let written: Result<(), &str> = Err("the disk is full");
        if let Err(why) = written {
            if fixed {
                drop(lines);
            }
            self.exit(why);
        }
    }

    fn exit(&self, why: &'static str) {
        self.lines.lock().push(why); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let log = Log { lines: Mutex::default() };
    go(move || log.output("hello", fixed));
}
