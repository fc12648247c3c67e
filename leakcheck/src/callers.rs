//! Who called whom when something was made, in words: without the functions of std and
//! of harnesses, which are in every such stack and tell nothing.

use std::path::Path;

use gopark::__names::of_symbol;
use gopark::inspect::Trace;

/// What is said in the place of a stack that names nobody.
pub(crate) const UNKNOWN: &str = "not known, as the functions are inlined and the program has no line tables \
     (`debug = \"limited\"` in its profile brings them)";

/// A function, and how far it has come.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) function: String,
    /// File, line and column.
    pub(crate) place: Option<(String, u32, u32)>,
    is_std: bool,
    is_harness: bool,
    pub(crate) pool: Option<&'static str>,
}

impl Caller {
    fn new(function: String, place: Option<(String, u32, u32)>) -> Caller {
        let file = place.as_ref().map_or("", |(file, ..)| file.as_str());
        let is_std = is_std(&function) || of_std(file);
        let is_harness = is_harness(&function) || of_harness(file);
        let pool = pool(&function, file);
        let place =
            place.map(|(file, line, column)| (within_workspace(&file).to_owned(), line, column));
        Caller { function, place, is_std, is_harness, pool }
    }

    pub(crate) fn is_std(&self) -> bool {
        self.is_std
    }

    /// The function at the place.
    pub(crate) fn text(&self) -> String {
        match &self.place {
            Some((file, line, _)) => format!("{} at {file}:{line}", self.function),
            None => self.function.clone(),
        }
    }
}

/// The innermost first, from an address in each; up to what has called a test or a thread.
pub(crate) fn of_addresses(frames: &[usize]) -> Vec<Caller> {
    let mut all: Vec<Caller> = Vec::new();
    for frame in frames {
        // The crate looks for the instruction before the one that it is given.
        let address = std::ptr::without_provenance_mut(frame + 1);
        backtrace::resolve(address, |symbol| {
            let Some(name) = symbol.name() else { return };
            let file = symbol.filename().map(|path| path.to_string_lossy().into_owned());
            let place = file.zip(symbol.lineno());
            let place = place.map(|(file, line)| (file, line, symbol.colno().unwrap_or(1)));
            all.push(Caller::new(of_symbol(name.as_bytes()), place));
        });
    }
    // What called the test, or the thread, is no maker. Optimised, the test itself may
    // have no frame of its own: then nobody is known.
    if let Some(begins) = all.iter().position(|caller| caller.function.contains(BEGIN)) {
        all.truncate(begins);
    }
    all
}

/// The functions of the program on a stack that something was made on.
pub(crate) fn of_trace(trace: &Trace) -> Vec<Caller> {
    let all: Vec<Caller> = trace
        .frames()
        .map(|frame| {
            let place = frame.file.clone().zip(frame.line);
            Caller::new(frame.function.clone(), place.map(|(file, line)| (file, line, 1)))
        })
        .collect();
    of_program(&all).to_vec()
}

/// Without what std does to make a thread, and without what has called the test.
pub(crate) fn of_program(all: &[Caller]) -> &[Caller] {
    let own = skip(all, Caller::is_std);
    let end = own.iter().position(|caller| caller.is_harness);
    &own[..end.unwrap_or(own.len())]
}

/// From the first on that is not one of those.
pub(crate) fn skip(all: &[Caller], those: impl Fn(&Caller) -> bool) -> &[Caller] {
    let end = all.iter().position(|caller| !those(caller)).unwrap_or(all.len());
    &all[end..]
}

/// The path as the compiler was given it, for what belongs to the workspace.
fn within_workspace(path: &str) -> &str {
    let here = std::env::current_dir().unwrap_or_default();
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    let short = root.and_then(|root| Path::new(path).strip_prefix(root).ok());
    short.and_then(Path::to_str).unwrap_or(path)
}

/// Functions between the one that wants a thread and the kernel.
fn is_std(function: &str) -> bool {
    let path = function.trim_start_matches(['<', '&']);
    let inside = ["std::", "core::", "alloc::", "leakcheck::sys", "backtrace::"];
    inside.iter().any(|prefix| path.starts_with(prefix))
        || matches!(function, "leakcheck_pthread_create" | "pthread_create")
        || path.starts_with("gopark::task::threads")
        || path.starts_with("gopark::inspect::callers")
}

