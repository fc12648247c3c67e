//! What the endpoint shows.

use crate::child::{alone, here};
use crate::client::{Answer, connect, get, send};
use crate::{grammar, parked, waits};
use gopark::inspect::{Census, Snapshot, TaskInfo, WaitReason};
use gopark::{Scope, chan, debug};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// Tasks that wait until the sender is dropped.
fn waiting(count: usize) -> chan::Sender<u8> {
    let (tx, rx) = chan::rendezvous();
    for _ in 0..count {
        let rx = rx.clone();
        gopark::Builder::new().name("waits").go(move || waits(&rx)).unwrap();
    }
    tx
}

#[track_caller]
fn page(address: SocketAddr, path: &str, kind: &str) -> Answer {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some(kind), "{path}");
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()), "{path}");
    assert_eq!(answer.header("connection"), Some("close"), "{path}");
    answer
}

const TEXT: &str = "text/plain; charset=utf-8";

#[test]
fn each_page_shows_the_tasks() {
    alone(here!(), &[], shows_the_tasks);
}

fn shows_the_tasks() {
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let address = endpoint.local_addr();
    let tx = waiting(5);
    parked("live::waits", 5);

    let dump = page(address, "/debug/pprof/goroutine?debug=2", TEXT);
    let blocks = grammar::parse(dump.text()).unwrap_or_else(|why| panic!("{why}\n{}", dump.text()));
    let ours = |it: &&grammar::Block<'_>| it.frames[0].function.ends_with("live::waits");
    assert_eq!(blocks.iter().filter(ours).count(), 5, "{}", dump.text());
    let labels = page(address, "/debug/pprof/goroutine?debug=2&labels=1", TEXT);
    assert_eq!(labels.text().matches("[chan receive] {\"name\": \"waits\"}:").count(), 5);
    let runtime = page(address, "/debug/pprof/goroutine?debug=2&runtime=1", TEXT);
    assert!(runtime.text().contains("gopark::sched::park::"), "{}", runtime.text());
    let go_files = page(address, "/debug/pprof/goroutine?debug=2&gofiles=1", TEXT);
    assert!(go_files.text().contains("pages.rs.go:"), "{}", go_files.text());

    let counts = page(address, "/debug/pprof/goroutine?debug=1", TEXT);
    assert!(counts.text().starts_with("goroutine profile: total "), "{}", counts.text());
    assert!(counts.text().contains("\n5 @ 0x"), "{}", counts.text());
    let profile = page(address, "/debug/pprof/goroutine", "application/octet-stream");
    assert_eq!(&profile.body[..2], &[0x1f, 0x8b]);

    let json = page(address, "/debug/tasks.json", "application/json");
    let json: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    let ours = json.as_array().unwrap().iter().filter(|it| it["name"] == "waits");
    assert!(ours.clone().all(|it| it["frames"].is_array()));
    assert_eq!(ours.count(), 5);
    let short = page(address, "/debug/tasks.json?frames=0", "application/json");
    assert!(!short.text().contains("\"frames\""));

    let threads = page(address, "/debug/pprof/threadcreate?debug=1", TEXT);
    assert!(threads.text().starts_with("threadcreate profile: total "), "{}", threads.text());
    for path in ["/", "/debug/pprof", "/debug/pprof/"] {
        let index = page(address, path, "text/html; charset=utf-8");
        assert!(index.text().contains("href=\"/debug/pprof/goroutine?debug=2\""));
        assert!(index.header("content-security-policy").is_some());
    }
    endpoint.close();
    drop(tx);
}

#[test]
fn numbers_for_prometheus() {
    alone(here!(), &[("GOPARK_MAXPROCS", "3")], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let tx = waiting(4);
        parked("live::waits", 4);
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        let metrics = page(endpoint.local_addr(), "/metrics", kind);
        let text = metrics.text();
        for line in [
            "gopark_tasks_by_state{state=\"waiting\"} 4",
            "gopark_waiting_tasks{reason=\"chan receive\"} 4",
            "gopark_processors 3",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        // A comment, or a name and a number.
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, number) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("gopark_") && number.parse::<f64>().is_ok(), "{line}");
            let family = name.split('{').next().unwrap();
            let kind = if family.ends_with("_total") { "counter" } else { "gauge" };
            assert!(text.contains(&format!("# TYPE {family} {kind}\n")), "{line}");
        }
        drop(tx);
    });
}

