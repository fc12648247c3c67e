//! What observers see.

mod adopted;
mod asked;
mod census;
mod contention;
mod foreign;
mod frames;
mod groups;
mod lineage;
mod locks;
mod metrics;
mod origin;
mod profile;
mod schedtrace;
mod snapshot;
mod source;
mod spans;
mod waits;
