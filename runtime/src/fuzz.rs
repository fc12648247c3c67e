//! What reads bytes that others wrote, and what must be true whatever they are.
//!
//! `fuzz/` has libFuzzer call these functions, for as long as somebody likes; the tests below
//! have proptest do so in every test run. Each of them panics when a promise is broken.

use crate::sched::config::Config;
use crate::sched::settings::Settings;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// A request to the debug endpoint, in pieces too.
pub fn request(bytes: &[u8]) {
    crate::debug::request::check(bytes);
}

/// The value of a variable of the environment; the first byte says which.
///
/// What is understood is within its limits, and is the same when it is read again behind
/// itself; what is not is an error that has words.
pub fn settings(bytes: &[u8]) {
    let Some((which, value)) = bytes.split_first() else { return };
    let names = ["GOPARK_MAXPROCS", "GOPARK_STACK", "GOPARK_SLICE", "GOPARK_DEBUG"];
    let name = names[usize::from(*which) % names.len()];
    let read = |value: &[u8]| {
        let value = OsString::from_vec(value.to_vec());
        Settings::read(Config::new(), |wanted| (wanted == name).then(|| value.clone()))
    };
    match read(value) {
        Ok(settings) => {
            assert!((1..=1024).contains(&settings.maxprocs));
            assert!((1_000_000..=1_000_000_000).contains(&settings.slice));
            assert!((64 << 10..=1 << 30).contains(&settings.stack.usable()));
            if name == "GOPARK_DEBUG" {
                let twice = read(&[value, b",", value].concat()).expect("each half is understood");
                assert_eq!(format!("{settings:?}"), format!("{twice:?}"));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A file with an execution trace, to be made into JSON; the bytes are what follows its first
/// ones, too.
pub fn trace(bytes: &[u8]) {
    for file in [bytes, &[b"go 1.26 trace\0\0\0", bytes].concat()] {
        let mut json = Vec::new();
        if crate::trace::to_chrome_json(file, &mut json).is_ok() {
            std::str::from_utf8(&json).expect("JSON is text");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Bytes that are likely to mean something, in any order.
    fn pieces(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(of).prop_map(|text| text.as_bytes().to_vec());
        let any = prop::collection::vec(any::<u8>(), 0..4);
        let piece = prop_oneof![5 => known, 1 => any];
        prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
    }

    /// What looks like a trace at first: batches of events, and of tables.
    fn batches() -> impl Strategy<Value = Vec<u8>> {
        const NO_THREAD: &[u8] = &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        let byte = prop_oneof![4 => 0_u8..9, 4 => 9_u8..56, 1 => any::<u8>()];
        let m = prop::sample::select(vec![NO_THREAD, &[0], &[1]]);
        let data = prop::collection::vec(byte, 0..60);
        let batch = (m, data, any::<bool>()).prop_map(|(m, data, last)| {
            let (size, end): (_, &[u8]) = (data.len() as u8, if last { &[52] } else { &[] });
            [&[1, 1], m, &[7, size], &data, end].concat()
        });
        prop::collection::vec(batch, 0..6).prop_map(|batches| batches.concat())
    }

    const REQUEST: &[&str] = &[
        "GET ",
        "HEAD ",
        "POST ",
        "/",
        "/debug/pprof/goroutine",
        "/debug/leaks",
        "/debug/tasks.json",
        "/debug/task.json",
        "..",
        "%2e",
        "%",
        "+",
        "?",
        "debug=2",
        "minutes=",
        "9999999",
        "0",
        "q=",
        "group=",
        "00000000000000ff",
        "status=waiting",
        "&",
        "=",
        " HTTP/1.1\r\n",
        " HTTP/1.0\n",
        " HTTP/2.0\r\n",
        "Host: ",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "evil.example",
        ":6060",
        "@",
        "\r\n",
        "\n",
        "\r",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "Sec-Fetch-Site: cross-site",
        ": ",
        "\0",
        "A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\
        A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n",
        "\r\n\r\n",
    ];
    const SETTINGS: &[&str] = &[
        "\0",
        "\u{1}",
        "\u{2}",
        "\u{3}",
        "0",
        "1",
        "2",
        "64",
        "1024",
        "9999999999999999999999",
        "-",
        "+",
        ".",
        "k",
        "KiB",
        "M",
        "g",
        "us",
        "ms",
        "s",
        " ",
        ",",
        "=",
        "help",
        "asyncpreemptoff=1",
        "schedtrace=",
        "guardpages=0",
        "warntasks=",
        "dumpsignal=10",
        "scheddetail",
        "idleworkers=",
    ];

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn any_request(bytes in pieces(REQUEST, 14)) {
            super::request(&bytes);
        }

        #[test]
        fn a_request_with_a_head(
            path in pieces(&REQUEST[3..23], 8), head in pieces(&REQUEST[23..], 8)
        ) {
            let request = [b"GET /", &*path, b" HTTP/1.1\r\nHost: ", &head, b"\r\n\r\n"];
            super::request(&request.concat());
        }

        #[test]
        fn any_setting(which in 0_u8..4, value in pieces(SETTINGS, 8)) {
            super::settings(&[&[which][..], &value].concat());
        }

        #[test]
        fn any_trace(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            super::trace(&bytes);
        }

        #[test]
        fn any_trace_of_batches(bytes in batches()) {
            super::trace(&bytes);
        }
    }
}
