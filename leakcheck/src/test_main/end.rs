//! What is left when the tests are over, and what is said of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gopark::inspect::{
    Census, Kind, Snapshot, Status, TaskInfo, explain, foreign_threads, mark_harness_thread,
};
use gopark::{Scope, ScopeId, TaskId, UnseenPanic, WatchAll};

use super::{TestMain, threads};
use crate::cycle::{self, Cycle};
use crate::report::{Report, Subject};
use crate::scope::{Remains, is_left_out, prepare};
use crate::settings::Timing;
use crate::source::Found;
use crate::verdict::{self, Look, Stamped, Verdict, World};
use crate::{Filter, sys};

/// Whether there will be a look at the end.
static EXPECTED: AtomicBool = AtomicBool::new(false);

/// What has been checked already of a scope.
#[derive(Debug)]
pub(super) enum Settled {
    Wholly,
    /// Not its threads: by this rule they are no leaks.
    TasksOf(Subject, Filter),
}

type AllSettled = HashMap<ScopeId, Settled>;

/// Scopes that have been checked already. Their numbers are never used again.
static SETTLED: Mutex<Option<AllSettled>> = Mutex::new(None);

fn all_settled() -> MutexGuard<'static, Option<AllSettled>> {
    SETTLED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Before `main`: from now on tests have scopes, and the end is looked at.
pub(super) fn expect_the_end() {
    use gopark::__private::{Refused, at_exit};
    match at_exit(|code| {
        gopark::__private::mark_ending_thread();
        super::at_exit(code)
    }) {
        Ok(()) => follow_the_tests(),
        Err(Refused::Untold) => eprintln!(
            "leakcheck: the C library does not tell exit codes; nothing is checked when the tests end"
        ),
        Err(Refused::Taken) => panic!("leakcheck: the end of this program is watched already"),
    }
}

/// From now on it is known what belongs to which test, and what is checked already.
pub(crate) fn follow_the_tests() {
    EXPECTED.store(true, Ordering::Relaxed);
    gopark::__private::name_tests();
    gopark::inspect::keep_ancestors();
    // Not now: before `main` nobody knows what crates state.
    gopark::__private::keep_creation_stacks_if(super::keeps_creation_stacks);
    if sys::wrapped() {
        sys::trace_all();
    }
}

/// A check of this scope has said what there was to say. If nobody stated whether it
/// was to look at threads, those are left to the end.
pub(crate) fn settled(scope: &Scope, subject: &Subject, filter: &Filter, threads_stated: bool) {
    if EXPECTED.load(Ordering::Relaxed) {
        let settled = match threads_stated || gopark::threads::count(scope) == 0 {
            true => Settled::Wholly,
            false => Settled::TasksOf(subject.clone(), filter.clone()),
        };
        all_settled().get_or_insert_default().insert(scope.id(), settled);
    }
}

/// Looks at what is left and says so.
pub(super) fn is_left(main: &TestMain, code: i32) -> bool {
    // Nonsense in the settings is said in any case.
    let timing = main.options.timing();
    let start = Instant::now();
    let settled = all_settled().take().unwrap_or_default();
    let (mut reports, settled) = reports_of_tasks(main, settled, timing);
    if main.reports_threads() {
        let filter = &main.options.filter;
        for (owner, found) in threads::left(filter, &settled, timing, start) {
            add(&mut reports, owner, found);
        }
    }
    if reports.is_empty() {
        return false;
    }
    let reports: Vec<(Owner, Report)> = reports.into_iter().collect();
    eprint!("{}", text(&reports, code));
    reports.iter().for_each(|(_, report)| report.tell_machines());
    true
}

type Reports = BTreeMap<Owner, Report>;

fn add(reports: &mut Reports, owner: Owner, found: Found) {
    let report = reports.remove(&owner);
    let report = report.unwrap_or_else(|| Report::new(owner.subject(), None, Vec::new()));
    reports.insert(owner, report.and(Some(found)));
}

/// Whom a report is about, in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Test(String),
    Scope(String),
    Nobody,
}

impl Owner {
    pub(super) fn of(scope: &Scope) -> Owner {
        match scope.id().get() {
            0 => Owner::Nobody,
            _ if gopark::__private::is_of_test(scope) => Owner::Test(scope.name()),
            _ => Owner::Scope(scope.name()),
        }
    }

