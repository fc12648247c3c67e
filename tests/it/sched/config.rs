//! Settings: from the program, from the environment, and which of them wins.

use crate::child::{Child, alone, here, inside};
use gopark::runtime::{Config, StartError, is_migrating};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

#[test]
fn the_environment_sets_the_number_of_processors() {
    for (value, count) in [("3", 3), ("1", 1), (" 2 ", 2), ("1024", 1024)] {
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
    for bad in ["0", "-1", "1025", "two", "1.5", "1 2", "99999999999999999999"] {
        let ended = Child::new(here!()).env("GOPARK_MAXPROCS", bad).run();
        assert!(!ended.status.success(), "{bad:?} was accepted");
        assert!(ended.stdout.contains("it began") && !ended.stdout.contains("it ran"));
        let says = format!(
            "GOPARK_MAXPROCS is {bad:?}, but the number of processors must be between 1 and 1024"
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
        for n in [0, 1025] {
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
fn a_slice_that_cannot_be_is_an_error_of_start() {
    alone(here!(), &[("GOPARK_SLICE", "never")], || {
        let limits = [Duration::from_micros(999), Duration::from_millis(1001), Duration::MAX];
        for slice in limits {
            let error = Config::new().slice(slice).start().unwrap_err();
            assert!(
                matches!(error, StartError::Slice { source: "Config::slice", .. }),
                "{error:?}"
            );
            let says = format!("Config::slice is \"{slice:?}\"");
            assert!(error.to_string().starts_with(&says), "{error}");
        }
        // The environment is not read where the program says it.
        Config::new().slice(Duration::from_millis(1)).start().unwrap();
    });
}

#[test]
fn every_slice_between_the_limits_is_taken() {
    for value in ["1ms", "1000us", " 1500us ", "10ms", "1s", "1000ms"] {
        if inside(here!()) {
            return Config::new().start().unwrap();
        }
        Child::new(here!()).env("GOPARK_SLICE", value).run().passed(here!());
    }
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

/// Whatever the first use is, it says what is wrong and what would be right.
#[test]
fn a_setting_that_makes_no_sense_ends_the_process_at_first_use() {
    if inside(here!()) {
        println!("it began");
        gopark::go(|| ()).join().unwrap();
        println!("it ran");
        return;
    }
    let size = "but the size of a stack is a number of bytes such as 512K, 1M or 64M, at most 1G";
    let list =
        ["which is none of\n", "\n  asyncpreemptoff=0|1 ", "\n  guardpages=0|1 ", "\n  help "];
    let slice = "but a slice is between 1ms and 1s, such as 1500us, 10ms or 1s";
    let bad: [(_, &[u8], _, &[&str]); 14] = [
        ("GOPARK_SLICE", b"999us", "is \"999us\"", &[slice]),
        ("GOPARK_SLICE", b"1001ms", "is \"1001ms\"", &[slice]),
        ("GOPARK_SLICE", b"0", "is \"0\"", &[slice]),
        ("GOPARK_SLICE", b"10", "is \"10\"", &[slice]),
        ("GOPARK_SLICE", b"ms", "is \"ms\"", &[slice]),
        ("GOPARK_SLICE", b"1.5ms", "is \"1.5ms\"", &[slice]),
        ("GOPARK_STACK", b"2G", "is \"2G\"", &[size]),
        ("GOPARK_STACK", b"0", "is \"0\"", &[size]),
        ("GOPARK_STACK", b"1.5M", "is \"1.5M\"", &[size]),
        ("GOPARK_STACK", b"1M\xFF", "is \"1M\u{FFFD}\"", &[size]),
        ("GOPARK_DEBUG", b"guardpage=0", "has \"guardpage=0\"", &list),
        ("GOPARK_DEBUG", b"guardpages=0,shrinkstackoff=2", "has \"shrinkstackoff=2\"", &list),
        ("GOPARK_DEBUG", b"help,guardpages", "has \"guardpages\"", &list),
        ("GOPARK_DEBUG", b"help\xFF", "has \"help\u{FFFD}\"", &list),
    ];
    for (name, value, says, and) in bad {
        let ended = Child::new(here!()).env(name, OsStr::from_bytes(value)).run();
        assert!(!ended.status.success(), "{says} was accepted");
        assert!(ended.stdout.contains("it began") && !ended.stdout.contains("it ran"));
        let says = format!("gopark: fatal error: {name} {says}, ");
        for part in and.iter().chain([&says.as_str()]) {
            assert!(ended.stderr.contains(part), "does not say {part:?}:\n{}", ended.stderr);
        }
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_an_error_of_start() {
    type Is = fn(&StartError) -> bool;
    let bad: [(_, _, Is); 3] = [
        (
            "GOPARK_SLICE",
            "2s",
            |error| matches!(error, StartError::Slice { value, source: "GOPARK_SLICE" } if value == "2s"),
        ),
        (
            "GOPARK_STACK",
            "much",
            |error| matches!(error, StartError::StackLimit { value, source: "GOPARK_STACK" } if value == "much"),
        ),
        (
            "GOPARK_DEBUG",
            "more=1",
            |error| matches!(error, StartError::Debug { setting } if setting == "more=1"),
        ),
    ];
    for (name, value, is) in bad {
        if inside(here!()) {
            if std::env::var_os(name).is_some() {
                // Also where the program says how large stacks are: what the
                // user says would win.
                for config in [Config::new(), Config::new().stack_limit(1 << 20)] {
                    let error = config.start().unwrap_err();
                    assert!(is(&error), "{error:?}");
                }
            }
            continue;
        }
        Child::new(here!()).env(name, value).run().passed(here!());
    }
}

#[test]
fn a_stack_that_cannot_be_is_an_error_of_start() {
    alone(here!(), &[], || {
        let error = Config::new().stack_limit((1 << 30) + 1).start().unwrap_err();
        assert!(matches!(error, StartError::StackLimit { .. }), "{error:?}");
        assert!(error.to_string().starts_with("Config::stack_limit is \"1073741825\""), "{error}");
        // Nothing was started.
        Config::new().stack_limit(1 << 30).start().unwrap();
    });
}

#[test]
fn variables_without_a_value_are_not_set() {
    alone(here!(), &[("GOPARK_STACK", ""), ("GOPARK_DEBUG", "")], || {
        Config::new().start().unwrap();
        assert_eq!(gopark::go(|| 7).join().unwrap(), 7);
    });
}

#[test]
fn help_lists_the_debug_settings_once_and_the_program_goes_on() {
    if inside(here!()) {
        // Settings that were read for nothing say nothing.
        Config::new().maxprocs(0).start().unwrap_err();
        println!("it ran: {}", gopark::go(|| 7).join().unwrap());
        Config::new().start().unwrap_err();
        return;
    }
    let ended = Child::new(here!()).env("GOPARK_DEBUG", "help").run();
    ended.passed(here!());
    assert!(ended.stdout.contains("it ran: 7"), "{}", ended.stdout);
    assert_eq!(ended.stderr.matches("GOPARK_DEBUG is a list").count(), 1, "{}", ended.stderr);
    for name in [
        "asyncpreemptoff=0|1",
        "dumpsignal=N",
        "flightrecorder=N",
        "guardpages=0|1",
        "idleworkers=N",
        "scheddetail=0|1",
        "schedtrace=N",
        "shrinkstackoff=0|1",
        "sigquit=0|1",
        "warntasks=N",
        "watchdog=0|1",
        "help",
    ] {
        let lines = ended.stderr.lines();
        let lines = lines.filter(|line| line.trim_start().split(' ').next() == Some(name));
        assert_eq!(lines.count(), 1, "{name}:\n{}", ended.stderr);
    }
    let silent = Child::new(here!()).env("GOPARK_DEBUG", "guardpages=1").run();
    silent.passed(here!());
    assert!(!silent.stderr.contains("GOPARK_DEBUG"), "{}", silent.stderr);
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
