//! What is left out: the obligations of goleak's own tests of its options, and the
//! kinds that it does not have.

use crate::fixtures::silent;
use crate::support::{alone, alone_with, here};
use gopark::chan::{self, Receiver};
use gopark::{Builder, Scope, go};
use leakcheck::{Candidate, Filter, Options, Pattern, Search, find, verify_none};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

/// The tasks that the filter does not leave out, ended afterwards or not.
fn found(filter: Filter) -> usize {
    find(Search::new().settle(Duration::ZERO).filter(filter)).map_or_else(|it| it.len(), |()| 0)
}

#[track_caller]
fn leaves_out(filter: Filter) {
    assert_eq!(found(filter.clone()), 0, "{filter:?} leaves nothing out");
}

#[track_caller]
fn finds(filter: Filter) {
    assert_eq!(found(filter.clone()), 1, "{filter:?} leaves it out");
}

/// Runs the body in a process and a scope of its own.
fn in_scope(name: &str, body: impl FnOnce()) {
    alone(name, || {
        let scope = Scope::new("filters");
        let _in = scope.enter();
        body();
        if let Err(leaks) = find(&Filter::new()) {
            leaks.reap();
        }
    });
}

/// Starts a task that runs a function and waits there; goleak's `startBlockedG`.
fn start_blocked() {
    go(block);
}

fn block() {
    let _ = silent().recv();
}

#[test]
fn nothing_else_is_found_and_the_top_function_is_left_out() {
    in_scope(here!(), || {
        leaves_out(Filter::new());
        start_blocked();
        finds(Filter::new());
        leaves_out(Filter::new().ignore_top_function("leak::filters::block"));
        finds(Filter::new().ignore_top_function("leak::filters::start_blocked"));
    });
}

#[test]
fn the_function_that_made_it_is_none_that_it_is_in() {
    in_scope(here!(), || {
        fn make() {
            go(block);
        }
        make();
        finds(Filter::new().ignore_any_function("leak::filters::start_blocked"));
        finds(Filter::new().ignore_any_function("*::make"));
        leaves_out(Filter::new().ignore_any_function("leak::filters::block"));
    });
}

mod deep {
    use super::silent;
    use std::hint::black_box;

    #[inline(never)]
    pub(super) fn outer() {
        black_box(middle());
    }

    #[inline(never)]
    fn middle() -> bool {
        black_box(inner()).is_ok()
    }

    #[inline(never)]
    fn inner() -> Result<u8, gopark::chan::RecvError> {
        black_box(silent()).recv()
    }
}

#[test]
#[expect(clippy::redundant_closure, reason = "the task is to run a function of the test")]
fn functions_between_the_one_that_runs_and_the_one_that_waits() {
    in_scope(here!(), || {
        go(|| deep::outer());
        let entry = "leak::filters::functions_between_the_one_that_runs_and_the_one_that_waits";
        leaves_out(Filter::new().ignore_top_function("leak::filters::deep::inner"));
        for other in [entry, "*::outer", "*::middle", "*::recv"] {
            finds(Filter::new().ignore_top_function(other));
        }
        for function in ["*::inner", "*::middle", "*::outer", entry] {
            leaves_out(Filter::new().ignore_any_function(function));
        }
        finds(Filter::new().ignore_any_function("gopark::*"));
        let functions = |task: &Candidate<'_>| {
            let last: Vec<_> = task.functions().map(|it| it.rsplit("::").next().unwrap()).collect();
            last[..3] == ["inner", "middle", "outer"]
        };
        leaves_out(Filter::new().ignore_if(functions));
    });
}

struct Pool;

impl Pool {
    #[inline(never)]
    fn wait(&self) {
        let _ = silent().recv();
    }
}

