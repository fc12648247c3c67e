//! Numbers in the form that Prometheus reads.

use crate::inspect::{Metrics, groups};
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
    let mut text = Metrics::now().to_prometheus();
    family(&mut text, "gopark_tasks_by_state", "Tasks by what they do.", "state", &states);
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
