//! From a place in a program to its text.

use gopark::inspect::source;
use std::panic::Location;
use std::path::Path;

#[test]
fn a_line_is_found_and_without_indentation() {
    let here = Location::caller(); // this line
    assert_eq!(source::line(here).as_deref(), Some("let here = Location::caller(); // this line"));
}

#[test]
fn a_path_is_absolute_and_exists() {
    let path = source::absolute(Location::caller());
    assert!(Path::new(&path).is_absolute() && Path::new(&path).is_file(), "{path}");
    assert!(path.ends_with("tests/it/inspect/source.rs"), "{path}");
}

/// A place in std, whose source need not be installed: a function that is called
/// through a trait of std is called from there.
#[test]
fn what_is_not_on_disk_stays_as_it_is() {
    #[track_caller]
    fn called_from(_: ()) -> &'static Location<'static> {
        Location::caller()
    }
    let place = [()].into_iter().map(called_from).next().expect("one");
    assert_ne!(place.file(), file!());
    if !Path::new(place.file()).is_file() {
        assert_eq!(source::absolute(place), place.file());
        assert_eq!(source::line(place), None);
    }
}
