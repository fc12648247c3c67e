//! A device that is not there any more: the cleanup returns without unlocking when
//! nothing was deleted.

use crate::prelude::*;

struct DeviceSet {
    deleted: Mutex<Vec<u32>>,
}

impl DeviceSet {
    fn cleanup(&self, fixed: bool) -> usize {
        let deleted = self.deleted.lock(); //~ sync.Mutex.Lock
        if deleted.is_empty() {
            if !fixed {
                forget(deleted);
            }
            return 0;
        }
        deleted.len()
    }
}

pub(crate) fn program(fixed: bool) {
    let devices = DeviceSet { deleted: Mutex::default() };
    go(move || devices.cleanup(fixed) + devices.cleanup(fixed));
}
