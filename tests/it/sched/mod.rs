//! Who runs where and when.

mod blocking;
mod bound;
mod config;
mod fairness;
mod migrating;
mod offload;
mod preempt;
mod spreading;
mod startup;
