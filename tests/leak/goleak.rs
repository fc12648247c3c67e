//! What goleak's own tests demand of it, and the tests that demand it here.
//!
//! goleak has eleven test functions of its own behaviour; the others test how it reads
//! Go's dumps, which here is the affair of those who write them. Where it differs from
//! goleak, the last column of a row has more tests than goleak has demands.
//!
//! # `leaks_test.go`
//!
//! | goleak | demands | here |
//! |---|---|---|
//! | `TestFind` | nothing is found at first; a blocked one is, with its function and who made it; nothing once it has ended | `leak::goleak::found_with_its_function_and_its_creator` |
//! | `TestFind` | `Cleanup` and `RunOnFailure` are refused: here they do not compile | `ui::test_main::mistakes` |
//! | `TestFindRetry` | one that ends while it is looked for is no leak | `leak::goleak::what_ends_meanwhile_is_not_found`, `leakcheck::verdict::a_task_that_ends_is_waited_for_without_looking` |
//! | `TestVerifyNone` | nothing is said at first; a leak fails the test | `leak::matrix::plain`, `leak::matrix::guard` |
//! | `TestVerifyNone` | the cleanup runs, leak or not | `leak::arguments::before_and_after_a_check` |
//! | `TestIgnoreCurrent` | what is there now is left out | `leak::filters::what_is_there_now_is_left_out` |
//! | `TestIgnoreCurrent` | what comes later is found | `leak::filters::what_comes_later_is_not` |
//! | `TestIgnoreCurrent` | also with the record of one that was there | `leak::filters::nor_what_takes_the_place_of_what_was_there` |
//! | `TestVerifyParallel` | a parallel test that waits for its turn is no leak; here parallel tests are told apart, too | `leak::parallel::every_leak_in_its_own_test_and_none_elsewhere` |
//!
//! # `testmain_test.go`: exit code × `RunOnFailure` × leak × `Cleanup`
//!
//! | exit code | `RunOnFailure` | leak | then | here |
//! |---|---|---|---|---|
//! | 0 | no | no | 0, nothing is said | `wrapped::codes::clean_tests_end_with_0_in_silence` |
//! | 0 | no | yes | 1, the report | `wrapped::codes::a_leak_makes_it_1` |
//! | 0 | yes | no | 0, nothing is said | `wrapped::codes::clean_tests_end_with_0_in_silence` |
//! | 0 | yes | yes | 1, the report | `wrapped::codes::a_leak_makes_it_1` |
//! | 7, here 101 | no | no | the same, nothing is said | `wrapped::codes::tests_that_failed_keep_their_code_and_nobody_looks` |
//! | 7, here 101 | no | yes | the same, nothing is said | `wrapped::codes::tests_that_failed_keep_their_code_and_nobody_looks` |
//! | 7, here 101 | yes | no | the same, nothing is said | `wrapped::codes::tests_that_failed_and_left_nothing_are_met_with_silence` |
//! | 7, here 101 | yes | yes | the same, the report | `wrapped::codes::unless_it_is_asked_for` |
//! | any | any | any | `Cleanup` is told the code, after the check | `wrapped::codes::hooks_are_told_the_code`, `wrapped::codes::hooks_come_before_and_after` |
//! | any but 101 | any | yes | a code of the program's own is kept | `wrapped::handlers::a_code_of_the_programs_own_is_kept` |
//!
//! In goleak a cleanup has to end the process itself. Here it cannot: the process ends
//! with the code whatever it does, and a panic of it fails the run
//! (`wrapped::codes::a_panic_of_a_hook_makes_it_1`).
//!
//! # `options_test.go`
//!
//! | goleak | demands | here |
//! |---|---|---|
//! | `TestOptionsFilters` | what is there without the test is left out | `leak::filters::nothing_else_is_found_and_the_top_function_is_left_out` |
//! | `TestOptionsFilters` | `IgnoreTopFunction` leaves out whoever waits there | `leak::filters::nothing_else_is_found_and_the_top_function_is_left_out`, `leakcheck::filter::the_top_function_is_the_one_that_waits` |
//! | `TestOptionsFilters` | the function that made it is none that it is in | `leak::filters::the_function_that_made_it_is_none_that_it_is_in` |
//! | `TestOptionsIgnoreCreatedBy` | by who made it; here by ancestors, too | `leak::filters::created_by_the_function_that_a_closure_is_written_in`, `leak::filters::created_by_ancestors_that_have_ended` |
//! | `TestOptionsIgnoreAnyFunction` | by any function that it is in | `leak::filters::the_function_that_made_it_is_none_that_it_is_in`, `leakcheck::filter::any_function_is_one_that_it_is_in` |
//! | `TestOptionsRetry` | it is looked for only so long; here by events and a deadline | `leakcheck::verdict::the_deadline_ends_it`, `leak::filters::how_long_a_search_takes` |
//! | `TestIgnoreCurrentNoStacks` | without anything there nothing is left out | `leakcheck::filter::no_rule_matches_nothing` |
//!
//! # What is left out without being asked
//!
//! | goleak | because | here |
//! |---|---|---|
//! | `isTestStack` | the harness waits for its tests; its threads wake nobody | `it::inspect::foreign::the_main_thread_is_foreign_unless_there_is_a_harness`, `it::inspect::census::threads_of_a_harness_do_not_count` |
//! | `isSyscallStack` | the runtime keeps a thread in C; here its own threads are known | `it::inspect::foreign::the_threads_of_a_sleeping_program_are_not_foreign`, `it::inspect::foreign::a_worker_that_just_starts_is_not_foreign` |
//! | `isStdLibStack` (`signal_test.go`) | signals are handled in the background; here in a handler, by no task | `leak::goleak::a_signal_makes_no_task` |
//! | `isTraceStack` | a trace is read in the background; daemons are left out | `leak::attribute::daemons_may_stay`, `wrapped::codes::daemons_and_what_is_filtered_may_stay` |
//!
//! # `internal/stack`
//!
//! | goleak | demands | here |
//! |---|---|---|
//! | `TestAll` | all are there, each with its state and functions | `it::inspect::snapshot::snapshots_are_sorted_and_have_each_task_once`, `it::inspect::snapshot::every_reason_and_place` |
//! | `TestCurrent`, `TestCurrentCreatedBy` | the caller is left out; who made it is none that it is in | `leak::verdict::from_inside_a_task`, `it::inspect::snapshot::parents_creators_and_entries` |
//! | `TestAllLargeStack` | many deep ones are read whole | `it::inspect::frames::of_a_deep_task`, `leak::many::a_hundred_thousand_are_one_block` |
//! | `TestParseStack`, `TestParseStackErrors`, `TestParseStackFixtures`, `TestParseFuncName`, `TestScan` | a dump is understood; here it is one that goleak understands | `golden::main::a_dump_of_a_busy_process_obeys_the_grammar`, `golden::main::the_dump_of_a_mixed_set_is_the_one_that_is_checked_in` |

