//! From an address of code to names, files and lines.
//!
//! The `backtrace` crate reads the program's symbols and line tables; that takes some time
//! at first, so whatever was looked up is kept. A program without line tables still has
//! the names of its functions, as long as it was not stripped.
#![expect(clippy::disallowed_types, reason = "names are looked up outside of sections")]

use super::frames::Frame;
use crate::sys::section;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError};

type Known = HashMap<usize, Arc<[Frame]>>;

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
    if let Some(frames) = known().get(&address) {
        return frames.clone();
    }
    let frames: Arc<[Frame]> = find(address).into();
    known().insert(address, frames.clone());
    frames
}

fn find(address: usize) -> Vec<Frame> {
    // SAFETY: takes any address.
    let start = unsafe { _Unwind_FindEnclosingFunction(address as *mut libc::c_void) }.addr();
    let offset = if start == 0 { 0 } else { address + 1 - start };
    let mut frames = Vec::new();
    // The crate looks for the instruction before the one that it is given.
    backtrace::resolve((address + 1) as *mut _, |symbol| {
        let Some(name) = symbol.name() else { return };
        frames.push(Frame {
            function: format!("{name:#}"),
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
    }
    frames
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