#[test]
fn a_head_request_gets_no_body() {
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let answer = send(endpoint.local_addr(), b"HEAD /metrics HTTP/1.0\r\n\r\n");
    assert_eq!(answer.status, 200);
    assert!(answer.body.is_empty());
    assert_ne!(answer.header("content-length"), Some("0"));
}

#[test]
fn leaks_are_the_places_where_more_and_more_wait() {
    alone(here!(), &[], counts_places);
}

fn counts_places() {
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let look = |minutes: u32| {
        let answer = page(endpoint.local_addr(), &format!("/debug/leaks?minutes={minutes}"), TEXT);
        answer.text().to_owned()
    };
    // The line of a place: how many, how many more.
    let line = |text: &str| {
        let found = text.lines().find(|line| line.contains("live/main.rs:"));
        let found = found.unwrap_or_else(|| panic!("not there:\n{text}"));
        let cells: Vec<_> = found.split_whitespace().map(str::to_owned).collect();
        (cells[0].clone(), cells[1].clone())
    };
    let cells = |count: &str, growth: &str| (count.to_owned(), growth.to_owned());
    let first = waiting(2);
    parked("live::waits", 2);
    let text = look(0);
    assert!(text.contains("the first look"), "{text}");
    assert_eq!(line(&text), cells("2", "chan"), "{text}");
    let more = waiting(3);
    parked("live::waits", 5);
    let text = look(0);
    assert_eq!(line(&text), cells("5", "+3"), "{text}");
    assert!(text.contains("created by live::pages::waiting at "), "{text}");
    assert_eq!(line(&look(0)), cells("5", "+0"));
    drop(first);
    parked("live::waits", 3);
    assert_eq!(line(&look(0)), cells("3", "-2"));
    drop(more);
    parked("live::waits", 0);
    assert_eq!(line(&look(0)), cells("0", "-3"));
    // Nobody has waited for so long, and what was counted otherwise is not compared.
    let text = look(60);
    assert!(text.starts_with("0 tasks blocked for 60 minutes or longer, at 0 places"), "{text}");
    assert!(text.contains("the first look"), "{text}");
    // The looks of those who ask for another time are compared with each other.
    let last = waiting(1);
    parked("live::waits", 1);
    assert_eq!(line(&look(0)), cells("1", "+1"));
    assert!(look(60).contains("compared with the look"));
    drop(last);
}

/// The main thread waits for the first task as long as the program lives.
#[test]
fn who_waits_for_the_first_task_is_no_leak() {
    alone(here!(), &[], || {
        gopark::run(|| {
            let joins = || {
                let mut all = Snapshot::all().tasks.into_iter();
                all.any(|task| task.wait.is_some_and(|it| it.reason == WaitReason::Join))
            };
            while !joins() {
                gopark::yield_now();
            }
            let endpoint = debug::serve("127.0.0.1:0").unwrap();
            let address = endpoint.local_addr();
            // This task sleeps in the system while it reads.
            let text = get(address, "/debug/leaks?minutes=0").text().to_owned();
            assert!(text.starts_with("0 tasks blocked for 0 minutes or longer"), "{text}");
            let json = get(address, "/debug/tasks.json?minutes=0").text().to_owned();
            assert!(!json.contains("\"id\""), "{json}");
            // Another thread that is stuck is shown; nobody knows who has made it.
            let (tx, rx) = gopark::chan::rendezvous::<u8>();
            let thread = std::thread::spawn(move || rx.recv().is_err());
            let receives =
                |task: &TaskInfo| task.wait.is_some_and(|it| it.reason == WaitReason::ChanReceive);
            while !Snapshot::all().tasks.iter().any(receives) {
                gopark::yield_now();
            }
            let text = get(address, "/debug/leaks?minutes=0").text().to_owned();
            assert!(text.starts_with("1 task blocked for 0 minutes or longer"), "{text}");
            assert!(text.ends_with(" thread\n"), "{text}");
            drop(tx);
            thread.join().unwrap();
        });
    });
}

