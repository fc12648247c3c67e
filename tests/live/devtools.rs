//! A browser that was started for a test, by its DevTools protocol: commands and events as
//! JSON through a WebSocket.

use data_encoding::BASE64;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tungstenite::{Message, WebSocket, client};

/// So that it sees nothing but our own pages.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1400,1750",
];

/// One page of a browser, which ends with it.
pub(crate) struct Tab {
    browser: Child,
    /// What the browser keeps, which nobody needs.
    folder: PathBuf,
    socket: WebSocket<Stream>,
    session: String,
    count: u64,
    /// What went wrong in the page.
    pub(crate) complaints: Vec<Value>,
}

/// A read with a limit ends at every signal, and this thread is asked where it is.
struct Stream(TcpStream);

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Tab {
    /// Who does not answer for so long hangs.
    pub(crate) fn open(program: &Path, url: &str, limit: Duration) -> Tab {
        let folder = std::env::temp_dir().join(format!("gopark-browser-{}", std::process::id()));
        let mut browser = Command::new(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", folder.display()))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the browser starts");
        let mut said = BufReader::new(browser.stderr.take().expect("piped")).lines();
        let address = loop {
            let line = said.next().expect("the browser says where it listens").expect("text");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
        };
        // Who writes on must not find the pipe closed.
        std::thread::spawn(move || said.for_each(drop));
        let host = address.trim_start_matches("ws://").split('/').next().expect("a host");
        let stream = TcpStream::connect(host).expect("the browser listens");
        stream.set_read_timeout(Some(limit)).expect("a limit");
        let (socket, _) = client(address.as_str(), Stream(stream)).expect("a WebSocket");
        let session = String::new();
        let mut tab = Tab { browser, folder, socket, session, count: 0, complaints: Vec::new() };
        let target = tab.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = tab.call("Target.attachToTarget", target);
        tab.session = session["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Log", "Runtime", "Page"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab.call("Page.navigate", json!({ "url": url }));
        // It has been read; what its script does takes longer.
        while tab.value("document.readyState") != "complete" {
            std::thread::sleep(Duration::from_millis(20));
        }
        tab
    }

    /// Gives a command and waits for its result.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let id = self.count;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(command.to_string())).expect("the browser hears");
        loop {
            let said = match self.socket.read().expect("the browser answers") {
                Message::Text(text) => serde_json::from_str::<Value>(&text).expect("JSON"),
                _ => continue,
            };
            match said["method"].as_str() {
                Some("Log.entryAdded" | "Runtime.exceptionThrown") => {
                    self.complaints.push(said["params"].clone());
                }
                _ if said["id"] == id => {
                    assert!(said["error"].is_null(), "{method}: {}", said["error"]);
                    return said["result"].clone();
                }
                _ => {}
            }
        }
    }

    /// The value of an expression.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let done = self.call("Runtime.evaluate", params);
        let exception = &done["exceptionDetails"];
        assert!(exception.is_null(), "{expression}: {exception}");
        done["result"]["value"].clone()
    }

    /// Presses a key, which has the name that the page is told.
    #[track_caller]
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            _ => {
                assert_eq!(key.chars().count(), 1, "what is the code of {key}?");
                (0, key)
            }
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types a text where the focus is.
    #[track_caller]
    pub(crate) fn enter(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// A picture of the whole page.
    pub(crate) fn picture(&mut self, file: &Path) {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let png = self.call("Page.captureScreenshot", params);
        let png = BASE64.decode(png["data"].as_str().expect("a text").as_bytes()).expect("base64");
        fs::write(file, png).expect("it can be written");
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
