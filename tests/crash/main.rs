//! Ends of the process: which signal or code, what is said, and how soon.
//!
//! Each test runs itself again in a process of its own and looks at its end.

#[path = "../it/child.rs"]
mod child;

#[expect(unsafe_code, reason = "an allocator that waits for itself")]
mod allocator;
mod exit;
mod fault;
mod frames;
#[path = "../golden/grammar.rs"]
mod grammar;
mod guards;
mod held;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod quit;
