//! What is not answered, and who is not.

use crate::client::{get, send};
use gopark::debug::{self, Server};
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
    }
    assert_eq!(get(address, "/metrics").status, 200);
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
