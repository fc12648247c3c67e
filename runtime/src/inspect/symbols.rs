//! From an address of code to names, files and lines.
//!
//! The `backtrace` crate reads the program's symbols and line tables; that takes some time
//! at first, so whatever was looked up is kept. A program without line tables still has
//! the names of its functions, as long as it was not stripped.
#![expect(clippy::disallowed_types, reason = "names are looked up outside of sections")]

use super::frames::Frame;
use crate::names;
use crate::sys::section;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError};

type Known = HashMap<usize, Symbols>;

/// What is at an address.
#[derive(Clone)]
struct Symbols {
    frames: Arc<[Frame]>,
    /// Of the same functions, as the linker knows them.
    #[cfg_attr(not(feature = "debug"), expect(dead_code, reason = "`go tool pprof` wants them"))]
    linked: Arc<[String]>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

fn known() -> MutexGuard<'static, Known> {
    section::check_outside();
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Other code may be at the addresses now.
pub(super) fn forget() {
    known().clear();
}

unsafe extern "C" {
    /// The unwinder's, of which std has one: the start of the function that has this
    /// address, or null.
    fn _Unwind_FindEnclosingFunction(pc: *mut libc::c_void) -> *mut libc::c_void;
}

/// The functions that have the instruction at this address: several, if some were inlined,
/// the innermost first; one without a name, if nothing is known.
pub(super) fn look_up(address: usize) -> Arc<[Frame]> {
    symbols(address).frames
}

/// The same functions as the linker knows them: before names are made readable.
#[cfg(feature = "debug")]
pub(super) fn linked(address: usize) -> Arc<[String]> {
    symbols(address).linked
}

fn symbols(address: usize) -> Symbols {
    if let Some(symbols) = known().get(&address) {
        return symbols.clone();
    }
    let symbols = find(address);
    known().insert(address, symbols.clone());
    symbols
}

fn find(address: usize) -> Symbols {
    // SAFETY: takes any address.
    let start = unsafe { _Unwind_FindEnclosingFunction(address as *mut libc::c_void) }.addr();
    let offset = if start == 0 { 0 } else { address + 1 - start };
    let (mut frames, mut linked) = (Vec::new(), Vec::new());
    // The crate looks for the instruction before the one that it is given.
    backtrace::resolve((address + 1) as *mut _, |symbol| {
        let Some(name) = symbol.name() else { return };
        linked.push(name.as_str().unwrap_or_default().to_owned());
        frames.push(Frame {
            function: names::of_symbol(name.as_bytes()),
            file: symbol.filename().map(|file| file.display().to_string()),
            line: symbol.lineno().filter(|&line| line != 0),
            offset,
            address,
            runtime: false,
        });
    });
    if frames.is_empty() {
        let function = format!("{address:#x}");
        frames.push(Frame { function, file: None, line: None, offset, address, runtime: false });
        linked.push(String::new());
    }
    Symbols { frames: frames.into(), linked: linked.into() }
}

/// The folder of this crate's sources, as line tables name it; `None` without any.
pub(super) fn own_folder() -> Option<&'static str> {
    static OWN: LazyLock<Option<String>> = LazyLock::new(|| {
        let own = look_up(own_folder as *const () as usize);
        let file = own.iter().rev().find_map(|frame| frame.file.as_deref())?;
        file.strip_suffix("inspect/symbols.rs").map(str::to_owned)
    });
    OWN.as_deref()
}

/// Says once if the program has no line tables.
pub(super) fn tell_if_no_lines() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let here = tell_if_no_lines as *const () as usize;
        if look_up(here).iter().all(|frame| frame.line.is_none()) {
            crate::sys::warn(
                "the program has no line tables, so of each task only the place is shown where it \
                 waits\n\tdebug = \"line-tables-only\" in its profile makes them",
            );
        }
    });
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::inspect::callers::callers;

    /// std has symbols of `v0`, whichever the program has.
    #[test]
    fn those_of_std_are_spelled_as_others() {
        let stack = || callers(64).iter().flat_map(|&at| look_up(at).to_vec()).collect::<Vec<_>>();
        let frames = std::thread::spawn(stack).join().unwrap();
        let names: Vec<_> = frames.iter().map(|frame| frame.function.as_str()).collect();
        let start = names.iter().find(|name| name.ends_with("::thread_start")).expect("std's");
        assert!(start.starts_with("std::"), "{start}");
        assert!(names.iter().any(|name| name.ends_with("std_are_spelled_as_others::{{closure}}")));
        assert!(!names.iter().any(|name| name.contains("{closure#")), "{names:?}");
    }
}
