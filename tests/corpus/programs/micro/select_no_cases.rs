//! A select without cases, as the last line of a task that should only end.

use crate::prelude::*;

pub(crate) fn program(fixed: bool) {
    go(move || {
        if !fixed {
            select! {} //~ select (no cases)
        }
    });
}
