//! A keepalive task sleeps under the transport's lock until a stream is opened. Who
//! opens one wants the lock first.

use crate::prelude::*;

struct Transport {
    streams: Mutex<Vec<u32>>,
    awake: Chan<()>,
}

impl Transport {
    fn keepalive(&self, inside: &Chan<()>, fixed: bool) {
        let streams = self.streams.lock();
        inside.tx.close();
        if streams.is_empty() {
            if fixed {
                drop(streams);
            }
            self.awake.rx.recv().expect("a stream is opened"); //~ chan receive
        }
    }

    fn new_stream(&self) {
        self.streams.lock().push(1); //~ sync.Mutex.Lock
        self.awake.tx.send(()).expect("it sleeps");
    }
}

pub(crate) fn program(fixed: bool) {
    let transport = Arc::new(Transport { streams: Mutex::default(), awake: Chan::new() });
    let (user, inside) = (transport.clone(), Chan::new());
    let asleep = inside.clone();
    go(move || transport.keepalive(&inside, fixed));
    asleep.rx.recv().expect_err("nobody sends");
    go(move || user.new_stream());
}
