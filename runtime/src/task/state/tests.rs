//! Each transition from each state, and what two of them make of each other.

use super::*;

#[test]
fn a_life() {
    let s = StateWord::new();
    s.birth();
    assert_eq!(s.start(), Cause::Ready);
    s.wait();
    assert_eq!(s.claim(Cause::Timer, Some(7)), Claim::Lost);
    assert_eq!(s.claim(Cause::Timer, Some(1)), Claim::Won);
    assert_eq!(s.claim(Cause::Ready, None), Claim::Lost);
    assert_eq!(s.start(), Cause::Timer);
    s.requeue();
    assert_eq!(s.start(), Cause::Ready);
    s.finish();
    assert_eq!(s.read().status(), Status::Dead);
    assert_eq!(s.read().ticket(), 2);
}

/// Who yields and comes back is in another state than before.
#[test]
fn each_yield_is_a_change_of_state() {
    let s = StateWord::new();
    s.birth();
    let mut seen = vec![s.read().stamp()];
    for _ in 1..CASES {
        assert_eq!(s.start(), Cause::Ready);
        s.requeue();
        assert_eq!((s.read().ticket(), s.read().cause()), (0, Cause::Ready));
        seen.push(s.read().stamp());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), CASES);
    assert_eq!(s.start(), Cause::Ready);
    s.wait();
    assert_eq!((s.read().case(), s.read().ticket()), (0, 1));
}

/// A task that has just parked.
fn parked() -> StateWord {
    let s = StateWord::new();
    s.birth();
    assert_eq!(s.start(), Cause::Ready);
    s.wait();
    s
}

#[test]
fn a_claim_during_a_trim_is_enqueued_by_the_trimmer() {
    let s = parked();
    let seen = s.read();
    assert!(s.begin_trim(seen));
    assert_eq!(s.read().status(), Status::CopyStack);
    assert!(!s.begin_trim(s.read()), "one trimmer at a time");
    assert_eq!(s.claim(Cause::Timer, None), Claim::Held);
    assert_eq!(s.end_trim(), Release::Enqueue);
    assert_eq!(s.start(), Cause::Timer);
}

#[test]
fn a_trim_is_no_change_of_state() {
    let s = parked();
    let seen = s.read();
    assert!(s.begin_trim(seen));
    assert_eq!(s.read().stamp(), seen.stamp());
    assert!(s.read().parked());
    assert_eq!(s.end_trim(), Release::Nothing);
    assert_eq!(s.read(), seen);
    s.settle(seen);
    assert!(s.read().settled());
    assert_eq!(s.read().stamp(), seen.stamp());
    assert!(s.condemn(seen));
    assert_eq!(s.claim(Cause::Reaper, Some(seen.ticket())), Claim::Won);
    assert!(!s.read().settled(), "of that park only");
    assert_eq!(s.start(), Cause::Reaper);
}

#[test]
fn a_call_keeps_the_cause_of_the_park_before() {
    let s = parked();
    assert_eq!(s.claim(Cause::Timer, None), Claim::Won);
    assert_eq!(s.start(), Cause::Timer);
    s.begin_call();
    assert_eq!((s.read().status(), s.read().cause()), (Status::Syscall, Cause::Timer));
    s.queue_after_call();
    assert_eq!(s.start(), Cause::Timer);
    s.begin_call();
    s.end_call();
    assert_eq!((s.read().status(), s.read().cause()), (Status::Running, Cause::Timer));
    s.begin_call();
    s.wait();
    assert_eq!(s.claim(Cause::Ready, None), Claim::Won);
}

const ALL: [Status; 9] = [
    Status::Idle,
    Status::Runnable,
    Status::Running,
    Status::Syscall,
    Status::Waiting,
    Status::Dead,
    Status::CopyStack,
    Status::Preempted,
    Status::Leaked,
];

type Change = (&'static str, fn(&StateWord), &'static [Status], Status);

