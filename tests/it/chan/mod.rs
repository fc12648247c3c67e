//! Channels: Go's rules one by one, from tasks, from OS threads, and mixed.

mod bounded;
mod closing;
mod drops;
mod handles;
mod never;
mod reaping;
mod rendezvous;
mod select;
mod select_list;
mod select_reaping;
mod select_stress;
mod stress;
pub(crate) mod support;
mod timeouts;