    pub(super) fn of_subject(subject: &Subject) -> Owner {
        match subject {
            Subject::Test(name) => Owner::Test(name.clone()),
            Subject::Scope(name) => Owner::Scope(name.clone()),
            Subject::Root => Owner::Nobody,
        }
    }

    fn subject(&self) -> Subject {
        match self {
            Owner::Test(name) => Subject::Test(name.clone()),
            Owner::Scope(name) => Subject::Scope(name.clone()),
            Owner::Nobody => Subject::Root,
        }
    }
}

/// One report for each owner that has left tasks.
fn reports_of_tasks(main: &TestMain, settled: AllSettled, timing: Timing) -> (Reports, AllSettled) {
    if !gopark::__private::is_started() {
        return (Reports::new(), settled);
    }
    mark_harness_thread();
    let everything = Everything {
        watch: Scope::watch_all(),
        settled,
        filter: main.options.filter.clone(),
        start: Instant::now(),
    };
    let verdict = verdict::decide(&everything, timing);
    let mut owners: BTreeMap<Owner, (Vec<TaskInfo>, Vec<UnseenPanic>)> = BTreeMap::new();
    let mut after = Duration::ZERO;
    let mut whole = None;
    let scopes: Vec<Scope> =
        Scope::all().into_iter().filter(|it| !everything.settled.contains_key(&it.id())).collect();
    if let Verdict::Leaked { view, proven, deadlock, after: so_long } = verdict {
        after = so_long;
        let cycles = deadlock.map(|earlier| cycle::lasting(&earlier.cycles, &view.census.locks));
        let cycles = cycles.unwrap_or_default();
        let caught =
            Caught { doomed: cycle::doomed(&cycles, &view.census.locks), cycles, alone: !proven };
        for scope in &scopes {
            let of_scope = |task: &&TaskInfo| task.scope == scope.id();
            let mut tasks: Vec<TaskInfo> = view.tasks.iter().filter(of_scope).cloned().collect();
            // Before they are condemned: it takes tasks in the state that was seen.
            explain(&mut tasks);
            if proven {
                condemn(scope, &view.census, &mut tasks, &everything.filter);
            }
            if !tasks.is_empty() {
                owners.entry(Owner::of(scope)).or_default().0.extend(tasks);
            }
        }
        whole = Some((view, proven, caught));
    }
    for scope in &scopes {
        let panics = scope.take_panics();
        if !panics.is_empty() {
            owners.entry(Owner::of(scope)).or_default().1.extend(panics);
        }
    }
    let reports = owners.into_iter().filter_map(|(owner, (tasks, panics))| {
        let remains =
            whole.as_ref().and_then(|whole| remains_of(tasks, whole, after, &everything.filter));
        let nothing = remains.is_none() && panics.is_empty();
        (!nothing).then(|| {
            let report = Report::new(owner.subject(), remains, panics);
            (owner, report)
        })
    });
    let reports = reports.collect();
    (reports, everything.settled)
}

/// Marks what is proven to be leaked, for dumps.
fn condemn(scope: &Scope, census: &Census, tasks: &mut [TaskInfo], filter: &Filter) {
    let leaked = tasks.iter_mut().filter(|task| !is_left_out(filter, task));
    let mut ids = HashSet::new();
    for task in leaked {
        task.status = Status::Leaked;
        ids.insert(task.id);
    }
    let members: Vec<_> =
        census.members.iter().filter(|it| ids.contains(&it.id)).copied().collect();
    scope.condemn(&members);
}

/// What one owner has left, if that is a leak. All others are outside.
fn remains_of(
    tasks: Vec<TaskInfo>,
    (view, proven, caught): &(View, bool, Caught),
    after: Duration,
    filter: &Filter,
) -> Option<Remains> {
    let own: HashSet<_> = tasks.iter().map(|task| task.id).collect();
    let (left_out, leaked): (Vec<_>, Vec<_>) =
        tasks.into_iter().partition(|task| is_left_out(filter, task));
    let cycles: Vec<Cycle> =
        caught.cycles.iter().filter(|it| own.iter().any(|task| it.has(*task))).cloned().collect();
    let alone = caught.alone && !caught.cycles.is_empty();
    let (leaked, others): (Vec<_>, Vec<_>) =
        leaked.into_iter().partition(|task| !alone || caught.doomed.contains(&task.id));
    if leaked.is_empty() {
        return None;
    }
    let moving = |task: &&TaskInfo| !own.contains(&task.id) && !task.durably_blocked();
    Some(Remains {
        leaked,
        left_out,
        proven: *proven || alone,
        after,
        outside: view.census.outside + view.tasks.iter().filter(moving).count(),
        timers: view.census.timers,
        foreign: if *proven { Vec::new() } else { foreign_threads() },
        cycles,
        doomed: caught.doomed.clone(),
        others: others.len(),
    })
}

