//! The set of devices has a lock and each device has one. A mount takes the device's
//! and then the set's, a removal the set's and then the device's.

use crate::prelude::*;

struct Devices {
    set: Mutex<u32>,
    device: Mutex<bool>,
    both: Barrier,
}

impl Devices {
    fn mount(&self, fixed: bool) {
        let outer = fixed.then(|| self.set.lock());
        let mut device = self.device.lock();
        *device = true;
        if outer.is_none() {
            self.both.wait();
            *self.set.lock() += 1; //~ sync.Mutex.Lock
        }
    }

    fn remove(&self, fixed: bool) {
        let mut set = self.set.lock();
        if !fixed {
            self.both.wait();
        }
        *self.device.lock() = false; //~ sync.Mutex.Lock
        *set = set.saturating_sub(1);
    }
}

pub(crate) fn program(fixed: bool) {
    let devices = Arc::new(Devices {
        set: Mutex::default(),
        device: Mutex::default(),
        both: Barrier::new(2),
    });
    let other = devices.clone();
    go(move || devices.mount(fixed));
    go(move || other.remove(fixed));
}
