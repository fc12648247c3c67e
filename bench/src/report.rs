//! From samples to rows, and rows to a table.

use std::path::PathBuf;

use crate::goals::{self, Goal, Limit};
use crate::run::Outcome;
use crate::stats::{Stats, short};
use crate::workload::{Contender, Mode, Runtime};
use crate::workloads;

/// A finished run.
pub(crate) struct Report {
    /// Where and with what.
    pub(crate) machine: String,
    /// In the order of the workloads, default mode before migrating.
    pub(crate) rows: Vec<Line>,
    /// Who crashed, hung or computed nonsense.
    pub(crate) failures: Vec<String>,
    /// Why there is no Go column, if Go was wanted.
    no_go: Option<String>,
}

/// One row in one mode.
pub(crate) struct Line {
    /// The row's name.
    pub(crate) workload: &'static str,
    /// How gopark resumed tasks.
    pub(crate) mode: Mode,
    /// What gopark reached; none if it failed.
    pub(crate) gopark: Option<Stats>,
    /// What Go reached.
    pub(crate) go: Option<Stats>,
    /// The peer with the lowest median.
    pub(crate) peer: Option<(&'static str, Stats)>,
    /// Of the figures.
    pub(crate) unit: &'static str,
    /// Whether Go has the workload at all.
    in_go: bool,
    /// The other row that the goal compares with, and the ratio to it.
    of_row: Option<(&'static str, f64)>,
}

impl Line {
    /// gopark's median by Go's.
    pub(crate) fn ratio_go(&self) -> Option<f64> {
        Some(self.gopark?.median / self.go?.median)
    }

    /// gopark's median by the best peer's.
    pub(crate) fn ratio_peer(&self) -> Option<f64> {
        Some(self.gopark?.median / self.peer?.1.median)
    }

    /// The goal, as in the table of goals.
    pub(crate) fn goal(&self) -> &'static str {
        goals::of(self.workload).map_or("-", |goal| goal.text)
    }

    /// Whether the goal is met; none if that cannot be said.
    fn is_met(&self) -> Option<bool> {
        let (figure, limit) = match goals::of(self.workload)?.limit {
            Limit::OfGo(limit) => (self.ratio_go()?, limit),
            Limit::OfRow(_, limit) => (self.of_row?.1, limit),
            Limit::Fixed(limit) => (self.gopark?.median, limit),
            Limit::Shown => return None,
        };
        Some(figure <= limit)
    }

    fn cells(&self, no_go: bool) -> [String; 10] {
        let dash = || "-".to_owned();
        let go = match self.go {
            Some(stats) => short(stats.median),
            None if self.in_go && no_go => "not available".to_owned(),
            None => dash(),
        };
        let ratio = match self.of_row {
            Some((row, ratio)) => format!("{} of {row}", short(ratio)),
            None => self.ratio_go().map_or_else(dash, short),
        };
        let verdict = match self.is_met() {
            Some(true) => "met: ",
            Some(false) => "NOT MET: ",
            None if goals::of(self.workload).is_some_and(Goal::is_shown) => "",
            None => "unknown: ",
        };
        [
            self.workload.to_owned(),
            mode_name(self.mode).to_owned(),
            self.gopark.map_or("FAILED".to_owned(), |stats| short(stats.median)),
            self.gopark.map_or_else(dash, |it| format!("{} - {}", short(it.min), short(it.max))),
            self.unit.to_owned(),
            go,
            ratio,
            self.peer.map_or_else(dash, |(name, it)| format!("{name} {}", short(it.median))),
            self.ratio_peer().map_or_else(dash, short),
            format!("{verdict}{}", self.goal()),
        ]
    }
}

const HEADINGS: [&str; 10] = [
    "workload",
    "mode",
    "median",
    "min - max",
    "unit",
    "Go",
    "ratio",
    "best peer",
    "ratio",
    "goal",
];

/// The word for a mode.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Default => "default",
        Mode::Migrating => "migrating",
    }
}

impl Report {
    /// Forms medians and ratios.
    pub(crate) fn new(
        machine: String,
        outcomes: &[Outcome],
        go: &Result<PathBuf, String>,
    ) -> Report {
        let mut rows: Vec<_> = outcomes.iter().flat_map(lines).collect();
        relate(&mut rows);
        let entrants =
            outcomes.iter().flat_map(|it| it.entrants.iter().map(move |entrant| (it, entrant)));
        let failures = entrants.filter_map(|(outcome, entrant)| {
            let why = entrant.failure.as_ref()?;
            Some(format!("{} in {}: {why}", outcome.case.name, entrant.contender.name()))
        });
        Report {
            machine,
            failures: failures.collect(),
            no_go: go.as_ref().err().filter(|_| rows.iter().any(|row| row.in_go)).cloned(),
            rows,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut cells = vec![HEADINGS.map(str::to_owned)];
        cells.extend(self.rows.iter().map(|row| row.cells(self.no_go.is_some())));
        let width = |column: usize| {
            cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..HEADINGS.len()).map(width).collect();
        let mut text = format!("{}\n\n", self.machine);
        for row in &cells {
            let padded = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            text += line.trim_end();
            text.push('\n');
        }
        if let Some(why) = &self.no_go {
            text += &format!("\nGo: not available: {why}\n");
        }
        if !self.failures.is_empty() {
            text += &format!("\nFAILED:\n  {}\n", self.failures.join("\n  "));
        }
        text
    }
}

/// Both modes of all rows of a case.
fn lines(outcome: &Outcome) -> Vec<Line> {
    let stats = |index, name| outcome.stats(index, Contender::named(name)?);
    let mut lines = Vec::new();
    for (index, row) in outcome.case.rows.iter().enumerate() {
        for mode in [Mode::Default, Mode::Migrating] {
            let peers = Contender::ALL.into_iter().filter(|one| one.is_peer());
            let peers = peers.filter_map(|one| Some((one.name(), outcome.stats(index, one)?)));
            let ours = Contender { runtime: Runtime::Gopark, mode };
            lines.push(Line {
                workload: row.name,
                mode,
                gopark: outcome.stats(index, ours),
                go: stats(index, "go"),
                peer: peers.min_by(|(_, one), (_, other)| one.median.total_cmp(&other.median)),
                unit: row.unit,
                in_go: outcome.case.has_go(),
                of_row: None,
            });
        }
    }
    lines
}

/// Fills in the ratios of rows whose goal compares them with another row.
fn relate(rows: &mut [Line]) {
    for index in 0..rows.len() {
        let row = &rows[index];
        let Some(Limit::OfRow(other, _)) = goals::of(row.workload).map(|goal| goal.limit) else {
            continue;
        };
        let base = rows.iter().find(|one| one.workload == other && one.mode == row.mode);
        let ratio = base.and_then(|base| Some(row.gopark?.median / base.gopark?.median));
        rows[index].of_row = ratio.map(|ratio| (other, ratio));
    }
}

/// For `--list`.
pub(crate) fn list() -> String {
    let mut text = String::new();
    for family in workloads::ALL {
        text += &format!("{:12} {}\n", family.name, family.about);
        for row in family.cases.iter().flat_map(|case| case.rows) {
            let goal = goals::of(row.name).map_or("-", |goal| goal.text);
            text += &format!("    {:24} {:3} {goal}\n", row.name, row.unit);
        }
    }
    text
}
