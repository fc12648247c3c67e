//! What the live page is told, and what it is made of.

use crate::child::{alone, here};
use crate::client::get;
use crate::{parked, waits};
use gopark::inspect::{Kind, Snapshot, WaitReason};
use gopark::sync::Mutex;
use gopark::{Builder, chan, debug};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

#[track_caller]
fn json(address: SocketAddr, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    serde_json::from_str(answer.text()).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

pub(crate) fn waiting(count: usize, name: &str) -> chan::Sender<u8> {
    let (tx, rx) = chan::rendezvous();
    for _ in 0..count {
        let rx = rx.clone();
        Builder::new().name(name).label("kind", "Wärter").go(move || waits(&rx)).unwrap();
    }
    tx
}

/// Two tasks, each of which has the lock that the other one waits for. They stay.
pub(crate) fn circle(name: &str) -> [gopark::TaskId; 2] {
    let locks = [Arc::new(Mutex::new(())), Arc::new(Mutex::new(()))];
    let (both, go_on) = (Arc::new(gopark::sync::Barrier::new(2)), name);
    let tasks = [0, 1].map(|n| {
        let (mine, other) = (locks[n].clone(), locks[1 - n].clone());
        let both = both.clone();
        let task = Builder::new().name(format!("{go_on} {n}"));
        task.go(move || {
            let _mine = mine.lock();
            both.wait();
            drop(other.lock());
        })
        .unwrap()
        .id()
    });
    let stuck = |id: &gopark::TaskId| {
        let all = Snapshot::all().tasks;
        all.iter().any(|task| {
            task.id == *id && task.wait.is_some_and(|it| it.reason == WaitReason::MutexLock)
        })
    };
    while !tasks.iter().all(stuck) {
        std::thread::yield_now();
    }
    tasks
}

#[test]
fn counts_belong_together() {
    alone(here!(), &[("GOPARK_MAXPROCS", "3")], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let tx = waiting(5, "waits");
        parked("live::waits", 5);
        let state = json(address, "/debug/live.json?minutes=0");
        assert_eq!(state["tasks"], 5);
        assert_eq!(state["states"]["waiting"], 5, "{state}");
        assert_eq!((&state["level"], &state["warning"]), (&"few".into(), &false.into()));
        assert_eq!(list(&state["processors"]).len(), 3);
        assert_eq!(state["pid"], std::process::id());
        let groups = list(&state["groups"]);
        assert_eq!(groups.len(), 1, "{state}");
        let group = &groups[0];
        assert_eq!((&group["count"], &group["blocked"]), (&5.into(), &5.into()));
        assert_eq!(group["reason"], "chan receive");
        assert!(group["site"].as_str().unwrap().contains("live/main.rs:"), "{group}");
        // Nobody has waited for so long.
        let long = json(address, "/debug/live.json?minutes=60");
        assert_eq!((&long["blocked"], &long["groups"][0]["blocked"]), (&0.into(), &0.into()));
        // The endpoint's own tasks are counted where they come and go.
        let counts = &state["counts"];
        let count = |of: &Value, key: &str| of[key].as_u64().unwrap();
        assert!(count(counts, "go") >= 6 && count(counts, "start") >= 6, "{counts}");
        drop(tx);
        while Snapshot::all().tasks.iter().any(|task| task.kind == Kind::Task) {
            std::thread::yield_now();
        }
        let after = json(address, "/debug/live.json");
        assert_eq!(after["tasks"], 0, "{after}");
        assert!(count(&after["counts"], "end") >= count(counts, "end") + 5);
        assert!(count(&after["counts"], "ready") >= count(counts, "ready") + 5);
    });
}

#[test]
fn tasks_are_found_by_what_is_said_of_them() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let first = waiting(3, "porter");
        let second = waiting(2, "cook & porter");
        let tasks = parked("live::waits", 5);
        let found = |query: &str| {
            let tasks = json(address, &format!("/debug/tasks.json?{query}"));
            // This test's thread is there, too.
            list(&tasks).iter().filter(|task| task["kind"] == "task").count()
        };
        let group = json(address, "/debug/live.json")["groups"][0]["key"].clone();
        let id = tasks[0].id;
        for (query, count) in [
            ("frames=0", 5),
            ("frames=0&q=porter&limit=2", 2),
            ("q=cook", 2),
            ("q=cook+%26+porter", 2),
            ("q=COOK%20porter", 2),
            ("q=kind%3Dw%C3%A4rter", 5),
            ("q=nobody", 0),
            ("q=chan+receive+state.rs", 5),
            ("status=waiting", 5),
            ("status=running", 0),
            ("minutes=0", 5),
            ("minutes=60", 0),
            (&format!("q={id}&limit=1"), 1),
            (&format!("group={}", group.as_str().unwrap()), 5),
            ("group=0000000000000000", 0),
        ] {
            assert_eq!(found(query), count, "{query}");
        }
        for wrong in ["group=1", "status=asleep", "limit=x", "minutes=-1", "frames=maybe"] {
            assert_eq!(get(address, &format!("/debug/tasks.json?{wrong}")).status, 400, "{wrong}");
        }
        drop((first, second));
    });
}

