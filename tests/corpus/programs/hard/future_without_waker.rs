//! A future that is pending, and has dropped what could wake it.

use crate::prelude::*;
use std::future::{pending, ready};

pub(crate) fn program(fixed: bool) {
    go(move || match fixed {
        true => gopark::future::block_on(ready(())),
        false => gopark::future::block_on(pending()), //~ block_on
    });
}
