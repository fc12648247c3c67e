//! Which frames are not shown unless asked for.
//!
//! Of a task that waits in a channel the reader wants to know his own function that
//! called it. Hidden are functions of this crate, what calls the task's function, those
//! of std that ours call, down to a closure of the program's if they call one, those of
//! `lock_api` that call ours; and what has no line, such as C code, if others of the
//! program's have some. Go hides its runtime alike. Names or files tell, because
//! `debug = "line-tables-only"` keeps of inlined functions no path.

use super::frames::Frame;

/// In the name of the function that calls a task's, and of that which calls a thread's.
const MARK: &str = "__rust_begin_short_backtrace";

/// C's functions that call them, where nothing has a name but what libraries offer.
const STARTS: [&str; 5] =
    ["__libc_start_", "__libc_init_first", "start_thread", "clone", "__clone"];

/// The crates of the standard library, and the files of its functions: of one that was
/// inlined, some line tables have the last part of the name only.
const STD: [&str; 3] = ["core::", "std::", "alloc::"];
const STD_FILES: [&str; 3] = ["/library/core/src/", "/library/std/src/", "/library/alloc/src/"];
/// A function of std's without a path.
const TRY: &str = "__rust_try";

/// Where C's outermost functions begin.
fn start(frames: &[Frame]) -> usize {
    let starts = |frame: &Frame| STARTS.iter().any(|it| frame.function.starts_with(it));
    // Around them the program has one more, `_start`.
    let last = frames.iter().rposition(starts).filter(|last| last + 2 >= frames.len());
    let Some(last) = last else { return frames.len() };
    frames[..last].iter().rposition(|frame| !starts(frame)).map_or(0, |inner| inner + 1)
}

