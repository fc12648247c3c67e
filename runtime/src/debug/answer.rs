//! What a client is told.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};

pub(super) struct Answer {
    status: u16,
    kind: &'static str,
    /// Under which name a browser keeps it, instead of showing it.
    file: Option<&'static str>,
    /// The word that marks what may run and style in a page.
    nonce: Option<String>,
    body: Vec<u8>,
}

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
pub(super) const JSON: &str = "application/json";
/// What Prometheus calls its text.
pub(super) const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Where a page has its own nonce.
const NONCE: &str = "{nonce}";

/// 128 bits that nobody can guess who has not seen them: a keyed hash, by a key that std asks
/// the system for. The pages are constant, so it is the second lock of a door that is shut.
fn nonce() -> String {
    let key = RandomState::new();
    format!("{:016x}{:016x}", key.hash_one(0_u8), key.hash_one(1_u8))
}

impl Answer {
    pub(super) fn page(kind: &'static str, body: String) -> Answer {
        Answer { status: 200, kind, file: None, nonce: None, body: body.into_bytes() }
    }

    /// A page in which `{nonce}` stands where something may run or style.
    pub(super) fn html(page: &str) -> Answer {
        let nonce = nonce();
        let body = page.replace(NONCE, &nonce).into_bytes();
        Answer { status: 200, kind: HTML, file: None, nonce: Some(nonce), body }
    }

    pub(super) fn file(name: &'static str, body: Vec<u8>) -> Answer {
        Answer { status: 200, kind: BYTES, file: Some(name), nonce: None, body }
    }

    pub(super) fn refusal(status: u16, why: &str) -> Answer {
        Answer {
            status,
            kind: TEXT,
            file: None,
            nonce: None,
            body: format!("{why}\n").into_bytes(),
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    fn reason(&self) -> &'static str {
        match self.status {
            200 => "OK",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            413 => "Content Too Large",
            431 => "Request Header Fields Too Large",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "Internal Server Error",
        }
    }

    /// Writes it, to a `HEAD` request without the body.
    pub(super) fn write(&self, out: &mut impl Write, is_head: bool) -> io::Result<()> {
        let (kind, length) = (self.kind, self.body.len());
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason());
        // Writing to a string does not fail.
        let _ = write!(
            head,
            "Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n"
        );
        if let Some(nonce) = &self.nonce {
            let _ = write!(
                head,
                "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; \
                 script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'; \
                 require-trusted-types-for 'script'; trusted-types 'none'\r\n\
                 Cross-Origin-Opener-Policy: same-origin\r\n"
            );
        }
        if self.status == 405 {
            head.push_str("Allow: GET, HEAD\r\n");
        }
        if self.status != 200 {
            // `go tool pprof` shows the text of an answer that says so, and no other's.
            head.push_str("X-Go-Pprof: 1\r\n");
        }
        if let Some(file) = self.file {
            let _ = write!(head, "Content-Disposition: attachment; filename=\"{file}\"\r\n");
        }
        head.push_str("\r\n");
        out.write_all(head.as_bytes())?;
        if is_head { Ok(()) } else { out.write_all(&self.body) }
    }
}
