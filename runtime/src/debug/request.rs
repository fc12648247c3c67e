//! What a client wants.
//!
//! Any bytes may come, at any speed: there is a limit for their number, and the connection has
//! a deadline.

use super::answer::Answer;
use std::io::{self, Read};

/// Bytes of a request, up to the blank line.
const MOST: usize = 8 << 10;
/// Lines of its head.
const LINES: usize = 64;

#[derive(PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) is_head: bool,
    /// Without the query.
    pub(super) path: String,
    /// Decoded, in the order in which they came.
    pub(super) query: Vec<(String, String)>,
    pub(super) host: Option<String>,
}

/// Reads a request, or says what is wrong with it. An error of the connection is one: nobody is
/// there to be told.
pub(super) fn read(from: &mut impl Read) -> io::Result<Result<Request, Answer>> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        let mut more = [0; 1024];
        let count = match from.read(&mut more) {
            Ok(0) => return Ok(Err(Answer::refusal(400, "the request breaks off"))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Ok(Err(Answer::refusal(408, "the request took too long")));
            }
            count => count?,
        };
        let seen = bytes.len();
        bytes.extend_from_slice(&more[..count]);
        // Only what ends a line can have ended the request: whoever sends byte by byte is not
        // read again and again.
        if !more[..count].contains(&b'\n') && seen + count <= MOST {
            continue;
        }
        match parse(&bytes) {
            Some(parsed) => return Ok(parsed),
            None if bytes.len() > MOST => {
                return Ok(Err(Answer::refusal(431, "the request is too large")));
            }
            None => {}
        }
    }
}

/// `None` if more must come.
pub(super) fn parse(bytes: &[u8]) -> Option<Result<Request, Answer>> {
    let mut lines = [httparse::EMPTY_HEADER; LINES];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MOST => Some(understand(&request)),
        Ok(httparse::Status::Partial) => None,
        Ok(_) => Some(Err(Answer::refusal(431, "the request is too large"))),
        Err(httparse::Error::TooManyHeaders) => {
            Some(Err(Answer::refusal(431, "the request has too many headers")))
        }
        Err(httparse::Error::Version) => {
            Some(Err(Answer::refusal(505, "HTTP/1.0 and HTTP/1.1 are understood")))
        }
        Err(_) => Some(Err(Answer::refusal(400, "this is no request"))),
    }
}

fn understand(request: &httparse::Request<'_, '_>) -> Result<Request, Answer> {
    let bad = |why| Err(Answer::refusal(400, why));
    let is_head = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => {
            return Err(Answer::refusal(
                405,
                "only GET and HEAD are answered: nothing is changed here",
            ));
        }
    };
    let named = |name: &'static str| {
        let same = move |line: &&httparse::Header<'_>| line.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(same)
    };
    let has_body = named("content-length").any(|line| line.value != b"0")
        || named("transfer-encoding").next().is_some();
    if has_body {
        return Err(Answer::refusal(413, "a request here has no body"));
    }
    let mut hosts = named("host");
    let host = match (hosts.next(), hosts.next()) {
        (Some(line), None) => match std::str::from_utf8(line.value) {
            Ok(host) => Some(host.to_owned()),
            Err(_) => return bad("the host is no name"),
        },
        (None, _) if request.version == Some(0) => None,
        _ => return bad("one Host header is needed"),
    };
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"/._-".contains(&c);
    // No path here needs more than that, so nothing is decoded.
    if !path.starts_with('/') || !path.bytes().all(plain) || path.contains("..") {
        return bad("no path here looks like that");
    }
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    // A browser says so when another site has it ask. That one sees no answer, and yet might
    // have this program make large ones all day. A link that somebody follows is no harm.
    let value = |name| named(name).next().map_or(&b""[..], |line| line.value);
    let foreign = matches!(value("sec-fetch-site"), b"cross-site" | b"same-site");
    if foreign && value("sec-fetch-mode") != b"navigate" {
        return Err(Answer::refusal(403, "another site asks for this"));
    }
    Ok(Request { is_head, path: path.to_owned(), query: pairs, host })
}

