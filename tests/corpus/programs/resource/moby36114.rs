//! A function that wants the lock is called by one that has it.

use crate::prelude::*;

struct Vm {
    layers: Mutex<Vec<&'static str>>,
}

impl Vm {
    fn hot_add(&self, fixed: bool) {
        let mut layers = self.layers.lock();
        layers.push("a layer");
        if fixed {
            drop(layers);
        }
        self.hot_remove_at_start();
    }

    fn hot_remove_at_start(&self) {
        self.layers.lock().pop(); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let vm = Vm { layers: Mutex::default() };
    go(move || vm.hot_add(fixed));
}