/// What aborts in a state that it is not for; and where it leads in the others.
const CHANGES: [Change; 12] = {
    use Status::*;
    [
        ("birth", StateWord::birth, &[Idle, Dead], Runnable),
        ("adopt", StateWord::adopt, &[Idle, Dead], Running),
        ("start", |s| _ = s.start(), &[Runnable], Running),
        ("begin_call", StateWord::begin_call, &[Running], Syscall),
        ("end_call", StateWord::end_call, &[Syscall], Running),
        ("queue_after_call", StateWord::queue_after_call, &[Syscall], Runnable),
        ("suspend", StateWord::suspend, &[Running, Syscall], Preempted),
        ("resume", StateWord::resume, &[Preempted], Running),
        ("requeue", StateWord::requeue, &[Running, Syscall], Runnable),
        ("wait", StateWord::wait, &[Running, Syscall], Waiting),
        ("wait_held", StateWord::wait_held, &[Running, Syscall], Waiting),
        ("finish", StateWord::finish, &[Running], Dead),
    ]
};

/// Set in a process that makes the change.
const MAKES: &str = "GOPARK_TEST_MAKES";

fn made(name: &str, from: Status) -> std::process::Output {
    let here = module_path!().split_once("::").unwrap().1;
    let test = format!("{here}::every_other_change_aborts_and_names_both_states");
    let binary = std::env::current_exe().unwrap();
    let mut process = std::process::Command::new(binary);
    process.args(["--exact", &test, "--nocapture"]);
    process.env(MAKES, format!("{name} {}", from as u8)).output().unwrap()
}

#[test]
fn every_change_leads_where_the_table_says() {
    for (name, change, from, to) in CHANGES {
        for from in from {
            let s = StateWord(AtomicU64::new(*from as u64));
            change(&s);
            assert_eq!(s.read().status(), to, "{name} from {from:?}");
        }
    }
}

#[test]
fn every_other_change_aborts_and_names_both_states() {
    if let Ok(makes) = std::env::var(MAKES) {
        let (name, from) = makes.split_once(' ').unwrap();
        let (_, change, ..) = CHANGES.iter().find(|change| change.0 == name).unwrap();
        change(&StateWord(AtomicU64::new(from.parse().unwrap())));
        return;
    }
    for (name, _, legal, to) in CHANGES {
        for from in ALL.into_iter().filter(|from| !legal.contains(from)) {
            let ended = made(name, from);
            let text = String::from_utf8_lossy(&ended.stderr);
            let says = format!(
                "illegal task transition {} ({}) => {} ({})",
                from as u8,
                from.as_str(),
                to as u8,
                to.as_str()
            );
            let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
            assert_eq!(signal, Some(libc::SIGABRT), "{name} from {from:?}: {text}");
            assert!(text.contains(&says), "{name} from {from:?}: {text}");
        }
    }
    // A legal one does not, or this test shows nothing.
    assert!(made("suspend", Status::Running).status.success());
}

/// While an observer holds it, only a claim may change it.
#[test]
fn a_held_task_does_not_start() {
    let s = parked();
    assert!(s.begin_trim(s.read()));
    assert_eq!(s.claim(Cause::Ready, None), Claim::Held);
    assert_eq!((s.read().status(), s.read().held()), (Status::Runnable, true));
    assert_eq!(s.release(), Release::Enqueue);
    let _ = s.start();
}

#[test]
fn a_case_is_told_until_the_next_park() {
    let s = parked();
    let last = (CASES - 1) as u16;
    assert_eq!(s.claim_case(last), Claim::Won);
    assert_eq!(s.claim_case(1), Claim::Lost);
    assert_eq!(s.start(), Cause::Ready);
    assert_eq!(s.read().case(), last);
    s.begin_call();
    s.queue_after_call();
    assert_eq!(s.start(), Cause::Ready);
    assert_eq!((s.read().case(), s.read().ticket()), (last, 1));
    s.wait();
    let seen = s.read();
    assert_eq!((seen.case(), seen.ticket(), seen.settled()), (0, 2, false));
    assert_eq!(s.claim(Cause::Reaper, Some(2)), Claim::Won);
    assert_eq!((s.start(), s.read().case()), (Cause::Reaper, 0));
}

#[test]
fn a_leaked_task_can_still_wake() {
    let s = parked();
    assert!(s.condemn(s.read()));
    assert_eq!(s.read().status(), Status::Leaked);
    assert_eq!(s.claim(Cause::Ready, None), Claim::Won);
}
