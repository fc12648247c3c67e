//! Whole checks, from the attribute to the exit code.
//!
//! | module | promise |
//! |---|---|
//! | `attribute` | the attribute in all its places, on tests that pass |
//! | `arguments` | what arguments leave out, what is called around a check, nonsense |
//! | `filters` | what filters leave out, and rules that stand in the program |
//! | `frameworks` | above and below the attributes of other crates |
//! | `goleak` | what goleak's own tests demand, each with the test that demands it here |
//! | `matrix` | every way a test can end, with and without a leak |
//! | `parallel` | of eight tests at once, each is blamed for its own leaks only |
//! | `thousand` | of a thousand tests at once exactly the hundred that leak are blamed |
//! | `verdict` | what is decided, and when |
//! | `hang` | a test that hangs is ended, with a report that says where it waits |
//! | `cycles` | locks whose owners wait for each other are proven at once |
//! | `reaping` | how leaked tasks are ended, and which are given up |
//! | `threads` | OS threads, and other things that are no tasks |
//! | `tokio` | async tests, and what they leave behind |
//! | `made` | who made a leaked task, and on what stack, also if they have ended |
//! | `many` | a hundred thousand leaks are one block |
//! | `report` | what a report shows |
//! | `outputs` | what machines are told: JSON, annotations; and colours |
//! | `examples` | what the examples print |
//! | `readme` | the README shows the real program and its real output |
//! | `newcomer` | who follows the README in a project of their own finds their leaks |
//! | `unchecked` | a target without the runtime runs its tests, and says so |
//!
//! Tests that must fail live in `fixtures` and are ignored: the others run
//! them in a process of their own and look at what it said. A test whose
//! outcome depends on no other thread being there runs itself [`alone`].
//!
//! [`alone`]: support::alone

mod arguments;
mod attribute;
mod cycles;
mod examples;
mod filters;
mod fixtures;
mod frameworks;
mod goleak;
mod hang;
#[path = "../left_threads.rs"]
mod left_threads;
mod made;
mod many;
mod matrix;
mod newcomer;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod outputs;
mod parallel;
mod readme;
mod reaping;
mod report;
#[path = "../sched_lines.rs"]
mod sched_lines;
mod schema;
mod support;
mod thousand;
mod threads;
mod tokio;
#[path = "../../bench/src/go.rs"]
mod toolchain;
mod unchecked;
mod verdict;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;
