//! Locks and wait groups, from tasks, from OS threads, and mixed.

mod mutex;
mod reaping;
mod wait_group;
