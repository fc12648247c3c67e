//! An executor keeps its system configuration under a lock that a callback knows by
//! another name: one reader, the writer, and the same reader again through the
//! callback.

use crate::prelude::*;

struct Executor {
    config: Arc<RwLock<u32>>,
}

struct Session {
    /// The executor's own, under another name.
    tables: Arc<RwLock<u32>>,
}

impl Session {
    fn resolve(&self) -> u32 {
        *self.tables.read() //~ sync.RWMutex.RLock
    }
}

impl Executor {
    fn exec(&self, session: &Session, between: impl FnOnce(), fixed: bool) -> u32 {
        let config = self.config.read();
        between();
        if fixed {
            return *config;
        }
        session.resolve()
    }

    fn update(&self) {
        *self.config.write() += 1; //~ sync.RWMutex.Lock
    }
}

pub(crate) fn program(fixed: bool) {
    let executor = Arc::new(Executor { config: Arc::default() });
    let session = Session { tables: executor.config.clone() };
    go(move || {
        let other = executor.clone();
        let gossip = || {
            let update = go(move || other.update());
            until_waits(update.id(), WaitReason::RwLockWrite);
        };
        executor.exec(&session, gossip, fixed);
    });
}
