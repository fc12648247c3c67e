//! The first use of a value needs the value.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    let value = OnceCell::new();
    go(move || {
        let inner = || if fixed { 1 } else { *value.get_or_init(|| 2) }; //~ sync.Once.Do
        *value.get_or_init(inner)
    });
}
