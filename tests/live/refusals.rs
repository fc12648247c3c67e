//! What is not answered, and who is not.

use crate::child::{alone, here};
use crate::client::{get, send};
use crate::parked;
use crate::state::waiting;
use gopark::debug::{self, Server};
use gopark::inspect::{Kind, Snapshot};
use std::io::ErrorKind;

#[test]
fn requests_that_are_refused() {
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let address = endpoint.local_addr();
    let large = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(9000));
    let header = format!("GET / HTTP/1.0\r\nA: {}\r\n\r\n", "a".repeat(9000));
    let endless = "a".repeat(50_000);
    for (request, status) in [
        ("GET /nothing HTTP/1.0\r\n\r\n", 404),
        ("GET /debug/pprof/heap HTTP/1.0\r\n\r\n", 404),
        ("GET /debug/pprof/goroutine?debug=7 HTTP/1.0\r\n\r\n", 400),
        ("GET /debug/leaks?minutes=x HTTP/1.0\r\n\r\n", 400),
        ("GET /debug/pprof/trace?seconds=.5 HTTP/1.0\r\n\r\n", 400),
        ("GET /debug/pprof/profile?seconds=1e3 HTTP/1.0\r\n\r\n", 400),
        ("GET /debug/pprof/block?seconds=x HTTP/1.0\r\n\r\n", 400),
        ("GET /debug/pprof/goroutine?seconds=1 HTTP/1.0\r\n\r\n", 400),
        ("GET /debug/pprof/threadcreate?seconds=1 HTTP/1.0\r\n\r\n", 400),
        ("GET /../../etc/passwd HTTP/1.0\r\n\r\n", 400),
        ("GET /debug/pprof/../../../etc/passwd HTTP/1.0\r\n\r\n", 400),
        ("GET /%2e%2e/etc/passwd HTTP/1.0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example:6060\r\n\r\n", 403),
        ("GET /metrics HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403),
        ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("PUT /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n1234567", 413),
        ("GET / HTTP/3.0\r\n\r\n", 505),
        ("\u{1}\u{2}\u{3}\r\n\r\n", 400),
        ("hello\r\n", 400),
        (&large, 431),
        (&header, 431),
        (&endless, 431),
        ("GET / HTTP/1.1\r\nHost: LOCALHOST:1\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", 200),
    ] {
        let answer = send(address, request.as_bytes());
        let start = &request[..request.len().min(80)];
        assert_eq!(answer.status, status, "{start:?}: {}", answer.text());
        assert_eq!(answer.header("allow").is_some(), status == 405, "{start:?}");
        // With this `go tool pprof` shows what is wrong.
        assert_eq!(answer.header("x-go-pprof"), (status != 200).then_some("1"), "{start:?}");
    }
    assert_eq!(get(address, "/metrics").status, 200);
}

/// Every path that the documentation of the endpoint names, with what it wants.
const PATHS: [&str; 21] = [
    "/",
    "/debug/pprof/",
    "/debug/pprof/goroutine",
    "/debug/pprof/goroutine?debug=1",
    "/debug/pprof/goroutine?debug=2&labels=1&runtime=1",
    "/debug/pprof/threadcreate",
    "/debug/pprof/threadcreate?debug=1",
    "/debug/pprof/block",
    "/debug/pprof/block?debug=1",
    "/debug/pprof/mutex",
    "/debug/pprof/profile?seconds=1",
    "/debug/pprof/trace?seconds=1",
    "/debug/leaks",
    "/debug/leaks?minutes=0",
    "/debug/tasks",
    "/debug/tasks.json",
    "/debug/tasks.json?frames=0&q=x&limit=3",
    "/debug/live.json",
    "/debug/task.json?id=1",
    "/metrics",
    "/nothing",
];

/// Nobody needs a token, because there is nothing that one would permit.
#[test]
fn no_path_changes_what_the_program_does() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let tx = waiting(3, "stays");
        let seen = || {
            let tasks = Snapshot::all().tasks.into_iter().filter(|task| task.kind == Kind::Task);
            tasks.map(|task| (task.id, task.status, task.stamp)).collect::<Vec<_>>()
        };
        parked("live::waits", 3);
        let before = seen();
        for path in PATHS {
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "X"] {
                let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let answer = send(address, request.as_bytes());
                assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
            }
            // No script of another site gets anything, and nobody's name is trusted.
            let host = "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors";
            for head in [host, "Host: evil.example", "Host: localhost.evil.example:6060"] {
                let answer =
                    send(address, format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes());
                assert_eq!(answer.status, 403, "{head} {path}: {}", answer.text());
            }
            let answer = get(address, path);
            assert!(matches!(answer.status, 200 | 404), "{path}: {}", answer.status);
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
        assert_eq!(seen(), before);
        drop(tx);
    });
}

#[test]
fn only_this_machine_unless_it_is_said() {
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"] {
        let error = debug::serve(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address}");
        assert!(error.to_string().contains("allow_remote"), "{error}");
    }
    let endpoint = Server::new().allow_remote().host("here.example").serve("0.0.0.0:0").unwrap();
    let address = ([127, 0, 0, 1], endpoint.local_addr().port()).into();
    assert_eq!(get(address, "/metrics").status, 200);
    let named = |host: &str| {
        send(address, format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).status
    };
    assert_eq!((named("Here.example:80"), named("there.example")), (200, 403));
    endpoint.close();
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let endpoint = debug::serve("127.0.0.1:0").unwrap();
    let error = debug::serve(endpoint.local_addr()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}
