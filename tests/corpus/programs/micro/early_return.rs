//! A caller that returns early, before it has received what it has asked for.

use crate::prelude::*;

fn ask(valid: bool, fixed: bool) -> Option<u32> {
    let answer = Arc::new(Chan::buffered(usize::from(fixed)));
    let own = answer.clone();
    go(move || own.tx.send(42)); //~ chan send
    if !valid {
        return None;
    }
    answer.rx.recv().ok()
}

pub(crate) fn program(fixed: bool) {
    assert_eq!(ask(false, fixed), None);
}
