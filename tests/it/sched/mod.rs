//! Who runs where and when.

mod bound;
mod config;
mod fairness;
mod migrating;
mod preempt;
mod spreading;
mod startup;