/// All that is printed.
fn text(reports: &[(Owner, Report)], code: i32) -> String {
    let tests: Vec<&str> = reports
        .iter()
        .filter_map(|(owner, _)| match owner {
            Owner::Test(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let passed = code == 0;
    let mut text = String::from("\nleakcheck: ");
    text.push_str(match (passed, tests.len()) {
        (true, 0) => "all tests passed, but something is left that belongs to none of them\n",
        (true, 1) => "all tests passed, but this one left something behind:\n",
        (true, _) => "all tests passed, but these left something behind:\n",
        (false, 0) => "tests failed, and something is left that belongs to none of them\n",
        (false, 1) => "tests failed, and this one, failed or passed, left something behind:\n",
        (false, _) => "tests failed, and these, failed or passed, left something behind:\n",
    });
    // Writing to a string does not fail.
    for test in &tests {
        let _ = writeln!(text, "    {test}");
    }
    for (owner, report) in reports {
        if *owner == Owner::Nobody {
            text.push_str("\nWhat belongs to no test:");
        }
        let _ = write!(text, "\n{report}");
    }
    if passed {
        text.push_str("\nleakcheck: the exit code is 1 for that\n");
    }
    text
}

/// All tasks of the process as one.
struct Everything {
    watch: WatchAll,
    settled: AllSettled,
    filter: Filter,
    start: Instant,
}

/// Tasks that wait for each other's locks.
struct Caught {
    cycles: Vec<Cycle>,
    doomed: HashSet<TaskId>,
    /// Nothing is known of the others.
    alone: bool,
}

struct View {
    census: Census,
    /// All tasks, those of settled scopes included: they may wake others.
    tasks: Vec<TaskInfo>,
    /// Daemons, which a census leaves out.
    daemons: Vec<Stamped>,
    cycles: Vec<Cycle>,
}

impl World for Everything {
    type View = View;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn live(&self) -> usize {
        gopark::num_tasks()
    }

    fn epoch(&self) -> u32 {
        self.watch.epoch()
    }

    fn wait(&self, seen: u32, timeout: Duration) {
        self.watch.wait(seen, timeout);
    }

    fn look(&self) -> Look<View> {
        self.watch.renew();
        let born = gopark::__private::born();
        let census = Census::everywhere();
        let mut tasks = Snapshot::all().tasks;
        tasks.retain(|task| task.kind == Kind::Task);
        prepare(&self.filter, &mut tasks);
        let complete = gopark::__private::born() == born;

        let daemons = || tasks.iter().filter(|task| task.daemon);
        let blocked = census.all_blocked() && daemons().all(TaskInfo::durably_blocked);
        // Reading the list of threads is the dearest part if few are left.
        let quiet = census.outside == 0 && census.timers == 0;
        let still = blocked && quiet && census.unknown_threads().is_empty();
        let ready: Vec<Stamped> = census
            .members
            .iter()
            .filter(|it| it.runnable)
            .map(|it| (it.id.get(), it.stamp))
            .collect();
        let candidates: HashSet<TaskId> = tasks
            .iter()
            .filter(|task| {
                !self.settled.contains_key(&task.scope) && !is_left_out(&self.filter, task)
            })
            .map(|task| task.id)
            .collect();
        let mut cycles = cycle::find(&census.locks);
        cycles.retain(|cycle| candidates.iter().any(|task| cycle.has(*task)));
        let daemons = daemons().map(|task| (task.id.get(), task.stamp)).collect();
        Look {
            candidates: candidates.len(),
            complete,
            still,
            restless: blocked || !ready.is_empty(),
            ready,
            deadlock: !cycles.is_empty(),
            view: View { census, tasks, daemons, cycles },
        }
    }

    fn same(earlier: &View, later: &View) -> bool {
        earlier.census.same(&later.census) && earlier.daemons == later.daemons
    }

    fn same_deadlock(earlier: &View, later: &View) -> bool {
        !cycle::lasting(&earlier.cycles, &later.census.locks).is_empty()
    }
}
