//! What keeps a queue open is dropped, and who has a weak reference to it does not count.

use crate::prelude::*;

pub(crate) fn program() {
    let (tx, rx) = bounded::<u32>(1);
    let tx = Arc::new(tx);
    let weak = Arc::downgrade(&tx);
    let reader = go(move || rx.iter().count());
    tx.send(1).expect("there is room");
    drop(tx);
    assert!(weak.upgrade().is_none());
    assert_eq!(reader.join().expect("it only counts"), 1);
}
