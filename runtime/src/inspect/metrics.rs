//! The scheduler in numbers, for a program that keeps an eye on itself.

use super::{WaitReason, schedtrace};
use crate::netpoll;
use crate::sched::counts::ELSEWHERE;
use crate::sched::figures::Figures;
use crate::sched::{SCHED, start_default};
use crate::task::scope;
use std::fmt::{self, Write as _};
use std::sync::atomic::Ordering;

/// What the scheduler has done so far, and what there is now. Go: `runtime/metrics`.
///
/// Those whose names end in "so far" only grow; the others come and go. All are plain
/// numbers, of events or of things; none is a time. Counting costs a store where
/// something happens. Adopted threads are no tasks: what they wait for is not counted.
///
/// Each number was true at some moment while they were read, which is not the same one
/// for all: a task may be counted as created and not yet as one that lives.
///
/// ```
/// use gopark::inspect::{Metrics, WaitReason};
///
/// let before = Metrics::now();
/// gopark::go(|| gopark::sleep(std::time::Duration::from_millis(1))).join().unwrap();
/// let after = Metrics::now();
/// assert!(after.created > before.created);
/// assert!(after.parks(WaitReason::Sleep) > before.parks(WaitReason::Sleep));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// Tasks that were made so far.
    pub created: u64,
    /// Tasks that were given a stack, to run for the first time, so far.
    pub started: u64,
    /// Tasks that have ended so far.
    pub finished: u64,
    /// How often a worker began a task or went on with one, so far.
    pub switches: u64,
    /// How often a parked task was made ready, so far.
    pub readies: u64,
    /// How often a worker took tasks from another processor's queue, so far.
    pub steals: u64,
    /// How often a task let others go first because it [wanted](crate::yield_now) to, so
    /// far.
    pub yields: u64,
    /// How often a task gave way at a safepoint, because it had had its slice and others
    /// waited, so far.
    pub gave_way: u64,
    /// How often a task was suspended by the signal for the same reason, so far.
    pub suspended: u64,
    /// How often a processor went straight from one worker to another that waited for
    /// it, so far.
    pub handovers: u64,
    /// [Blocking calls](crate::blocking) that a processor was lent for, so far.
    pub blocking_calls: u64,
    /// How often the signal found a task in a system call, and gave its processor to
    /// others, so far.
    pub detached: u64,
    /// How often a task came back from a call of either kind and went on at once, so far.
    pub resumed_at_once: u64,
    /// How often a task came back from one and had to wait for a processor, so far.
    pub resumed_later: u64,
    /// How often a task computed after a system call without a processor, and was
    /// suspended for that, so far.
    pub resumed_suspended: u64,
    /// How often unused memory of a parked task's stack was given back, so far.
    pub trims: u64,
    /// Tasks that were judged to be leaked so far.
    pub condemned: u64,
    /// Timers that have fired so far: those of sleeping and waiting tasks, too.
    pub timers_fired: u64,
    /// How often the kernel was asked which sockets are ready, so far.
    pub net_polls: u64,
    /// Tasks that live.
    pub tasks: usize,
    /// How many tasks can run at the same time: [`maxprocs`](crate::maxprocs).
    pub processors: usize,
    /// Processors that nobody holds.
    pub idle_processors: usize,
    /// OS threads of the runtime's own: workers, helpers of [`offload`](crate::offload),
    /// and two that run no tasks.
    pub threads: usize,
    /// Workers that have nothing to do.
    pub idle_threads: usize,
    /// Workers that look for something to do.
    pub spinning_threads: usize,
    /// Tasks that wait in the global queue, or on their threads for a processor.
    pub queued: usize,
    parks: [u64; WaitReason::COUNT],
}

