//! Sleeping, timers, tickers: never too early, in order, never for nothing.

mod functions;
mod limits;
mod sleeping;
mod tickers;
mod timers;
mod watching;

use crate::support::until;
use gopark::Scope;
use gopark::inspect::Census;

const ONE: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "1")];
const TWO: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "2")];

/// Timers of the scope that are set, as a leak check counts them.
fn set(scope: &Scope) -> usize {
    Census::take(scope).timers
}

/// Waits until so many are.
#[track_caller]
fn set_are(scope: &Scope, count: usize) {
    until("so many timers are set", || set(scope) == count);
}
