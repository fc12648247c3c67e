//! Numbers in the form that Prometheus reads.

use crate::inspect::{groups, threads};
use crate::maxprocs;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn text() -> String {
    let groups = groups();
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut oldest: BTreeMap<&str, f64> = BTreeMap::new();
    for group in &groups {
        *states.entry(group.status.as_str()).or_default() += group.count;
        if let Some(reason) = group.reason {
            *reasons.entry(reason.as_str()).or_default() += group.count;
            let age = group.oldest.unwrap_or_default().as_secs_f64();
            let known = oldest.entry(reason.as_str()).or_default();
            *known = known.max(age);
        }
    }
    let mut text = String::new();
    family(&mut text, "gopark_tasks", "Tasks by what they do.", "state", &states);
    family(
        &mut text,
        "gopark_waiting_tasks",
        "Parked tasks by what they wait for.",
        "reason",
        &reasons,
    );
    family(
        &mut text,
        "gopark_longest_wait_seconds",
        "For how long the task has waited that has waited longest.",
        "reason",
        &oldest,
    );
    one(&mut text, "gopark_maxprocs", "How many tasks can run at the same time.", maxprocs());
    one(&mut text, "gopark_threads", "Threads of the process.", threads());
    text
}

fn family<V: std::fmt::Display>(
    out: &mut String,
    name: &str,
    help: &str,
    label: &str,
    values: &BTreeMap<&str, V>,
) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (value, number) in values {
        // States and reasons have no quotes and no backslashes.
        let _ = writeln!(out, "{name}{{{label}=\"{value}\"}} {number}");
    }
}

fn one(out: &mut String, name: &str, help: &str, value: usize) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
}
