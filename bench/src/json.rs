//! The rows for programs: `{"machine": …, "rows": [{"workload", "mode",
//! "gopark", "go", "ratio_go", "best_peer", "ratio_peer", "goal", "unit"}]}`.
//! A figure that does not exist is `null`; `best_peer` is its name and figure.

use std::fs::{self, OpenOptions};
use std::path::Path;

use serde_json::{Value, json};

use crate::report::{Line, Report, mode_name};

/// Fails now rather than after minutes of measuring.
pub(crate) fn check_writable(path: &Path) -> Result<(), String> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|why| format!("{}: {why}", path.display()))
}

/// Writes the report.
pub(crate) fn write(path: &Path, report: &Report) -> Result<(), String> {
    let text = format!("{:#}\n", value(report));
    fs::write(path, text).map_err(|why| format!("{}: {why}", path.display()))
}

fn value(report: &Report) -> Value {
    let rows: Vec<_> = report.rows.iter().map(row).collect();
    json!({ "machine": report.machine, "rows": rows })
}

fn row(line: &Line) -> Value {
    json!({
        "workload": line.workload,
        "mode": mode_name(line.mode),
        "gopark": line.gopark.map(|stats| stats.median),
        "go": line.go.map(|stats| stats.median),
        "ratio_go": line.ratio_go(),
        "best_peer": line.peer.map(|(name, it)| json!({ "name": name, "value": it.median })),
        "ratio_peer": line.ratio_peer(),
        "goal": line.goal(),
        "unit": line.unit,
    })
}
