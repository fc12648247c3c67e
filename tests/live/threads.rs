//! Where a thread of the program's is, that runs, is in all that shows tasks.

use crate::child::{alone, here};
use crate::client::get;
use crate::{grammar, proto};
use gopark::debug;
use std::io::{PipeReader, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

/// In a call of the kernel's.
#[inline(never)]
fn reads(mut pipe: &PipeReader) -> u8 {
    let mut byte = [0];
    pipe.read_exact(&mut byte).unwrap();
    std::hint::black_box(byte[0])
}

const READS: &str = "live::threads::reads";

#[test]
fn it_is_shown_where_it_is() {
    alone(here!(), &[], || {
        let endpoint = debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (tx, rx) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            tx.send(gopark::inspect::current_task().get()).unwrap();
            reads(&reader)
        });
        let id = rx.recv().unwrap();
        // Whoever gets no CPU for a tenth of a second does not answer, so each page is looked
        // at until it does.
        let until = |path: &str, is_shown: &dyn Fn(&[u8]) -> bool| loop {
            let answer = get(address, path);
            assert_eq!(answer.status, 200, "{path}");
            if is_shown(&answer.body) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let contains = |body: &[u8]| std::str::from_utf8(body).unwrap().contains(READS);

        for (query, inner) in [("", false), ("&runtime=1", true)] {
            let dump = until(&format!("/debug/pprof/goroutine?debug=2{query}"), &contains);
            let dump = dump.text();
            let blocks = grammar::parse(dump).unwrap_or_else(|why| panic!("{why}\n{dump}"));
            let block = blocks.iter().find(|block| block.id == id).unwrap();
            assert_eq!((block.status, block.locked), ("running", true), "{dump}");
            assert!(block.created_by.is_none(), "{dump}");
            let is_in = |name: &str| block.frames.iter().any(|it| it.function.contains(name));
            assert!(is_in(READS) && is_in("it_is_shown_where_it_is"), "{dump}");
            assert_eq!(is_in("__rust_begin_short_backtrace"), inner, "{dump}");
        }
        until("/debug/pprof/goroutine?debug=1", &contains);
        let has_sample = |body: &[u8]| proto::read(body).samples.iter().any(|it| it.is_in(READS));
        until("/debug/pprof/goroutine", &has_sample);
        until("/debug/tasks.json", &contains);
        let task = until(&format!("/debug/task.json?id={id}"), &contains);
        let task: serde_json::Value = serde_json::from_str(task.text()).unwrap();
        assert_eq!(
            (&task["task"]["kind"], &task["task"]["status"]),
            (&"thread".into(), &"running".into())
        );
        writer.write_all(b"x").unwrap();
        assert_eq!(thread.join().unwrap(), b'x');
    });
}