impl Metrics {
    /// Reads them all. Takes the scheduler's lock for a moment; blocks nobody.
    pub fn now() -> Metrics {
        start_default();
        let figures = Figures::now();
        let (mut created, mut readies) = (ELSEWHERE.created(), ELSEWHERE.readies());
        let (mut started, mut finished, mut steals) = (0, 0, 0);
        let (mut blocking_calls, mut timers_fired) = (0, 0);
        for p in SCHED.all_processors() {
            finished += p.counts.finished.get();
            started += p.counts.started.get();
            created += p.counts.created.get();
            steals += p.counts.steals.get();
            blocking_calls += p.calls.get();
            timers_fired += p.timers.fired();
        }
        let (mut switches, mut yields, mut gave_way, mut suspended) = (0, 0, 0, 0);
        let (mut detached, mut resumed_at_once) = (0, 0);
        let (mut resumed_later, mut resumed_suspended) = (0, 0);
        let mut parks = [0; WaitReason::COUNT];
        for w in SCHED.workers() {
            switches += w.starts.load(Ordering::Relaxed);
            readies += w.counts.readies.get();
            yields += w.counts.yields.get();
            gave_way += w.counts.gave_way.get();
            suspended += w.counts.suspended.get();
            detached += w.counts.detached.get();
            resumed_at_once += w.counts.back_at_once.get();
            resumed_later += w.counts.back_queued.get();
            resumed_suspended += w.counts.back_suspended.get();
            parks.iter_mut().zip(&w.counts.parks).for_each(|(all, some)| *all += some.get());
        }
        Metrics {
            created,
            started,
            finished,
            switches,
            readies,
            steals,
            yields,
            gave_way,
            suspended,
            handovers: figures.handovers,
            blocking_calls,
            detached,
            resumed_at_once,
            resumed_later,
            resumed_suspended,
            trims: ELSEWHERE.trims(),
            condemned: ELSEWHERE.condemned(),
            timers_fired,
            net_polls: netpoll::polls(),
            tasks: scope::live_everywhere(),
            processors: figures.maxprocs as usize,
            idle_processors: figures.idle_processors,
            threads: schedtrace::threads(&figures),
            idle_threads: figures.idle_threads,
            spinning_threads: figures.spinning as usize,
            queued: figures.waiting,
            parks,
        }
    }

    /// How often a task has parked for this reason so far. Reasons of the same
    /// [words](WaitReason::as_str) are counted together.
    pub fn parks(&self, reason: WaitReason) -> u64 {
        let same = |other: &&WaitReason| other.as_str() == reason.as_str();
        WaitReason::ALL.iter().filter(same).map(|other| self.parks[*other as usize]).sum()
    }

    /// The same of this very reason.
    #[cfg(feature = "debug")]
    pub(crate) fn parks_for(&self, reason: WaitReason) -> u64 {
        self.parks[reason as usize]
    }

