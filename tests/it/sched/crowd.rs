//! Warnings of too many tasks.

use crate::captured::Captured;
use crate::child::{Child, alone, here, inside};
use crate::support::{info, until};
use gopark::{JoinHandle, chan};

const MANY: &[(&str, &str)] = &[("GOPARK_DEBUG", "warntasks=20,watchdog=0")];

/// Tasks that wait until it is dropped.
struct Crowd {
    tasks: Vec<JoinHandle<bool>>,
    rx: chan::Receiver<()>,
    _tx: chan::Sender<()>,
}

impl Crowd {
    fn of(count: usize) -> Crowd {
        let (tx, rx) = chan::rendezvous();
        let mut crowd = Crowd { tasks: Vec::new(), rx, _tx: tx };
        crowd.grow_to(count);
        crowd
    }

    fn grow_to(&mut self, count: usize) {
        while self.tasks.len() < count {
            let rx = self.rx.clone();
            self.tasks.push(gopark::go(move || rx.recv().is_ok()));
        }
        let parked = |task: &JoinHandle<bool>| info(task.id()).is_some_and(|it| it.wait.is_some());
        until("all wait", || self.tasks.iter().all(parked));
    }
}

fn warnings(text: &str) -> Vec<String> {
    text.split("gopark: warning: ").skip(1).map(str::to_owned).collect()
}

#[test]
fn more_than_so_many_are_worth_a_warning_and_so_is_each_doubling() {
    alone(here!(), MANY, || {
        let captured = Captured::new();
        let mut crowd = Crowd::of(20);
        for (n, (most, next)) in [(20, 40), (40, 80)].into_iter().enumerate() {
            crowd.grow_to(most);
            // Nobody is to say anything yet; two looks, if this thread is not delayed.
            std::thread::sleep(std::time::Duration::from_millis(1100));
            crowd.grow_to(most + 1);
            let ends = format!("\n\tthe next warning comes with more than {next}\n");
            until("there is a warning", || captured.text().contains(&ends));
            let found = warnings(&captured.text());
            assert_eq!(found.len(), n + 1, "{found:?}");
            let live = most + 1;
            let says = format!(
                "{live} tasks live, more than {most} (GOPARK_DEBUG=warntasks); most of them are\n\t"
            );
            assert!(found[n].starts_with(&says), "not {says:?}:\n{}", found[n]);
            // The last one may have been on its way.
            let group =
                |count| format!("\t{count} tasks: chan receive at tests/it/sched/crowd.rs:");
            let has = |count| found[n].contains(&group(count));
            assert!(has(live) || has(most), "{}", found[n]);
        }
    });
}

#[test]
fn without_the_setting_nobody_warns() {
    if inside(here!()) {
        drop(Crowd::of(200));
        return;
    }
    let ended = Child::new(here!()).env("GOPARK_DEBUG", "watchdog=0").run();
    ended.passed(here!());
    assert!(warnings(&ended.stderr).is_empty(), "{}", ended.stderr);
}
