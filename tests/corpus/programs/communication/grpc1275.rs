//! A stream is read until it is closed. Its transport has gone, and has closed the
//! streams that it knew of; this one it did not know.

use crate::prelude::*;

struct Stream {
    data: Chan<u8>,
    closed: Chan<()>,
}

impl Stream {
    fn read(&self) -> Option<u8> {
        select! { //~ select
            recv(self.data.rx) -> byte => byte.ok(),
            recv(self.closed.rx) => None,
        }
    }
}

struct Transport {
    streams: Vec<Arc<Stream>>,
}

impl Transport {
    fn new_stream(&mut self, known: bool) -> Arc<Stream> {
        let stream = Arc::new(Stream { data: Chan::new(), closed: Chan::new() });
        if known {
            self.streams.push(stream.clone());
        }
        stream
    }

    fn close(&mut self) {
        for stream in self.streams.drain(..) {
            stream.closed.tx.close();
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let mut transport = Transport { streams: Vec::new() };
    let stream = transport.new_stream(fixed);
    go(move || while stream.read().is_some() {});
    transport.close();
}
