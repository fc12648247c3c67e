//! Stacks: how deep a task can go, and what it takes.

mod grow;
