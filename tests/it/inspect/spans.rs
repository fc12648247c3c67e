//! Spans of `tracing` as labels of tasks.

use crate::child::{alone, here};
use crate::support::{Gate, ONE_COOPERATIVE, info, on_one_thread, parked};
use gopark::inspect::{Snapshot, WaitReason};
use gopark::tracing::TaskLabels;
use gopark::{Builder, TaskId, go};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::{field, info_span};
use tracing_subscriber::layer::SubscriberExt;

fn install(labels: TaskLabels) {
    let subscriber = tracing_subscriber::registry().with(labels);
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
}

fn labels(id: TaskId) -> Vec<(String, String)> {
    info(id).expect("it lives").labels
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_task_is_labeled_with_the_spans_it_is_in() {
    alone(here!(), &[], || {
        install(TaskLabels::new());
        let gates: [Gate; 4] = std::array::from_fn(|_| Gate::new());
        let theirs = gates.clone();
        let task = Builder::new().name("worker").label("a", "b").go(move || {
            let request = info_span!("request", id = 7).entered();
            theirs[0].pass();
            let query = info_span!("query").entered();
            theirs[1].pass();
            drop(query);
            theirs[2].pass();
            drop(request);
            theirs[3].pass();
        });
        let task = task.unwrap();
        let spans = [Some("request"), Some("request:query"), Some("request"), None];
        for (gate, span) in gates.iter().zip(spans) {
            parked(task.id(), WaitReason::ChanReceive);
            let own = [("a", "b")].into_iter();
            let all: Vec<_> = own.chain(span.map(|span| ("span", span))).collect();
            // Between two gates it is not parked for a moment.
            crate::support::until("it has come to the next gate", || {
                labels(task.id()) == pairs(&all)
            });
            gate.open();
        }
        task.join().unwrap();
    });
}

/// Whatever the threads are in.
#[test]
fn tasks_on_one_thread_have_their_own() {
    alone(here!(), ONE_COOPERATIVE, || {
        install(TaskLabels::new());
        on_one_thread(|| {
            let gate = Gate::new();
            let in_span = |name: &'static str| {
                let gate = gate.clone();
                go(move || {
                    let span = match name {
                        "first" => info_span!(parent: None, "first"),
                        _ => info_span!(parent: None, "second"),
                    };
                    let _entered = span.entered();
                    gate.pass();
                })
            };
            let tasks = [in_span("first"), in_span("second")];
            for (task, name) in tasks.iter().zip(["first", "second"]) {
                parked(task.id(), WaitReason::ChanReceive);
                assert_eq!(labels(task.id()), pairs(&[("span", name)]));
            }
            // They leave in the order in which they came.
            gate.open();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            let after = go(|| labels(gopark::inspect::current_task()));
            assert_eq!(after.join().unwrap(), []);
        });
    });
}

#[test]
fn fields_are_shown_if_they_are_asked_for() {
    alone(here!(), &[], || {
        install(TaskLabels::new().fields(true));
        let seen = go(|| {
            let own = || labels(gopark::inspect::current_task());
            let request = info_span!("request", id = 7, user = field::Empty).entered();
            let first = own();
            request.record("user", "anna");
            let query = info_span!("query", table = "t").entered();
            let second = own();
            drop(query);
            let empty = info_span!(parent: None, "empty", later = field::Empty);
            empty.record("later", true);
            let third = empty.in_scope(own);
            [first, second, third].concat()
        });
        let expected = [
            ("span", "request{id=7}"),
            ("span", "request{id=7 user=\"anna\"}:query{table=\"t\"}"),
            ("span", "empty{later=true}"),
        ];
        assert_eq!(seen.join().unwrap(), pairs(&expected));
    });
}

/// They read while the tasks go from one to the next, and end.
#[test]
fn observers_see_whole_texts() {
    alone(here!(), &[], || {
        install(TaskLabels::new().fields(true));
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..4_u64)
            .map(|n| {
                let stop = stop.clone();
                go(move || {
                    while !stop.load(Ordering::Relaxed) {
                        go(move || {
                            for turn in 0..100 {
                                let outer = info_span!(parent: None, "outer", n, turn);
                                outer.in_scope(|| {
                                    let inner = info_span!(parent: &outer, "inner");
                                    inner.in_scope(gopark::yield_now);
                                });
                            }
                        })
                        .join()
                        .unwrap();
                    }
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 200 {
            for task in Snapshot::all().tasks {
                for (key, text) in &task.labels {
                    let whole = text.starts_with("outer{n=")
                        && (text.ends_with('}') || text.ends_with("}:inner"));
                    assert!(key == "span" && whole, "{text}");
                    seen += 1;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// What are no tasks of ours have none, and do no harm.
#[test]
fn threads_are_left_alone() {
    alone(here!(), &[], || {
        install(TaskLabels::new());
        let own = gopark::inspect::current_task();
        let _entered = info_span!("of a thread").entered();
        assert_eq!(labels(own), []);
    });
}