/// The library whose pool the function belongs to.
fn pool(function: &str, file: &str) -> Option<&'static str> {
    let path = function.trim_start_matches(['<', '&']);
    let known = [
        ("rayon_core::", "/rayon-core-", "rayon"),
        ("tokio::runtime::", "/src/runtime/", "tokio"),
        ("test::", "/library/test/src/", "libtest"),
        ("libtest_mimic::", "/libtest-mimic-", "libtest-mimic"),
    ];
    let is_of = |prefix: &str, folder: &str, pool: &str| {
        let by_file = file.contains(folder) && (pool != "tokio" || file.contains("/tokio-"));
        path.starts_with(prefix) || by_file
    };
    known.iter().find(|(prefix, folder, pool)| is_of(prefix, folder, pool)).map(|(.., pool)| *pool)
}

// Of a function that was inlined, some line tables have the last part of the name only; then
// the file tells.

fn of_std(file: &str) -> bool {
    let folders = ["/library/core/src/", "/library/std/src/", "/library/alloc/src/"];
    folders.iter().any(|folder| file.contains(folder))
        || file.contains("/backtrace-") && file.contains("/src/backtrace/")
        || file == concat!(env!("CARGO_MANIFEST_DIR"), "/src/sys.rs")
}

fn of_harness(file: &str) -> bool {
    file == concat!(env!("CARGO_MANIFEST_DIR"), "/src/case.rs")
        || file.contains("/library/test/src/")
}

/// What std and libtest call a thread's or a test's function by.
const BEGIN: &str = "__rust_begin_short_backtrace";

/// Functions that call a test.
fn is_harness(function: &str) -> bool {
    function.starts_with("leakcheck::case")
        || function.starts_with("core::ops::function::FnOnce::call_once")
        || function.starts_with("test::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(function: &str, file: Option<&str>) -> Caller {
        Caller::new(function.to_owned(), file.map(|file| (file.to_owned(), 7, 1)))
    }

    #[test]
    fn only_the_program_is_told() {
        let std = Some("/rustc/0123/library/std/src/thread/mod.rs");
        let all = [
            caller("backtrace::backtrace::trace", None),
            caller("leakcheck::sys::frames", None),
            // Half a name, as line tables have it of what was inlined.
            caller("spawn<{closure#0}, ()>", std),
            caller("start", Some("src/lib.rs")),
            // What the program has std do stays.
            caller("std::sync::once::Once::call_once", None),
            caller("app::sells", Some("src/lib.rs")),
            caller("check", Some(concat!(env!("CARGO_MANIFEST_DIR"), "/src/case.rs"))),
            caller("anything", None),
        ];
        let told: Vec<String> = of_program(&all).iter().map(Caller::text).collect();
        let expected = [
            "start at src/lib.rs:7",
            "std::sync::once::Once::call_once",
            "app::sells at src/lib.rs:7",
        ];
        assert_eq!(told, expected);
        assert!(of_program(&[]).is_empty());
        assert!(of_program(&[caller("leakcheck::case::Case::check", None)]).is_empty());
    }

    /// std has symbols of `v0`, whichever the program has.
    #[test]
    fn those_of_std_are_spelled_as_others() {
        let stack = || gopark::threads::callers(64);
        let stack = std::thread::spawn(stack).join().unwrap();
        let names: Vec<_> = stack
            .iter()
            .flat_map(|&at| of_addresses(&[at]))
            .map(|caller| caller.function)
            .collect();
        let start = names.iter().find(|name| name.ends_with("::thread_start")).expect("std's");
        assert!(start.starts_with("std::"), "{start}");
    }

    #[test]
    fn pools_are_known_by_functions_and_by_files() {
        let pools = [
            caller("<rayon_core::registry::Registry>::new", None),
            caller("new<F>", Some("/registry/rayon-core-1.13.0/src/registry.rs")),
            caller("build", Some("/registry/tokio-1.54.0/src/runtime/builder.rs")),
            caller("build", Some("/registry/app/src/runtime/builder.rs")),
            caller("app::test::f", Some("src/test/lib.rs")),
        ];
        let pools = pools.map(|caller| caller.pool);
        assert_eq!(pools, [Some("rayon"), Some("rayon"), Some("tokio"), None, None]);
    }
}
