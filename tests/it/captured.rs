//! What this process writes to stderr, for those who wait for it.

use std::io::{PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

/// This process's stderr, as a thread reads it that is none of the runtime's.
pub(crate) struct Captured {
    text: Arc<Mutex<String>>,
    /// Where stderr went before.
    before: PipeWriter,
}

impl Captured {
    /// Through a pipe that a page fills.
    #[expect(unsafe_code, reason = "stderr is a number")]
    pub(crate) fn new() -> Captured {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (_, before) = std::io::pipe().unwrap();
        // SAFETY: all are open files of this process.
        unsafe {
            assert!(libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) > 0);
            assert!(libc::dup2(2, before.as_raw_fd()) >= 0);
            assert!(libc::dup2(writer.as_raw_fd(), 2) >= 0);
        }
        let text = Arc::new(Mutex::new(String::new()));
        let all = text.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                all.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Captured { text, before }
    }

    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.before.write_all(self.text().as_bytes());
        }
    }
}
