//! Find tasks that a test leaves behind: goleak for Rust.
//!
//! A test that starts tasks of [`gopark`] and returns while one of them is
//! still parked has leaked it. `leakcheck` fails such a test and says which
//! task it was, where it waits and for what, who made it, and why nothing will
//! wake it any more.
//!
//! ```no_run
//! #[leakcheck::verify_none]
//! #[test]
//! fn doubles() {
//!     let (jobs, inbox) = gopark::chan::bounded(4);
//!     let again = jobs.clone(); // held by the worker, so its inbox never closes
//!     gopark::go(move || {
//!         for n in inbox {
//!             if n < 100 {
//!                 again.send(n * 2).unwrap();
//!             }
//!         }
//!     });
//!     jobs.send(3).unwrap();
//! }
//! # fn main() {}
//! ```
//!
//! The ways in:
//!
//! | what you write | when it looks | what a leak does |
//! |---|---|---|
//! | [`#[verify_none]`](macro@verify_none) on a test | after the body | fails the test |
//! | [`verify_none(Options)`](fn@verify_none) | when the guard is dropped | panics |
//! | [`find(&Filter)`](find) | now, in the current scope | is returned as [`Leaks`] |
//! | [`verify_test_main!()`](verify_test_main) in a test file | when all tests are over | ends the program with exit code 1 |
//! | `test_main!()`, feature `harness` | after each test, with `harness = false` | fails the test |
//!
//! Parallel tests do not see each other's tasks: each check opens a
//! [`gopark::Scope`], and a task belongs to the scope it was born in.
//!
//! # What counts as a leak
//!
//! 1. Nothing of the scope is alive: it passes, at once.
//! 2. All that is alive is durably blocked (on a channel, a lock, a wait group,
//!    a join), nothing exists that could wake it, and it stays so for `settle`
//!    (20 ms): leaked.
//! 3. Otherwise the check waits for what happens until `deadline` (1 s). What
//!    is alive then is reported as what it is: blocked, running, sleeping.
//!
//! Something that could wake a task is a task of the scope that is not itself
//! blocked, a timer, a task or thread that belongs to no test, or an OS thread
//! that the runtime does not know. Tasks built with
//! [`daemon()`](gopark::Builder::daemon) and those that [a rule](#what-is-no-leak)
//! names are no leaks.
//!
//! After the report the tasks of the scope that are leaks are ended by unwinding them, so
//! that their destructors run and the next test starts clean.
//!
//! Tasks that wait for each other's locks, or one that waits for its own, are leaked at
//! once, whatever else runs: nobody else can give back what they have. A wait with a
//! limit, and a [`select!`](gopark::select), is part of no such deadlock. Of the readers
//! of a [`RwLock`](gopark::sync::RwLock) four at a time are known, if they belong to a
//! test; a deadlock through a fifth is found as any other leak is.
//!
//! A panic in a task that nobody joined fails the test, too.
//!
//! # A test that hangs
//!
//! The body of a test may be what waits for ever. It is blocked in a call of
//! [`gopark`], and by rule 2 nothing can wake it either, or there is a deadlock: then it
//! is unwound out of that call, after the report, which says where the test itself
//! waits; its tasks follow. So the test fails, and the next one starts. Under
//! `#[should_panic]` the unwind does not count as the panic. One that catches the unwind
//! and goes on has failed all the same; one that catches it sixteen times is given up.
//!
//! Where that is not proven (a thread might still send something, a task sleeps, the
//! body waits in a call of std's or of a C library's, which cannot be unwound) the body is left
//! alone. When it has not moved for `hang` (10 s), that is said once, on standard error,
//! with what may yet wake it.
//!
//! This holds for the body under [`#[verify_none]`](macro@verify_none), and for what runs
//! while a guard of [`verify_none(Options)`](fn@verify_none) lives, also in a task. With
//! `panic = "abort"` nothing is unwound, and all is left alone.
//!
//! # Threads, and other things
//!
//! An OS thread belongs to the test whose thread or task made it, and so do the tasks
//! that it starts. While it lives it may still wake a task, so the check of a leak waits
//! for it; with [`Options::threads`] it is a leak itself if it is alive at the deadline.
//! A thread that is made inside of a `LazyLock`, `OnceLock` or `Once`, such as those of
//! rayon's pool, serves the whole program and belongs to no test. Threads of rayon and
//! tokio are named and not counted; but with the feature `tokio` those
//! of a runtime that a test has not dropped are leaks. It also makes `#[verify_none]` stand above `#[tokio::test]`.
//!
//! For this, `pthread_create` is wrapped in every program that is linked with this crate;
//! not in static ones, not under sanitizers, and not with `LEAKCHECK_WRAP_THREADS=0`.
//! There the lists of threads before and after the test are compared.
//!
//! Reports show who made a leaked task, who made that one, and so on, up to the test, also
//! when they have ended; a thread that stands between is part of the line. With
//! [`Options::creation_stacks`] they show on what stacks that happened.
//!
//! What else can be left behind, a program tells by a [`source::Source`] of its own.
//!
//! # Settings
//!
//! | | per check | environment | [`defaults!`] | built in |
//! |---|---|---|---|---|
//! | stand still for | [`settle`](Options::settle) | `LEAKCHECK_SETTLE_MS=20` | `settle = "20ms"` | 20 ms |
//! | wait at most | [`deadline`](Options::deadline) | `LEAKCHECK_DEADLINE_MS=1000` | `deadline = "1s"` | 1 s |
//! | report a body that hangs after | [`hang`](Options::hang) | `LEAKCHECK_HANG_MS=10000` | `hang = "10s"` | 10 s |
//! | OS threads are leaks, too | [`threads`](Options::threads) | `LEAKCHECK_THREADS=1` | `threads = true` | no; in a wrapped main, yes |
//! | keep creation stacks | [`creation_stacks`](Options::creation_stacks) | `LEAKCHECK_CREATION_STACKS=1` | `creation_stacks = true` | no |
//! | list [unused ignores](unused_ignores) when a wrapped main ends | | `LEAKCHECK_UNUSED_IGNORES=1` | | no |
//!
//! For each setting by itself the first column that states it decides, from left to
//! right: the check, the environment, the crate that the check stands in, the default.
//! A value that cannot be read fails every check, and so does a variable whose name is
//! nearly one of these; it is never passed over.
//!
//! Where reports go, the environment says alone:
//!
//! | variable | what it does |
//! |---|---|
//! | `LEAKCHECK_JSON` | a path: each report is appended to that file as a line of [JSON](json) |
//! | `LEAKCHECK_GITHUB` | `always`, `never`, `auto`: annotations beside the source; `auto` makes them when `GITHUB_ACTIONS` is `true` |
//! | `LEAKCHECK_COLOR` | `always`, `never`, `auto`: colours; `auto` heeds `NO_COLOR` and `CLICOLOR_FORCE`, and else paints on a terminal, but not what a harness captures |
//!
//! # What is no leak
//!
//! | who knows it | writes |
//! |---|---|
//! | who starts the task | [`Builder::daemon`](gopark::Builder::daemon) |
//! | a library, or a crate, for all tests | [`ignore!`], with a reason |
//! | a test | a [`Filter`], or the `ignore_*` arguments of [`#[verify_none]`](macro@verify_none) |
//!
//! # From goleak
//!
//! With examples: [`guide::from_goleak`]. And when a test leaks: [`guide::what_now`].
//!
//! | goleak | here |
//! |---|---|
//! | `VerifyNone(t)` | [`#[verify_none]`](macro@verify_none), [`verify_none(Options)`](fn@verify_none) |
//! | `VerifyTestMain(m)` | [`verify_test_main!`] |
//! | `Find()` | [`find(&Filter)`](find), [`find(Search)`](Search) |
//! | `IgnoreTopFunction(f)` | [`ignore_top_function`](Filter::ignore_top_function), also a prefix, a form, a [`Pattern`] |
//! | `IgnoreAnyFunction(f)` | [`ignore_any_function`](Filter::ignore_any_function) |
//! | `IgnoreCreatedBy(f)` | [`ignore_created_by`](Filter::ignore_created_by), of all ancestors |
//! | `IgnoreCurrent()` | [`ignore_current`](Filter::ignore_current); tests do not see each other anyway |
//! | – | [`ignore_name`](Filter::ignore_name), [`ignore_label`](Filter::ignore_label), [`ignore_entry`](Filter::ignore_entry), [`ignore_site`](Filter::ignore_site), [`ignore_if`](Filter::ignore_if) |
//! | `Cleanup(f)` | [`Options::cleanup`], [`TestMain::cleanup`], which is told the exit code |
//! | – | [`Options::before_check`], [`TestMain::before_check`] |
//! | `RunOnFailure()` | [`TestMain::run_on_failure`] |
//! | `MaxRetryAttempts(n)`, `MaxSleepInterval(d)` | `settle` and `deadline`: a check waits for what happens, and does not poll |
//! | an option that the call cannot use: an error when it runs | a type for each way in: does not compile |
//! | goroutines of the runtime and of `testing` that are always left out | not tasks, or daemons: nothing to leave out |

