//! Several want a value that one of them makes.

use crate::prelude::*;

pub(crate) fn program() {
    let value = Arc::new(OnceCell::new());
    for _ in 0..4 {
        let value = value.clone();
        go(move || {
            value.get_or_init(|| {
                yield_now();
                42
            });
        });
    }
    assert_eq!(*value.get_or_init(|| 42), 42);
}
