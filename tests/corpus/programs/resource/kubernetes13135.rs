//! A cacher and its watch cache lock each other: a new watcher comes with the
//! cacher's lock and wants the cache's, an event comes with the cache's and wants the
//! cacher's.

use crate::prelude::*;

#[derive(Default)]
struct Cacher {
    watchers: Mutex<Vec<u32>>,
    events: RwLock<Vec<u32>>,
}

impl Cacher {
    fn watch(&self, both: &Barrier, fixed: bool) {
        let mut watchers = self.watchers.lock();
        if !fixed {
            both.wait();
        }
        let seen = self.events.write().len(); //~ sync.RWMutex.Lock
        watchers.push(seen as u32);
    }

    fn process_event(&self, both: &Barrier, fixed: bool) {
        let mut events = self.events.write();
        events.push(1);
        if fixed {
            drop(events);
        } else {
            both.wait();
        }
        self.watchers.lock().clear(); //~ sync.Mutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let cacher = Arc::new(Cacher::default());
    let both = Arc::new(Barrier::new(2));
    let (other, third) = (cacher.clone(), both.clone());
    go(move || cacher.watch(&both, fixed));
    go(move || other.process_event(&third, fixed));
}
