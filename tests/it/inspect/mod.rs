//! What observers see.

mod adopted;
mod census;
mod foreign;
mod groups;
mod snapshot;
mod source;
