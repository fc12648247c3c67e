//! A task of a group that has room for one starts another one in the group.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let limit = if fixed { 2 } else { 1 };
    let group = Arc::new(Group::<(), &'static str>::new().limit(limit));
    let own = group.clone();
    group.go(move || {
        own.go(|| Ok(())); //~ sync.Semaphore.Acquire
        Ok(())
    });
}
