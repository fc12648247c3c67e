//! Scopes: who owns a task, and what can be done with all of them.

mod counting;
mod membership;
mod panics;
mod reaping;
mod reaping_races;
mod reuse;
mod watching;

use gopark::{JoinHandle, Scope};

/// Starts a task in the scope.
#[track_caller]
fn go_in<T: Send + 'static>(
    scope: &Scope,
    f: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let _in = scope.enter();
    gopark::go(f)
}
