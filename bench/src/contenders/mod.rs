//! How each runtime of this process is started and given its first task.
//!
//! Everybody's body runs as a task of its runtime, never on the main thread:
//! that is where Go's `main` runs too.

#[expect(unsafe_code, reason = "migrating mode is one promise per process")]
pub(crate) mod gopark;
pub(crate) mod may;
pub(crate) mod tokio;
