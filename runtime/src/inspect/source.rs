//! From a `Location` to a file on disk.
//!
//! The paths in a [`Location`] are those that the compiler was given: relative
//! to the workspace for its members. A test runs in its package's folder, so
//! the file is looked for from the current folder upwards.

use core::panic::Location;
use std::path::PathBuf;

/// The absolute path, if the file is found; else the path as it is.
///
/// ```
/// let here = std::panic::Location::caller();
/// let path = gopark::inspect::source::absolute(here);
/// assert!(path.ends_with(".rs"));
/// ```
pub fn absolute(location: &Location<'_>) -> String {
    find_path(location.file())
}

/// The same for a path.
pub(super) fn find_path(file: &str) -> String {
    find(file).map_or_else(|| file.to_owned(), |path| path.display().to_string())
}

/// The line of source, without its indentation; `None` if the file or the line
/// is not there.
///
/// ```
/// use std::panic::Location;
///
/// if let Some(line) = gopark::inspect::source::line(Location::caller()) {
///     assert_eq!(line.trim(), line);
/// }
/// ```
pub fn line(location: &Location<'_>) -> Option<String> {
    let text = std::fs::read_to_string(find(location.file())?).ok()?;
    let line = text.lines().nth(location.line().checked_sub(1)? as usize)?;
    Some(line.trim().to_owned())
}

/// The file with a path as the compiler knows it, if it is there.
///
/// ```
/// assert!(gopark::inspect::source::find("no/such/file.rs").is_none());
/// ```
pub fn find(file: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    // `join` of an absolute path is that path.
    here.ancestors().map(|dir| dir.join(file)).find(|path| path.is_file())
}