/// Marks them as the runtime's.
pub(super) fn hide(frames: &mut [Frame], own_folder: Option<&str>) {
    fn name(frame: &Frame) -> &str {
        frame.function.trim_start_matches(['<', '&'])
    }
    fn file(frame: &Frame) -> &str {
        frame.file.as_deref().unwrap_or_default()
    }
    let ours = |frame: &Frame| {
        let by_name = name(frame).strip_prefix("gopark").is_some_and(|it| it.starts_with("::"));
        by_name || own_folder.is_some_and(|folder| file(frame).starts_with(folder))
    };
    let std = |frame: &Frame| {
        frame.function == TRY
            || STD.iter().any(|it| name(frame).starts_with(it))
            || STD_FILES.iter().any(|it| file(frame).contains(it))
    };
    let lock =
        |frame: &Frame| name(frame).starts_with("lock_api::") || file(frame).contains("/lock_api-");
    let end = frames.iter().rposition(|frame| frame.function.contains(MARK));
    let mut outside = end.is_some();
    let end = end.unwrap_or_else(|| start(frames));
    for (n, frame) in frames.iter_mut().enumerate().rev() {
        let hidden = n >= end || ours(frame) || (outside && std(frame));
        frame.runtime = hidden;
        outside = hidden;
    }
    // The locks are those of `lock_api` around ours.
    let mut inside = false;
    for frame in frames.iter_mut() {
        frame.runtime |= inside && lock(frame);
        inside = frame.runtime;
    }
    // A program without line tables may well call a runtime that has some, and C code.
    let is_rust = |frame: &Frame| frame.file.as_deref().is_none_or(|it| it.ends_with(".rs"));
    let has_lines =
        frames.iter().any(|frame| !frame.runtime && frame.line.is_some() && is_rust(frame));
    for frame in frames {
        frame.runtime |= has_lines && frame.line.is_none();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(frames: &[(&str, u32)]) -> Vec<String> {
        let frame = |&(function, line): &(&str, u32)| Frame {
            function: function.to_owned(),
            file: None,
            line: (line != 0).then_some(line),
            offset: 0,
            address: 0,
            runtime: false,
        };
        let mut frames: Vec<Frame> = frames.iter().map(frame).collect();
        hide(&mut frames, Some("/src/gopark/"));
        frames.into_iter().filter(|frame| !frame.runtime).map(|frame| frame.function).collect()
    }

    #[test]
    fn the_runtime_is_hidden() {
        let names = shown(&[
            ("core::ptr::drop_in_place<gopark::sys::section::Section>", 1),
            ("gopark::sched::park::leave", 1),
            ("<gopark::chan::receiver::Receiver<app::T>>::recv", 1),
            ("lock_api::mutex::Mutex<R,T>::lock", 1),
            ("app::gopark::inner", 1),
            ("lock_api::mutex::Mutex<R,T>::lock", 1),
            ("core::ops::function::FnOnce::call_once", 1),
            ("app::catches::{{closure}}", 1),
            (
                "<core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once",
                1,
            ),
            ("__rust_try", 1),
            ("std::panic::catch_unwind", 1),
            ("app::catches", 1),
            ("app::grown::{{closure}}", 1),
            ("core::ops::function::FnOnce::call_once", 1),
            ("std::panicking::catch_unwind", 1),
            ("gopark::stack::segment::grow::{{closure}}", 1),
            ("gopark::arch::x86_64::call_on", 0),
            ("gopark::stack::segment::grow", 1),
            ("app::grown", 1),
            ("goparks::other", 1),
            ("core::ops::function::FnOnce::call_once", 1),
            ("gopark::task::packet::run::__rust_begin_short_backtrace", 1),
            ("std::panicking::try", 1),
            ("anything", 1),
        ]);
        // A shim that the program's own code calls is the program's.
        let expected = [
            "app::gopark::inner",
            "lock_api::mutex::Mutex<R,T>::lock",
            "core::ops::function::FnOnce::call_once",
            "app::catches::{{closure}}",
            "<core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once",
            "__rust_try",
            "std::panic::catch_unwind",
            "app::catches",
            "app::grown::{{closure}}",
            "app::grown",
            "goparks::other",
        ];
        assert_eq!(names, expected);
    }

    /// Where names are short.
    #[test]
    fn files_tell_as_well() {
        let frame = |&(function, file): &(&str, &str)| Frame {
            function: function.to_owned(),
            file: Some(file.to_owned()),
            line: Some(1),
            offset: 0,
            address: 0,
            runtime: false,
        };
        let frames = [
            ("lock_raw", "/src/gopark/sync/raw_mutex.rs"),
            ("lock<RawMutex, ()>", "/registry/lock_api-0.4.14/src/mutex.rs"),
            ("{closure#1}", "/src/gopark-app/src/main.rs"),
            ("call_once<{closure#1}, ()>", "/rustc/0123/library/core/src/ops/function.rs"),
            ("grow<(), {closure#1}>", "/src/gopark/stack/segment.rs"),
            ("{closure#0}", "/src/app/src/gopark/main.rs"),
            ("call_once<{closure#0}, ()>", "/rustc/0123/library/core/src/ops/function.rs"),
            ("__rust_begin_short_backtrace<{closure#0}>", "/src/gopark/task/packet.rs"),
            ("anything", "/src/app/src/main.rs"),
        ];
        let mut frames: Vec<Frame> = frames.iter().map(frame).collect();
        hide(&mut frames, Some("/src/gopark/"));
        let shown: Vec<_> = frames.iter().filter(|frame| !frame.runtime).collect();
        let files: Vec<_> = shown.iter().map(|frame| frame.file.as_deref().unwrap()).collect();
        assert_eq!(files, ["/src/gopark-app/src/main.rs", "/src/app/src/gopark/main.rs"]);
    }

    #[test]
    fn what_has_no_line_is_hidden_if_others_have_one() {
        assert_eq!(shown(&[("read", 0), ("app::f", 7)]), ["app::f"]);
        assert_eq!(shown(&[("read", 0), ("app::f", 0)]), ["read", "app::f"]);
        let runtime = ("gopark::sched::park::leave", 9);
        assert_eq!(shown(&[runtime, ("app::f", 0)]), ["app::f"]);
        assert!(shown(&[]).is_empty());
    }

    /// The C library may well have line tables where the program has not even names.
    #[test]
    fn what_a_stripped_program_does_is_shown() {
        let frame = |&(function, file): &(&str, Option<&str>)| Frame {
            function: function.to_owned(),
            file: file.map(str::to_owned),
            line: file.map(|_| 1),
            offset: 0,
            address: 0,
            runtime: false,
        };
        let inner = [("__GI___libc_read", Some("./io/read.c")), ("0x4012", None), ("0x4034", None)];
        let main = ["__libc_start_call_main", "__libc_start_main_impl", "0x4001"];
        let thread = ["start_thread", "clone3"];
        for outer in [&main[..], &main[..2], &thread] {
            for file in [None, Some("./csu/libc.c")] {
                let outer: Vec<_> = outer.iter().map(|it| (*it, file)).collect();
                let mut frames: Vec<Frame> = inner.iter().chain(&outer).map(frame).collect();
                hide(&mut frames, None);
                let shown = frames.iter().filter(|frame| !frame.runtime).count();
                assert_eq!((shown, frames[2].runtime), (3, false), "{frames:?}");
            }
        }
        // Inside of the program such a name means nothing.
        let inside = [("clone", 1), ("app::f", 1), ("app::g", 1)];
        assert_eq!(shown(&inside), ["clone", "app::f", "app::g"]);
    }
}
