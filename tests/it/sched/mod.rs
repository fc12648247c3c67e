//! Who runs where and when.

mod bound;
mod config;
mod fairness;
mod migrating;
mod spreading;
mod startup;