#![deny(unsafe_code)]
#![cfg_attr(not(runtime), allow(dead_code, reason = "settings of checks that are not made"))]

extern crate self as leakcheck;

#[cfg(not(all(runtime, feature = "tokio")))]
mod asynchronous;
#[cfg(runtime)]
mod callers;
mod case;
#[cfg(runtime)]
mod cycle;
mod filter;
/// Parsers, for whoever tries to break them; no part of the public API.
#[cfg(all(runtime, any(test, fuzzing)))]
#[doc(hidden)]
pub mod fuzz;
pub mod guide;
#[cfg(feature = "harness")]
mod harness;
#[doc = include_str!("../docs/json.md")]
pub mod json {}
mod options;
#[cfg(runtime)]
mod reap;
#[cfg(runtime)]
mod report;
#[cfg(runtime)]
mod scope;
mod settings;
#[cfg(runtime)]
pub mod source;
#[cfg(runtime)]
#[expect(unsafe_code, reason = "a function in the place of the C library's")]
#[cfg_attr(not(wrap_threads), allow(dead_code, reason = "nobody calls that function"))]
mod sys;
mod test_main;
#[cfg(runtime)]
mod verdict;
#[cfg(runtime)]
mod verify;
#[cfg(not(runtime))]
#[path = "unchecked.rs"]
mod verify;
#[cfg(runtime)]
mod watcher;

