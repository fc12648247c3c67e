//! A proxy skips a packet that it cannot send, and skips the unlocking with it.

use crate::prelude::*;

struct Proxy {
    connections: Mutex<u32>,
}

impl Proxy {
    fn run(&self, packets: &[Result<u32, ()>], fixed: bool) {
        for packet in packets {
            let mut connections = self.connections.lock(); //~ sync.Mutex.Lock
            let Ok(packet) = packet else {
                if !fixed {
                    forget(connections);
                }
                continue;
            };
            *connections += packet;
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let proxy = Proxy { connections: Mutex::new(0) };
    go(move || proxy.run(&[Ok(1), Err(()), Ok(2)], fixed));
}
