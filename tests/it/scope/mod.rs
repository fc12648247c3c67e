//! Scopes: who owns a task, and what can be done with all of them.

mod counting;
mod membership;
mod panics;
mod reaping;
mod reaping_races;
mod reuse;
mod watching;

use crate::support::go_in;
