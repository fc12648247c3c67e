//! How many processors.

use crate::child::{Child, alone, here, inside};
use gopark::runtime::{Config, StartError, is_migrating};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[test]
fn the_environment_sets_the_number_of_processors() {
    for (value, count) in [("3", 3), ("1", 1), (" 2 ", 2), ("4096", 4096)] {
        if inside(here!()) {
            let expected: usize = std::env::var("EXPECTED").unwrap().parse().unwrap();
            assert_eq!(gopark::maxprocs(), expected);
            assert_eq!(gopark::run(gopark::maxprocs), expected);
            return;
        }
        let child = Child::new(here!()).env("GOPARK_MAXPROCS", value);
        child.env("EXPECTED", count.to_string()).run().passed(here!());
    }
}

#[test]
fn without_a_number_all_cpus_are_used() {
    alone(here!(), &[("GOPARK_MAXPROCS", "")], || {
        assert_eq!(gopark::maxprocs(), std::thread::available_parallelism().unwrap().get());
    });
}

#[test]
fn a_number_that_makes_no_sense_is_a_clear_error() {
    if inside(here!()) {
        println!("it began");
        gopark::go(|| ()).join().unwrap();
        println!("it ran");
        return;
    }
    for bad in ["0", "-1", "4097", "two", "1.5", "1 2", "99999999999999999999"] {
        let ended = Child::new(here!()).env("GOPARK_MAXPROCS", bad).run();
        assert!(!ended.status.success(), "{bad:?} was accepted");
        assert!(ended.stdout.contains("it began") && !ended.stdout.contains("it ran"));
        let says = format!(
            "GOPARK_MAXPROCS is {bad:?}, but the number of processors must be between 1 and 4096"
        );
        assert!(ended.stderr.contains(&says), "{}", ended.stderr);
    }
}

#[test]
fn a_number_that_is_not_even_text_is_an_error_too() {
    if inside(here!()) {
        gopark::maxprocs();
        return;
    }
    let ended = Child::new(here!()).env("GOPARK_MAXPROCS", OsStr::from_bytes(b"2\xFF")).run();
    assert!(!ended.status.success(), "it was ignored");
    assert!(ended.stderr.contains("GOPARK_MAXPROCS"), "{}", ended.stderr);
}

#[test]
fn the_program_overrides_the_environment() {
    alone(here!(), &[("GOPARK_MAXPROCS", "3")], || {
        let bad = |n| Config::new().maxprocs(n).start().unwrap_err();
        for n in [0, 4097] {
            let error = bad(n);
            assert!(matches!(error, StartError::MaxProcs { .. }), "{error:?}");
            let says = format!("Config::maxprocs is \"{n}\"");
            assert!(error.to_string().starts_with(&says), "{error}");
        }
        Config::new().maxprocs(5).start().unwrap();
        assert_eq!(gopark::maxprocs(), 5);
        assert!(!is_migrating());
    });
}

#[test]
fn a_bad_environment_is_an_error_of_start() {
    alone(here!(), &[("GOPARK_MAXPROCS", "many")], || {
        let error = Config::new().start().unwrap_err();
        assert!(error.to_string().contains("GOPARK_MAXPROCS is \"many\""), "{error}");
        // It is not read where the program says the number.
        Config::new().maxprocs(2).start().unwrap();
        assert_eq!(gopark::maxprocs(), 2);
    });
}

#[test]
fn it_starts_once() {
    alone(here!(), &[], || {
        Config::new().maxprocs(2).start().unwrap();
        let again = Config::new().maxprocs(3).start().unwrap_err();
        assert_eq!(again, StartError::AlreadyStarted);
        assert!(again.to_string().contains("runs already"), "{again}");
        assert_eq!(gopark::maxprocs(), 2);
    });
}

#[test]
fn any_use_starts_it() {
    let uses: [(&str, fn()); 5] = [
        ("go", || gopark::go(|| ()).join().unwrap()),
        ("run", || gopark::run(|| ())),
        ("maxprocs", || assert!(gopark::maxprocs() > 0)),
        ("scope", || drop(gopark::Scope::new("first"))),
        ("channel", || assert!(gopark::chan::rendezvous::<()>().0.is_full())),
    ];
    for (name, first) in uses {
        if inside(here!()) {
            if std::env::var("USES").is_ok_and(|uses| uses == name) {
                first();
                let error = Config::new().start().unwrap_err();
                assert_eq!(error, StartError::AlreadyStarted, "after {name}");
            }
            continue;
        }
        Child::new(here!()).env("USES", name).run().passed(here!());
    }
}