/// Its tasks are parked for input, one with a request that has not come to its end.
#[test]
fn it_does_not_show_itself() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let mut slow = TcpStream::connect(endpoint.local_addr()).unwrap();
        slow.write_all(b"GET /").unwrap();
        let tx = waiting(1);
        parked("live::waits", 1);
        // One that listens, one that reads, and ours.
        while gopark::num_tasks() != 3 {
            std::thread::yield_now();
        }
        let tasks = Snapshot::all().tasks;
        assert!(tasks.iter().all(|task| !task.entry.contains("gopark::debug")), "{tasks:?}");
        assert_eq!(tasks.iter().filter(|task| task.name.is_some()).count(), 1);
        let dump = get(endpoint.local_addr(), "/debug/pprof/goroutine?debug=2&runtime=1");
        assert!(!dump.text().contains("gopark::debug"), "{}", dump.text());
        let groups = gopark::inspect::groups();
        assert_eq!(groups.iter().map(|group| group.count).sum::<usize>(), 1, "{groups:?}");
        assert_eq!(Census::everywhere().members.len(), 1);
        drop(tx);
    });
}

/// Wherever it is started: it is nobody's leak, and nobody who might wake others.
#[test]
fn leak_checks_do_not_count_it() {
    alone(here!(), &[], || {
        let scope = Scope::new("checked");
        let entered = scope.enter();
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        drop(entered);
        assert_eq!(get(endpoint.local_addr(), "/metrics").status, 200);
        assert_eq!(scope.live(), 0);
        // The client's task has to see the end, too.
        while gopark::num_tasks() != 1 {
            std::thread::yield_now();
        }
        let census = Census::take(&scope);
        assert_eq!((census.members.len(), census.outside, census.timers), (0, 0, 0), "{census:?}");
    });
}

/// Others are served meanwhile, and nobody gets a second one.
#[test]
fn a_trace_takes_its_time() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let begun = std::time::Instant::now();
        let first = std::thread::spawn(move || get(address, "/debug/pprof/trace"));
        while !gopark::trace::is_enabled() {
            std::thread::yield_now();
        }
        assert_eq!(get(address, "/metrics").status, 200);
        let second = get(address, "/debug/pprof/trace?seconds=1");
        // If it came too late, it is a trace of its own.
        let early = second.status == 500;
        assert!(early || second.status == 200, "{}", second.head);
        let first = first.join().unwrap();
        assert_eq!(first.status, 200);
        assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
        assert!(first.body.starts_with(b"go 1.26 trace\0\0\0"));
        assert_eq!(first.header("content-disposition"), Some("attachment; filename=\"trace\""));
        if early {
            assert!(second.text().contains("a trace is being written already"));
        }
        assert!(!gopark::trace::is_enabled());
        assert_eq!(get(address, "/debug/pprof/trace?seconds=x").status, 400);
    });
}

#[test]
fn when_it_is_closed_nobody_listens() {
    let endpoint = debug::serve("127.93.71.6:0").unwrap();
    let address = endpoint.local_addr();
    assert_eq!(get(address, "/").status, 200);
    let slow = connect(address);
    endpoint.close();
    drop(slow);
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

/// Dropping what `serve` gives changes nothing, and answers come while tasks compute.
#[test]
fn it_goes_on_beside_tasks_that_compute() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || {
        let address = debug::serve("127.0.0.1:0").unwrap().local_addr();
        for _ in 0..3 {
            gopark::go(|| while std::hint::black_box(true) {});
        }
        for _ in 0..3 {
            let dump = get(address, "/debug/pprof/goroutine?debug=2");
            assert!(grammar::parse(dump.text()).unwrap().len() >= 3, "{}", dump.text());
        }
        drop(connect(address));
        assert!(
            Snapshot::all()
                .tasks
                .iter()
                .all(|it| it.wait.is_none_or(|it| it.reason != WaitReason::IoWait))
        );
    });
}
