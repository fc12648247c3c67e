//! A connection writes a frame under its lock, into the channel of an idle monitor
//! which is full. The monitor finds the connection idle, and wants the lock to close
//! it.

use crate::prelude::*;

struct Connection {
    writer: Mutex<u32>,
    reset: Chan<()>,
}

impl Connection {
    fn write_frame(&self, fixed: bool) {
        let mut frames = self.writer.lock();
        *frames += 1;
        if fixed {
            let _ = self.reset.tx.try_send(());
            return;
        }
        self.reset.tx.send(()).expect("the monitor reads"); //~ chan send
    }

    fn monitor(&self) {
        *self.writer.lock() = 0; //~ sync.Mutex.Lock
        while self.reset.rx.try_recv().is_ok() {}
    }
}

pub(crate) fn program(fixed: bool) {
    let connection = Arc::new(Connection { writer: Mutex::new(0), reset: Chan::buffered(1) });
    let monitored = connection.clone();
    let writer = go(move || {
        connection.write_frame(fixed);
        connection.write_frame(fixed);
    });
    if !fixed {
        until_waits(writer.id(), WaitReason::ChanSend);
    }
    go(move || monitored.monitor());
}