use crate::support::{alone, here};
use gopark::chan::{self, Receiver, Sender};
use gopark::{JoinHandle, Scope};
use leakcheck::{Filter, Options, find, verify_none};
use std::fs;
use std::path::{Path, PathBuf};

/// A blocked task; goleak's fixture of the same name.
struct BlockedG {
    stop: Sender<()>,
    task: JoinHandle<()>,
}

fn run(started: Sender<()>, stopped: Receiver<()>) {
    drop(started);
    stopped.recv().unwrap_err();
}

fn start_blocked_g() -> BlockedG {
    let (started, begun) = chan::rendezvous();
    let (stop, stopped) = chan::rendezvous();
    let task = gopark::go(move || run(started, stopped));
    begun.recv().unwrap_err();
    BlockedG { stop, task }
}

impl BlockedG {
    fn unblock(self) {
        drop(self.stop);
        self.task.join().unwrap();
    }
}

#[test]
fn found_with_its_function_and_its_creator() {
    alone(here!(), || {
        let scope = Scope::new("goleak");
        let _in = scope.enter();
        find(&Filter::new()).unwrap();
        let blocked = start_blocked_g();
        let text = find(&Filter::new()).unwrap_err().to_string();
        assert!(text.contains("leak::goleak::start_blocked_g::{{closure}}"), "{text}");
        assert!(text.contains("created by leak::goleak::start_blocked_g"), "{text}");
        blocked.unblock();
        find(&Filter::new()).unwrap();
    });
}

#[test]
fn what_ends_meanwhile_is_not_found() {
    alone(here!(), || {
        let scope = Scope::new("goleak");
        let _in = scope.enter();
        let blocked = start_blocked_g();
        drop(find(&Filter::new()).unwrap_err());
        // It ends only if the check waits: the one that frees it has not begun yet.
        gopark::go(move || blocked.unblock());
        find(&Filter::new()).unwrap();
    });
}

#[test]
fn a_signal_makes_no_task() {
    extern "C" fn nothing(_: libc::c_int) {}
    alone(here!(), || {
        let guard = verify_none(Options::new());
        let handler = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: the handler accepts every signal and does nothing.
        assert_ne!(unsafe { libc::signal(libc::SIGUSR1, handler) }, libc::SIG_ERR);
        gopark::go(|| {
            // SAFETY: the signal is handled.
            assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        });
        drop(guard);
        assert_eq!(gopark::num_tasks(), 0);
    });
}

/// The rows of the tables, by their cells.
fn rows() -> Vec<Vec<&'static str>> {
    let text = include_str!("goleak.rs").lines().map_while(|line| line.strip_prefix("//!"));
    let rows = text.filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
    let rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    rows.filter(|row| row[0] != "---" && *row.last().expect("a cell") != "here").collect()
}

/// The paths in a cell.
fn tests(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Whether there is such a test: the folder of the program, the file of the module,
/// the function in it.
fn exists(path: &str) -> bool {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let (program, rest) = path.split_once("::").expect("a program and a path in it");
    let folder = match program {
        "leakcheck" => root.join("leakcheck/src"),
        program => root.join("tests").join(program),
    };
    let file = folder.join(rest.replace("::", "/"));
    if program == "ui" {
        return file.with_extension("rs").is_file();
    }
    let function = file.file_name().expect("a function").to_str().expect("a name").to_owned();
    let module = file.parent().expect("a module");
    let files: [PathBuf; 2] = [module.with_extension("rs"), module.join("mod.rs")];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok());
    text.is_some_and(|text| text.contains(&format!("fn {function}(")))
}

#[test]
fn every_test_of_the_table_exists() {
    assert!(exists("leak::goleak::every_test_of_the_table_exists"));
    for wrong in ["leak::goleak::no_such_test", "leak::nowhere::exists", "ui::verify_none::none"] {
        assert!(!exists(wrong), "{wrong}");
    }
    let rows = rows();
    assert!(rows.len() > 30, "{}", rows.len());
    let mut missing = Vec::new();
    for row in &rows {
        let named: Vec<&str> = tests(row.last().expect("a cell")).collect();
        assert!(!named.is_empty(), "no test in the row {row:?}");
        missing.extend(named.into_iter().filter(|path| !exists(path)));
    }
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}
