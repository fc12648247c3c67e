//! From a place in a program to its text.

use crate::child::{alone, here};
use crate::support::{Gate, parked};
use gopark::inspect::{WaitReason, dump, source};
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

/// A program runs anywhere. Where it was built is known where the task has a frame in the
/// file in which it was made.
#[test]
fn a_dump_knows_where_the_file_was_when_it_was_built() {
    alone(here!(), &[], || {
        std::env::set_current_dir("/").unwrap();
        let gate = Gate::new();
        let held = gate.clone();
        let task = gopark::go(move || held.pass());
        parked(task.id(), WaitReason::ChanReceive);
        let text = dump();
        let made = text.lines().skip_while(|line| !line.starts_with("created by it::")).nth(1);
        let path = made.and_then(|line| line.trim().split(':').next()).expect("a place");
        assert!(Path::new(path).is_file() && path.ends_with(file!()), "{text}");
        gate.open();
        task.join().unwrap();
    });
}