#[test]
fn one_task_shows_whom_it_waits_for() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let of = |id: gopark::TaskId| json(address, &format!("/debug/task.json?id={id}"));
        let [a, b] = circle("holds");

        // A circle: two nodes, an arrow to and fro.
        let one = of(a);
        let nodes = list(&one["nodes"]);
        let tasks: Vec<u64> = nodes.iter().map(|node| node["task"].as_u64().unwrap()).collect();
        assert_eq!(tasks, [a.get(), b.get()], "{one}");
        assert_eq!(nodes[0]["level"], 0);
        let arrows: Vec<_> =
            list(&one["edges"]).iter().map(|it| (&it["from"], &it["to"])).collect();
        assert_eq!(arrows, [(&0.into(), &1.into()), (&1.into(), &0.into())], "{one}");
        let what = one["edges"][0]["what"].as_str().unwrap();
        assert!(what.starts_with(&format!("a lock, taken at {}", file!())), "{what}");
        let frames = list(&one["task"]["frames"]);
        assert!(frames.iter().any(|it| it["function"].as_str().unwrap().contains("circle")));

        // Somebody joins who waits on a channel that another one has used.
        let (tx, rx) = chan::rendezvous::<u8>();
        let user = tx.clone();
        let used = gopark::go(move || {
            user.send(1).unwrap();
            gopark::sleep(std::time::Duration::from_secs(3600));
        });
        let reader = gopark::go(move || while rx.recv().is_ok() {});
        let reader_id = reader.id();
        let joiner = gopark::go(move || drop(reader.join()));
        let (used, joiner_id) = (used.id(), joiner.id());
        let waits_for = |id: gopark::TaskId, reason: WaitReason| {
            let is = |task: &gopark::inspect::TaskInfo| {
                task.id == id && task.wait.is_some_and(|it| it.reason == reason)
            };
            while !Snapshot::all().tasks.iter().any(is) {
                std::thread::yield_now();
            }
        };
        waits_for(used, WaitReason::Sleep);
        waits_for(reader_id, WaitReason::ChanReceive);
        waits_for(joiner_id, WaitReason::Join);
        let one = of(reader_id);
        let titles: Vec<&str> =
            list(&one["nodes"]).iter().map(|it| it["title"].as_str().unwrap()).collect();
        let (reader, joiner) = (format!("task {reader_id}"), format!("task {joiner_id}"));
        let user = format!("task {used}");
        assert!(titles.starts_with(&[&reader, "a channel", &user, "a timer"]), "{titles:?}");
        let channel = one["nodes"][1]["detail"].as_str().unwrap();
        assert!(channel.ends_with("; unbuffered; 2 senders, 1 receiver"), "{channel}");
        assert_eq!(titles.last(), Some(&&*joiner), "{one}");
        assert_eq!(list(&one["nodes"]).last().unwrap()["level"], -1);
        // From the other end the same.
        let one = of(joiner_id);
        assert_eq!(one["edges"][0]["what"], "its end");
        assert_eq!(one["nodes"][1]["task"], reader_id.get());
        drop(tx);

        assert_eq!(get(address, "/debug/task.json?id=999999999").status, 404);
        for wrong in ["", "?id=", "?id=x", "?id=-1", "?id=99999999999999999999999"] {
            assert_eq!(get(address, &format!("/debug/task.json{wrong}")).status, 400, "{wrong}");
        }
    });
}

/// The text between two others.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to} behind {from}")).0
}

#[test]
fn the_page_is_one_file_in_which_nothing_else_runs() {
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let page = get(endpoint.local_addr(), "/debug/tasks");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let nonce = between(policy, "script-src 'nonce-", "'");
    assert!(nonce.len() == 32 && policy.contains(&format!("style-src 'nonce-{nonce}'")));
    let text = page.text();
    assert_eq!(text.matches("<script").count(), 1);
    assert_eq!(text.matches(&format!("<script nonce=\"{nonce}\">")).count(), 1);
    assert_eq!(text.matches("<style").count(), 1);
    assert_eq!(text.matches(&format!("<style nonce=\"{nonce}\">")).count(), 1);
    // Nothing from elsewhere, and no scripts or styles in attributes.
    let html = text.replace("http://www.w3.org/2000/svg", "");
    for foreign in ["http:", "https:", "//cdn", " src=", " style=", " onclick=\"", "@import"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    // Nobody who knows one page knows the next.
    let next = get(endpoint.local_addr(), "/debug/tasks");
    assert_ne!(next.header("content-security-policy"), Some(policy));
}

#[test]
fn more_than_is_normal_is_worth_a_warning() {
    alone(here!(), &[("GOPARK_STACK", "64K")], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let looks = || {
            let leaks = get(address, "/debug/leaks?minutes=0");
            (json(address, "/debug/live.json"), leaks.text().to_owned())
        };
        let normal = waiting(1_000, "normal");
        let (state, leaks) = looks();
        assert_eq!((&state["tasks"], &state["warning"]), (&1_000.into(), &false.into()));
        assert!(!leaks.contains("WARNING"), "{leaks}");
        let one_more = waiting(1, "one more");
        let (state, leaks) = looks();
        assert_eq!((&state["level"], &state["warning"]), (&"watch".into(), &true.into()));
        let line = leaks.lines().nth(1).unwrap();
        assert!(line.starts_with("WARNING: 1001 tasks live; so many are normal"), "{leaks}");
        drop((normal, one_more));
    });
}