    /// The text that Prometheus scrapes (format 0.0.4): names `gopark_…`, counters with
    /// `_total` at their ends. Every series is there from the beginning.
    ///
    /// ```
    /// let text = gopark::inspect::Metrics::now().to_prometheus();
    /// assert!(text.contains("\n# TYPE gopark_tasks gauge\ngopark_tasks "));
    /// assert!(text.contains("\ngopark_parks_total{reason=\"chan receive\"} "));
    /// ```
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_prometheus(&mut text);
        text
    }

    fn write_prometheus(&self, text: &mut String) -> fmt::Result {
        let mut one = |name: &str, help: &str, value: u64| {
            head(text, name, help)?;
            writeln!(text, "{name} {value}")
        };
        one("gopark_tasks_created_total", "Tasks that were made.", self.created)?;
        one("gopark_tasks_started_total", "Tasks that have begun to run.", self.started)?;
        one("gopark_tasks_finished_total", "Tasks that have ended.", self.finished)?;
        one(
            "gopark_switches_total",
            "How often a worker began a task or went on with one.",
            self.switches,
        )?;
        one("gopark_readies_total", "How often a parked task was made ready.", self.readies)?;
        one(
            "gopark_steals_total",
            "How often a worker took tasks from another processor's queue.",
            self.steals,
        )?;
        one(
            "gopark_handovers_total",
            "How often a processor went to a worker that waited for it.",
            self.handovers,
        )?;
        one(
            "gopark_blocking_calls_total",
            "Blocking calls that a processor was lent for.",
            self.blocking_calls,
        )?;
        one(
            "gopark_detached_total",
            "How often a system call was found that had kept a processor.",
            self.detached,
        )?;
        one("gopark_yields_total", "How often a task let others go first.", self.yields)?;
        one("gopark_trims_total", "How often a parked task's stack was trimmed.", self.trims)?;
        one("gopark_condemned_total", "Tasks that were judged to be leaked.", self.condemned)?;
        one("gopark_timers_fired_total", "Timers that have fired.", self.timers_fired)?;
        one(
            "gopark_net_polls_total",
            "How often the kernel was asked which sockets are ready.",
            self.net_polls,
        )?;
        one(
            "gopark_tasks",
            "Tasks that live, the debug endpoint's own included.",
            self.tasks as u64,
        )?;
        one("gopark_processors", "How many tasks can run at a time.", self.processors as u64)?;
        one(
            "gopark_processors_idle",
            "Processors that nobody holds.",
            self.idle_processors as u64,
        )?;
        one("gopark_threads", "Threads of the runtime's own.", self.threads as u64)?;
        one(
            "gopark_threads_idle",
            "Worker threads that have nothing to do.",
            self.idle_threads as u64,
        )?;
        one(
            "gopark_threads_spinning",
            "Worker threads that look for something to do.",
            self.spinning_threads as u64,
        )?;
        one(
            "gopark_queued_tasks",
            "Tasks in the global queue, or waiting on their threads for a processor.",
            self.queued as u64,
        )?;
        let name = "gopark_preemptions_total";
        head(text, name, "How often a task had to let others go first, by how it came to that.")?;
        writeln!(text, "{name}{{by=\"safepoint\"}} {}", self.gave_way)?;
        writeln!(text, "{name}{{by=\"signal\"}} {}", self.suspended)?;
        let name = "gopark_resumed_total";
        head(text, name, "How often a task came back from a call, by how it went on.")?;
        writeln!(text, "{name}{{how=\"at_once\"}} {}", self.resumed_at_once)?;
        writeln!(text, "{name}{{how=\"later\"}} {}", self.resumed_later)?;
        writeln!(text, "{name}{{how=\"suspended\"}} {}", self.resumed_suspended)?;
        let name = "gopark_parks_total";
        head(text, name, "How often a task has parked, by the reason.")?;
        for (n, reason) in WaitReason::ALL.iter().enumerate() {
            let words = reason.as_str();
            if WaitReason::ALL[..n].iter().all(|before| before.as_str() != words) {
                writeln!(text, "{name}{{reason=\"{words}\"}} {}", self.parks(*reason))?;
            }
        }
        Ok(())
    }
}

/// Counters are those that are named so.
fn head(text: &mut String, name: &str, help: &str) -> fmt::Result {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `GOLDEN_UPDATE=1` writes the text anew.
    #[test]
    fn the_text_for_prometheus_is_the_one_that_is_checked_in() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/src/inspect/metrics.txt");
        let mut parks = [0; WaitReason::COUNT];
        parks.iter_mut().zip(100..).for_each(|(park, n)| *park = n);
        let text = Metrics {
            created: 1,
            started: 2,
            finished: 3,
            switches: 4,
            readies: 5,
            steals: 6,
            yields: 19,
            gave_way: 7,
            suspended: 8,
            handovers: 9,
            blocking_calls: 10,
            detached: 20,
            resumed_at_once: 21,
            resumed_later: 22,
            resumed_suspended: 23,
            trims: 24,
            condemned: 25,
            timers_fired: 11,
            net_polls: 12,
            tasks: 13,
            processors: 14,
            idle_processors: 15,
            threads: 16,
            idle_threads: 17,
            spinning_threads: 18,
            queued: u64::MAX as usize,
            parks,
        }
        .to_prometheus();
        if std::env::var_os("GOLDEN_UPDATE").is_some() {
            std::fs::write(golden, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(golden).unwrap_or_default());
    }
}