/// Whichever of them its symbols have: `-C symbol-mangling-version` decides that.
#[test]
fn a_method_is_meant_by_both_of_its_spellings() {
    in_scope(here!(), || {
        go(|| Pool.wait());
        for function in ["leak::filters::Pool::wait", "<leak::filters::Pool>::wait"] {
            leaves_out(Filter::new().ignore_top_function(function));
            leaves_out(Filter::new().ignore_any_function(Pattern::exact(function)));
            let start = function.strip_suffix("it").expect("its end");
            leaves_out(Filter::new().ignore_top_function(format!("{start}*")));
            finds(Filter::new().ignore_top_function(start));
        }
        finds(Filter::new().ignore_any_function("<leak::filters::Pools>::wait"));
    });
}

#[test]
fn created_by_the_function_that_a_closure_is_written_in() {
    in_scope(here!(), || {
        go(|| silent().recv());
        let this = "leak::filters::created_by_the_function_that_a_closure_is_written_in";
        leaves_out(Filter::new().ignore_created_by(this));
        finds(Filter::new().ignore_created_by("leak::filters::start_blocked"));
    });
}

/// A task that has a pool of one make a job.
fn server() {
    go(|| {
        pool().join().unwrap();
    });
}

fn pool() -> gopark::JoinHandle<()> {
    Builder::new().name("pool").go(|| drop(go(block))).unwrap()
}

#[test]
fn created_by_ancestors_that_have_ended() {
    in_scope(here!(), || {
        gopark::inspect::keep_ancestors();
        server();
        for function in ["leak::filters::pool", "leak::filters::server", "*::filters::serv?r"] {
            leaves_out(Filter::new().ignore_created_by(function));
        }
        // It is in this one, which made nothing.
        finds(Filter::new().ignore_created_by("leak::filters::block"));
        finds(Filter::new().ignore_name("pool"));
        let by = |function: &'static str| {
            move |task: &Candidate<'_>| task.creators().any(|it| it == function)
        };
        leaves_out(Filter::new().ignore_if(by("leak::filters::server")));
        finds(Filter::new().ignore_if(by("leak::filters")));
    });
}

#[test]
fn by_name_label_and_site() {
    in_scope(here!(), || {
        Builder::new().name("worker-7").label("tier", "cache").go(block).unwrap();
        leaves_out(Filter::new().ignore_name("worker-?"));
        leaves_out(Filter::new().ignore_name(Pattern::prefix("work")));
        leaves_out(Filter::new().ignore_name(Pattern::when(|it| it.ends_with('7'))));
        finds(Filter::new().ignore_name("worker"));
        finds(Filter::new().ignore_name(Pattern::exact("worker-?")));
        leaves_out(Filter::new().ignore_label("tier", "c*"));
        finds(Filter::new().ignore_label("tier", "web"));
        leaves_out(Filter::new().ignore_site("leak/filters.rs"));
        leaves_out(Filter::new().ignore_site("leak/f*.rs"));
        finds(Filter::new().ignore_site("filter.rs"));
        leaves_out(Filter::new().ignore_entry("leak::filters::block"));
        leaves_out(Filter::new().ignore_if(|it| it.label("tier").is_some()));
    });
}

fn wait_for(stopped: Receiver<()>) {
    let _ = stopped.recv();
}

#[test]
fn what_is_there_now_is_left_out() {
    in_scope(here!(), || {
        let (stop, stopped) = chan::rendezvous();
        let task = go(move || wait_for(stopped));
        leaves_out(Filter::new().ignore_current());
        drop(stop);
        task.join().unwrap();
    });
}

