//! A client that knows no more of HTTP than what is tested.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer that is waited for longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// With the first line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a page of text")
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// `None` if the connection ended without one.
pub(crate) fn read(mut stream: &TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).expect("a head of text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Some(Answer { status, head, body })
}

/// Sends these bytes, and nothing more.
#[track_caller]
pub(crate) fn send(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(address);
    stream.write_all(bytes).expect("somebody reads");
    read(&stream).expect("an answer")
}

#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
}
