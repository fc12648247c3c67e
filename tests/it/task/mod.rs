//! Tasks from their birth to their join.

mod bodies;
mod ending;
mod identity;
mod joining;
mod no_park;
mod own_thread;
mod run;