#[test]
fn what_comes_later_is_not() {
    in_scope(here!(), || {
        let (stop, stopped) = chan::rendezvous();
        let first = go(move || wait_for(stopped));
        finds(Filter::new());
        let current = Filter::new().ignore_current();
        leaves_out(current.clone());
        let (stop_second, stopped) = chan::rendezvous();
        let second = go(move || wait_for(stopped));
        let leaks = find(&current).expect_err("the second");
        assert_eq!(leaks.tasks().iter().map(|it| it.id).collect::<Vec<_>>(), [second.id()]);
        drop((stop, stop_second));
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// Records are used again; numbers are not.
#[test]
fn nor_what_takes_the_place_of_what_was_there() {
    in_scope(here!(), || {
        let (stop, stopped) = chan::rendezvous::<()>();
        let old = (0..5).map(|_| {
            let stopped = stopped.clone();
            go(move || wait_for(stopped))
        });
        let old: Vec<_> = old.collect();
        let current = Filter::new().ignore_current();
        drop((stop, stopped));
        old.into_iter().for_each(|task| task.join().unwrap());
        for _ in 0..5 {
            let (stop, stopped) = chan::rendezvous();
            let task = go(move || wait_for(stopped));
            finds(current.clone());
            drop(stop);
            task.join().unwrap();
            leaves_out(Filter::new());
        }
    });
}

#[test]
fn a_task_that_is_left_out_may_still_wake_others() {
    in_scope(here!(), || {
        let (tx, rx) = chan::rendezvous();
        let server = move || {
            gopark::sleep(60 * MS);
            let _ = tx.send(());
        };
        Builder::new().name("server").go(server).unwrap();
        go(move || wait_for(rx));
        assert!(find(&Filter::new().ignore_name("server")).is_ok());
    });
}

/// Its own time, then the environment's; goleak's retries.
#[test]
fn how_long_a_search_takes() {
    let variables = [("LEAKCHECK_SETTLE_MS", "150"), ("LEAKCHECK_DEADLINE_MS", "60000")];
    alone_with(here!(), &variables, || {
        let scope = Scope::new("times");
        let _in = scope.enter();
        start_blocked();
        let took = |search: Search| {
            let start = Instant::now();
            assert!(find(search).is_err());
            start.elapsed()
        };
        assert!(took(Search::new()) >= 150 * MS);
        assert!(took(Search::new().settle(400 * MS)) >= 400 * MS);
        let quick = (0..10).map(|_| took(Search::new().settle(Duration::ZERO))).min();
        assert!(quick < Some(150 * MS), "{quick:?}");
        // What could still end is waited for no longer than asked for.
        go(|| gopark::sleep(3600 * 1000 * MS));
        let took = took(Search::new().deadline(70 * MS));
        assert!(took >= 70 * MS && took < 60_000 * MS, "{took:?}");
        find(Search::new().deadline(Duration::ZERO)).expect_err("both").reap();
    });
}

#[test]
fn a_guard_takes_a_filter_too() {
    alone(here!(), || {
        let filter = Filter::new().ignore_top_function("leak::filters::block");
        let guard = verify_none(Options::new().filter(filter));
        start_blocked();
        drop(guard);
    });
}

mod registered {
    use super::*;
    use leakcheck::{ignore, unused_ignores};

    ignore! {
        name = "registered-*",
        created_by = "leak::filters::registered::*",
        reason = "for the tests here",
    }

    ignore! { label = "registered=never", reason = "nothing has this label" }

    fn unused() -> Vec<String> {
        let ours = unused_ignores().into_iter().filter(|it| it.file() == file!());
        ours.map(|it| format!("{it}")).collect()
    }

    #[test]
    #[expect(clippy::redundant_closure, reason = "its name says where it was made")]
    fn a_rule_of_the_program_fits_and_is_seen_to() {
        in_scope(here!(), || {
            let both = unused();
            assert_eq!(both.len(), 2, "{both:?}");
            let told = "an ignore has matched nothing: name = \"registered-*\", \
                        created_by = \"leak::filters::registered::*\", \
                        reason = \"for the tests here\", at tests/leak/filters.rs:";
            assert!(both[0].starts_with(told), "{both:?}");
            Builder::new().name("registered-1").go(|| block()).unwrap();
            leaves_out(Filter::new());
            // It does not fit in all.
            Builder::new().name("other").go(block).unwrap();
            finds(Filter::new());
            let one = unused();
            assert_eq!(one.len(), 1, "{one:?}");
            assert!(one[0].contains("label = \"registered=never\", reason"), "{one:?}");
        });
    }
}
