//! A group whose first error is its result.

use crate::prelude::*;

pub(crate) fn program() {
    let group = Group::new().limit(2);
    for n in 0..5_u32 {
        group.go(move || if n == 3 { Err("three") } else { Ok(n) });
    }
    assert_eq!(group.wait(), Err("three"));
}