/// Whatever comes, `parse` has one opinion of it.
///
/// - A beginning that is refused or understood is refused or understood alike with more
///   behind it, and in whatever pieces it comes.
/// - A path that is understood has nothing in it that leads elsewhere.
/// - A host that is known is an address, or a name that nobody else can own.
#[cfg(any(test, fuzzing))]
pub(crate) fn check(bytes: &[u8]) {
    let status = |bytes: &[u8]| parse(bytes).map(|it| it.map_or_else(|no| no.status(), |_| 200));
    let whole = status(bytes);
    for cut in [1, bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let begun = status(&bytes[..cut.min(bytes.len())]);
        assert!(begun.is_none() || begun == whole, "{begun:?}, and with more {whole:?}");
    }
    let lines = bytes.iter().rposition(|c| *c == b'\n').map_or(0, |last| last + 1);
    let whole_lines = status(&bytes[..lines]);
    if bytes.len() <= MOST {
        for piece in [1, 7, 1024] {
            let mut slow = Slow { bytes, piece };
            let read = read(&mut slow).expect("no connection that could fail");
            let read = read.map_or_else(|no| no.status(), |_| 200);
            // What breaks off in the middle of a line is not looked at any more.
            let broken = read == 400 && whole_lines.is_none();
            assert!(read == whole.unwrap_or(400) || broken, "{read}, in one piece {whole:?}");
        }
    }
    let Some(Ok(request)) = parse(bytes) else { return };
    let path = &request.path;
    assert!(path.starts_with('/') && !path.contains("..") && !path.contains(['\\', '%', '\0']));
    let host = request.host.as_deref();
    if super::host::Hosts::default().is_known(host) {
        let ours = |host: &str| {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            let name = name.trim_start_matches('[').trim_end_matches(']');
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let is = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
            is(name) || is(bare) || name.eq_ignore_ascii_case("localhost")
        };
        assert!(host.is_none_or(ours), "{host:?}");
    }
    if let Err(refusal) = super::pages::Page::find(path, &request.query) {
        assert!(matches!(refusal.status(), 400 | 404));
    }
}

/// Gives so many bytes at a time.
#[cfg(any(test, fuzzing))]
struct Slow<'a> {
    bytes: &'a [u8],
    piece: usize,
}

#[cfg(any(test, fuzzing))]
impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.piece.min(into.len());
        self.bytes.read(&mut into[..count])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> Option<u16> {
        parse(bytes).map(|parsed| parsed.map_or_else(|refusal| refusal.status(), |_| 200))
    }

    #[test]
    fn requests_are_taken_apart() {
        let text =
            b"GET /debug/leaks?minutes=5&&x&y=a=b HTTP/1.1\r\nhOST: localhost:1\r\nA: b\r\n\r\n";
        let request = parse(text).unwrap().ok().unwrap();
        assert_eq!(request.path, "/debug/leaks");
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(request.query, [pair("minutes", "5"), pair("x", ""), pair("y", "a=b")]);
        assert_eq!(request.host.as_deref(), Some("localhost:1"));
        assert!(!request.is_head);
        let text = b"GET /?q=a%20b+c&%71=%ff%3D%&&=x HTTP/1.0\r\n\r\n";
        let request = parse(text).unwrap().ok().unwrap();
        assert_eq!(request.query, [pair("q", "a b c"), pair("q", "\u{fffd}=%"), pair("", "x")]);
        // Any beginning of it is one that may go on.
        for end in 0..text.len() {
            assert_eq!(status(&text[..end]), None, "{end}");
        }
    }

    #[test]
    fn another_site_may_link_here_and_no_more() {
        for (site, mode, expected) in [
            ("none", "navigate", 200),
            ("same-origin", "cors", 200),
            ("cross-site", "navigate", 200),
            ("cross-site", "no-cors", 403),
            ("cross-site", "cors", 403),
            ("same-site", "no-cors", 403),
            ("cross-site", "", 403),
        ] {
            let text = format!(
                "GET / HTTP/1.0\r\nSec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\n\r\n"
            );
            assert_eq!(status(text.as_bytes()), Some(expected), "{site} {mode}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let many = "A: b\r\n".repeat(65);
        for (bytes, expected) in [
            ("GET / HTTP/1.0\r\n\r\n", 200),
            ("HEAD / HTTP/1.0\r\n\r\n", 200),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nHost: \u{fe}\r\n\r\n", 200),
            ("POST / HTTP/1.0\r\n\r\n", 405),
            ("DELETE / HTTP/1.0\r\n\r\n", 405),
            ("GET / HTTP/2.0\r\n\r\n", 505),
            ("GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", 413),
            ("GET / HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 200),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
            ("GET /../etc/passwd HTTP/1.0\r\n\r\n", 400),
            ("GET /debug/..%2f..%2fetc HTTP/1.0\r\n\r\n", 400),
            ("GET /debug/pprof\\..\\x HTTP/1.0\r\n\r\n", 400),
            ("GET http://localhost/ HTTP/1.0\r\n\r\n", 400),
            ("GET * HTTP/1.0\r\n\r\n", 400),
            ("\0\0\0\0", 400),
            ("hello\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nno colon\r\n\r\n", 400),
            (&format!("GET / HTTP/1.0\r\n{many}\r\n"), 431),
        ] {
            assert_eq!(status(bytes.as_bytes()), Some(expected), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut endless = b"GET /".chain(io::repeat(b'a'));
        let refusal = read(&mut endless).unwrap().unwrap_err();
        assert_eq!(refusal.status(), 431);
        let mut header =
            b"GET / HTTP/1.0\r\nA: ".chain(io::repeat(b'a').take(9 << 10)).chain(&b"\r\n\r\n"[..]);
        assert_eq!(read(&mut header).unwrap().unwrap_err().status(), 431);
        let mut broken = &b"GET / HTTP/1.0\r\n"[..];
        assert_eq!(read(&mut broken).unwrap().unwrap_err().status(), 400);
    }
}
