//! What observers see.

mod adopted;
mod census;
mod foreign;
mod snapshot;
mod source;
