//! Scopes: who owns a task, and what can be done with all of them.

mod counting;
mod membership;
mod panics;
mod reaping;
mod reaping_races;
mod reaping_unwinds;
mod reuse;
mod watching;

use crate::support::go_in;
use gopark::Scope;

/// The numbers of a result that is not to be looked at in parts.
#[track_caller]
fn reap(scope: &Scope) -> (usize, usize) {
    let reaped = scope.reap();
    (reaped.ended, reaped.abandoned)
}