pub use filter::{Candidate, Filter, Pattern, UnusedIgnore, unused_ignores};
/// What a test is checked by; a [source](source::Source) is told of it.
#[cfg(runtime)]
#[doc(no_inline)]
pub use gopark::Scope;
pub use options::{Options, Search};
pub use test_main::TestMain;
pub use verify::{Guard, Leaks, find, verify_none};

/// ```no_run
/// use leakcheck::verify_none;
///
/// #[verify_none(deadline = "200ms", ignore_name = "metrics")]
/// #[test]
/// fn finishes_what_it_starts() {
///     let (tx, rx) = gopark::chan::bounded(1);
///     gopark::go(move || tx.send(1));
///     assert_eq!(rx.recv(), Ok(1));
/// }
/// # fn main() {}
/// ```
#[doc(inline)]
pub use gopark_macros::verify_none;

/// ```standalone_crate
/// leakcheck::ignore! {
///     created_by = "metrics::exporter::*",
///     reason = "one exporter for the process; it ends with it",
/// }
/// ```
#[doc(inline)]
pub use gopark_macros::ignore;

/// ```standalone_crate
/// leakcheck::defaults! { settle = "5ms", deadline = "2s" }
/// ```
#[doc(inline)]
pub use gopark_macros::defaults;

/// ```no_run
/// #[leakcheck::test(deadline = "200ms")]
/// fn sells() {
///     gopark::go(|| "sold").join().unwrap();
/// }
///
/// #[leakcheck::test(should_panic = "sold out")]
/// fn has_nothing_left() {
///     panic!("sold out");
/// }
///
/// leakcheck::test_main!();
/// ```
#[cfg(feature = "harness")]
#[doc(inline)]
pub use gopark_macros::test;

/// What the macros' expansions call; no part of the public API.
#[doc(hidden)]
pub mod __private {
    #[cfg(not(all(runtime, feature = "tokio")))]
    pub use crate::asynchronous::body as async_body;
    #[cfg(all(runtime, feature = "tokio"))]
    pub use crate::source::tokio::body as async_body;

    pub use crate::case::{Case, IsNoResult, IsResult, Returned, run, run_should_panic};
    pub use crate::filter::{Criterion, Ignore};
    #[cfg(feature = "harness")]
    pub use crate::harness::{Registered, ShouldPanic, ended, test_main};
    pub use crate::settings::Defaults;
    pub use crate::test_main::wrap_main;
    pub use inventory;
}

/// The README's code, compiled.
#[cfg(all(doctest, runtime))]
#[doc = include_str!("../README.md")]
struct Readme;
