//! The wait for a container reports an error before it returns the channel on which
//! that is to be read.

use crate::prelude::*;

fn container_wait(exists: bool, fixed: bool) -> Chan<&'static str> {
    let errors = Chan::buffered(usize::from(fixed));
    if !exists {
        errors.tx.send("no such container").expect("it is open"); //~ body chan send
    }
    errors
}

pub(crate) fn program(fixed: bool) {
    let errors = container_wait(false, fixed);
    assert_eq!(errors.rx.recv(), Ok("no such container"));
}
