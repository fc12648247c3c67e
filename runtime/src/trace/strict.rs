//! A strict reader of execution traces: what Go's reader insists on, and more.
//!
//! It reads a generation whole, then advances thread by thread: of those whose next
//! event can happen in the present state, the earliest. If none can, or one breaks
//! a rule, the trace is wrong and the reader panics.
//!
//! | event | needs |
//! |---|---|
//! | all but the states of processors and tasks | a thread |
//! | `GO_CREATE` | a processor; no task on the thread but a running one; a new number |
//! | `GO_START` | a processor, no task; the task runnable, its number the next |
//! | stops, blocks, ends, labels, regions, logs, limits | a processor and a running task |
//! | `GO_UNBLOCK` | the task waiting, its number the next |
//! | `PROC_START` | no processor on the thread; the processor idle, its number the next |
//! | `PROC_STOP` | a processor, and no running task |
//! | `SYSCALL_BEGIN` | a running task, the processor's number the next |
//! | `SYSCALL_END_BLOCKED` | a task in a call, the processor not of that call |
//! | states | equal to what was, in each generation before anything else of it |

use std::collections::{HashMap, VecDeque};

pub(super) const PROCS_CHANGE: u8 = 9;
pub(super) const PROC_START: u8 = 10;
pub(super) const PROC_STOP: u8 = 11;
pub(super) const PROC_STATUS: u8 = 13;
pub(super) const GO_CREATE: u8 = 14;
pub(super) const GO_START: u8 = 16;
pub(super) const GO_DESTROY: u8 = 17;
pub(super) const GO_STOP: u8 = 19;
pub(super) const GO_BLOCK: u8 = 20;
pub(super) const GO_UNBLOCK: u8 = 21;
pub(super) const SYSCALL_BEGIN: u8 = 22;
pub(super) const SYSCALL_END_BLOCKED: u8 = 24;
pub(super) const GO_LABEL: u8 = 39;
pub(super) const TASK_BEGIN: u8 = 40;
pub(super) const TASK_END: u8 = 41;
pub(super) const REGION_BEGIN: u8 = 42;
pub(super) const REGION_END: u8 = 43;
pub(super) const LOG: u8 = 44;
pub(super) const GO_STATUS_STACK: u8 = 48;

const NO_THREAD: u64 = u64::MAX;

/// What an argument is.
#[derive(Clone, Copy, PartialEq)]
enum Arg {
    N,
    Text,
    Stack,
}
use Arg::{N, Stack, Text};

fn args(kind: u8) -> &'static [Arg] {
    match kind {
        PROC_STOP | GO_DESTROY | SYSCALL_END_BLOCKED => &[],
        GO_LABEL => &[Text],
        PROC_START | PROC_STATUS | GO_START => &[N, N],
        PROCS_CHANGE | SYSCALL_BEGIN | TASK_END => &[N, Stack],
        GO_STOP | GO_BLOCK => &[Text, Stack],
        GO_CREATE => &[N, Stack, Stack],
        GO_UNBLOCK => &[N, N, Stack],
        REGION_BEGIN | REGION_END => &[N, Text, Stack],
        GO_STATUS_STACK => &[N, N, N, Stack],
        TASK_BEGIN => &[N, N, Text, Stack],
        LOG => &[N, Text, Text, Stack],
        other => panic!("there is no event {other}, or none that is written"),
    }
}

/// An event, and who was on its thread before it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) time: u64,
    pub(super) m: u64,
    pub(super) p: Option<u64>,
    pub(super) g: Option<u64>,
    pub(super) kind: u8,
    pub(super) args: Vec<u64>,
    /// Its texts, then the functions of its stacks.
    pub(super) texts: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Runnable = 1,
    Running = 2,
    Call = 3,
    Waiting = 4,
}

struct Task {
    state: State,
    seq: (u64, u64),
    regions: Vec<(u64, String)>,
}

struct Processor {
    /// 1 running, 2 idle, 3 in a call.
    status: u64,
    seq: (u64, u64),
}

#[derive(Default, Clone, Copy)]
struct Thread {
    p: Option<u64>,
    g: Option<u64>,
}

#[derive(Default)]
pub(super) struct Trace {
    /// In an order in which they can have happened.
    pub(super) events: Vec<Seen>,
    /// The number of the last one.
    pub(super) generations: u64,
    /// How many there are.
    pub(super) whole: usize,
    first: Option<u64>,
    tasks: HashMap<u64, Task>,
    processors: HashMap<u64, Processor>,
    threads: HashMap<u64, Thread>,
    user_tasks: HashMap<u64, String>,
}

#[derive(Default)]
struct Tables {
    strings: HashMap<u64, String>,
    stacks: HashMap<u64, Vec<(u64, u64, u64, u64)>>,
    frequency: Option<u64>,
    snapshot: bool,
}

impl Trace {
    /// Reads the whole file.
    pub(super) fn read(file: &[u8]) -> Trace {
        let mut trace = Trace::default();
        let mut rest = Bytes(file.strip_prefix(b"go 1.26 trace\0\0\0").expect("the header"));
        while !rest.0.is_empty() {
            trace.generation(&mut rest);
        }
        assert!(trace.generations > 0, "no generation");
        trace
    }

    pub(super) fn count(&self, kind: u8) -> usize {
        self.events.iter().filter(|event| event.kind == kind).count()
    }

    /// Of those of a kind, those whose text is this.
    pub(super) fn said<'a>(&'a self, kind: u8, text: &'a str) -> impl Iterator<Item = &'a Seen> {
        let is = move |event: &&Seen| event.kind == kind && event.texts.iter().any(|t| t == text);
        self.events.iter().filter(is)
    }

    /// Tasks that are there at the end.
    pub(super) fn left(&self) -> usize {
        self.tasks.len()
    }

    fn generation(&mut self, rest: &mut Bytes<'_>) {
        let mut tables = Tables::default();
        let mut threads: Vec<(u64, VecDeque<Seen>)> = Vec::new();
        let (mut number, mut raw) = (None, Vec::new());
        loop {
            match rest.byte() {
                1 => {}
                52 => break,
                other => panic!("a batch begins with {other}"),
            }
            let [generation, m, time, size] = rest.numbers();
            assert!(size <= 65_536, "a batch of {size} bytes");
            assert_eq!(*number.get_or_insert(generation), generation, "generations are mixed");
            let data = Bytes(rest.take(size));
            match m {
                NO_THREAD => tables.fill(data),
                _ => raw.push((m, time, data)),
            }
        }
        let number = number.expect("a generation has a batch");
        assert!(number > self.generations, "generation {number} comes late");
        let first = *self.first.get_or_insert(number);
        self.generations = number;
        self.whole += 1;
        assert_eq!(tables.frequency, Some(1_000_000_000));
        assert!(tables.snapshot, "no clock in generation {number}");
        tables.check();
        for (m, mut time, mut data) in raw {
            if !threads.iter().any(|(other, _)| *other == m) {
                threads.push((m, VecDeque::new()));
            }
            let events = &mut threads.iter_mut().find(|(other, _)| *other == m).unwrap().1;
            assert!(events.back().is_none_or(|last| last.time <= time), "thread {m} goes back");
            while !data.0.is_empty() {
                let kind = data.byte();
                time += data.number();
                events.push_back(tables.event(m, time, kind, &mut data));
            }
        }
        let mut order: Vec<usize> = (0..threads.len()).collect();
        loop {
            order.retain(|&n| !threads[n].1.is_empty());
            if order.is_empty() {
                break;
            }
            order.sort_by_key(|&n| threads[n].1[0].time);
            let next = order.iter().position(|&n| self.can(&threads[n].1[0], number));
            let Some(next) = next else {
                let stuck: Vec<_> = order.iter().map(|&n| &threads[n].1[0]).collect();
                panic!("generation {number}: nobody can go on: {stuck:#?}");
            };
            let event = threads[order[next]].1.pop_front().unwrap();
            self.advance(event, number, number == first);
        }
        for (id, task) in &self.tasks {
            assert_eq!(task.seq.0, number, "generation {number} does not state task {id}");
        }
        for (id, p) in &self.processors {
            assert_eq!(p.seq.0, number, "generation {number} does not state processor {id}");
        }
    }

    /// Whether the event may come now; others come first if not.
    fn can(&self, event: &Seen, number: u64) -> bool {
        let on = self.threads.get(&event.m).copied().unwrap_or_default();
        match event.kind {
            PROC_START => self.processors.get(&event.args[0]).is_some_and(|p| {
                p.status == 2 && p.seq.0 == number && p.seq.1 + 1 == event.args[1] && on.p.is_none()
            }),
            GO_START | GO_UNBLOCK => self.tasks.get(&event.args[0]).is_some_and(|task| {
                let needs = if event.kind == GO_START { State::Runnable } else { State::Waiting };
                task.state == needs && task.seq == (number, event.args[1] - 1)
            }),
            SYSCALL_END_BLOCKED => on.p.is_none_or(|p| self.processors[&p].status != 3),
            _ => true,
        }
    }

    fn advance(&mut self, mut event: Seen, number: u64, first: bool) {
        let on = self.threads.entry(event.m).or_default();
        (event.p, event.g) = (on.p, on.g);
        let running = |trace: &Trace, event: &Seen| -> u64 {
            assert!(event.p.is_some(), "without a processor: {event:?}");
            let id = event.g.unwrap_or_else(|| panic!("without a task: {event:?}"));
            assert_eq!(trace.tasks[&id].state, State::Running, "{event:?}");
            id
        };
        match event.kind {
            PROC_STATUS => {
                let [id, status] = event.args[..] else { unreachable!() };
                assert!(matches!(status, 1 | 2), "{event:?}");
                if let Some(known) = self.processors.get(&id) {
                    assert_eq!(known.status, status, "{event:?}");
                    assert_ne!(known.seq.0, number, "stated twice: {event:?}");
                }
                self.processors.insert(id, Processor { status, seq: (number, 0) });
                if status == 1 {
                    assert!(event.p.is_none_or(|p| p == id), "{event:?}");
                    self.thread(event.m).p = Some(id);
                }
            }
            PROC_START => {
                let p = self.processors.get_mut(&event.args[0]).unwrap();
                (p.status, p.seq.1) = (1, event.args[1]);
                self.thread(event.m).p = Some(event.args[0]);
            }
            PROC_STOP => {
                let id = event.p.unwrap_or_else(|| panic!("without a processor: {event:?}"));
                let runs = event.g.is_some_and(|g| self.tasks[&g].state == State::Running);
                assert!(!runs, "a task runs on: {event:?}");
                let p = self.processors.get_mut(&id).unwrap();
                assert!(matches!(p.status, 1 | 3), "{event:?}");
                p.status = 2;
                self.thread(event.m).p = None;
            }
            GO_STATUS_STACK => {
                let [id, m, status, _] = event.args[..] else { unreachable!() };
                let all = [State::Runnable, State::Running, State::Call, State::Waiting];
                let state = all[status as usize - 1];
                match self.tasks.get_mut(&id) {
                    Some(task) => {
                        assert_eq!(task.state, state, "{event:?}");
                        assert_ne!(task.seq.0, number, "stated twice: {event:?}");
                        task.seq = (number, 0);
                    }
                    None => {
                        assert!(first, "a new task is stated late: {event:?}");
                        let seq = (number, 0);
                        self.tasks.insert(id, Task { state, seq, regions: Vec::new() });
                    }
                }
                if matches!(state, State::Running | State::Call) {
                    assert_eq!(m, event.m, "{event:?}");
                    assert!(event.g.is_none_or(|g| g == id), "{event:?}");
                    assert!(event.p.is_some() || state == State::Call, "{event:?}");
                    self.thread(event.m).g = Some(id);
                }
            }
            GO_CREATE => {
                assert!(event.p.is_some(), "without a processor: {event:?}");
                if event.g.is_some() {
                    running(self, &event);
                }
                assert!(!event.texts[0].is_empty(), "without a stack: {event:?}");
                let new = Task { state: State::Runnable, seq: (number, 0), regions: Vec::new() };
                let old = self.tasks.insert(event.args[0], new);
                assert!(old.is_none(), "made twice: {event:?}");
            }
            GO_START => {
                assert!(event.p.is_some() && event.g.is_none(), "{event:?}");
                let task = self.tasks.get_mut(&event.args[0]).unwrap();
                (task.state, task.seq.1) = (State::Running, event.args[1]);
                self.thread(event.m).g = Some(event.args[0]);
            }
            GO_STOP | GO_BLOCK | GO_DESTROY => {
                let id = running(self, &event);
                self.thread(event.m).g = None;
                let state = if event.kind == GO_STOP { State::Runnable } else { State::Waiting };
                self.tasks.get_mut(&id).unwrap().state = state;
                if event.kind == GO_DESTROY {
                    self.tasks.remove(&id);
                }
            }
            GO_UNBLOCK => {
                let task = self.tasks.get_mut(&event.args[0]).unwrap();
                (task.state, task.seq.1) = (State::Runnable, event.args[1]);
            }
            SYSCALL_BEGIN => {
                let id = running(self, &event);
                self.tasks.get_mut(&id).unwrap().state = State::Call;
                let p = self.processors.get_mut(&event.p.unwrap()).unwrap();
                assert_eq!(p.seq, (number, event.args[0] - 1), "{event:?}");
                (p.status, p.seq.1) = (3, event.args[0]);
            }
            SYSCALL_END_BLOCKED => {
                let id = event.g.unwrap_or_else(|| panic!("without a task: {event:?}"));
                let task = self.tasks.get_mut(&id).unwrap();
                assert_eq!(task.state, State::Call, "{event:?}");
                task.state = State::Runnable;
                self.thread(event.m).g = None;
            }
            TASK_BEGIN => {
                running(self, &event);
                let old = self.user_tasks.insert(event.args[0], event.texts[0].clone());
                assert_eq!(old, None, "{event:?}");
            }
            TASK_END => {
                running(self, &event);
                self.user_tasks.remove(&event.args[0]);
            }
            REGION_BEGIN => {
                let id = running(self, &event);
                let region = (event.args[0], event.texts[0].clone());
                self.tasks.get_mut(&id).unwrap().regions.push(region);
            }
            REGION_END => {
                let id = running(self, &event);
                if let Some(open) = self.tasks.get_mut(&id).unwrap().regions.pop() {
                    assert_eq!(open, (event.args[0], event.texts[0].clone()), "{event:?}");
                }
            }
            PROCS_CHANGE | GO_LABEL | LOG => {
                running(self, &event);
            }
            other => unreachable!("{other}"),
        }
        self.events.push(event);
    }

    fn thread(&mut self, m: u64) -> &mut Thread {
        self.threads.get_mut(&m).unwrap()
    }
}

impl Tables {
    fn fill(&mut self, mut data: Bytes<'_>) {
        match data.byte() {
            50 => {
                assert_eq!(data.byte(), 8);
                assert_eq!(self.frequency.replace(data.number()), None, "two frequencies");
                assert_eq!(data.byte(), 51);
                let [_, mono, seconds, nanos] = data.numbers();
                assert!(mono > 0 && seconds > 0 && nanos < 1_000_000_000);
                assert!(!std::mem::replace(&mut self.snapshot, true), "two clocks");
                assert!(data.0.is_empty());
            }
            4 => {
                while !data.0.is_empty() {
                    assert_eq!(data.byte(), 5);
                    let [id, length] = data.numbers();
                    assert!(id != 0 && length <= 1024, "text {id} of {length} bytes");
                    let text = String::from_utf8(data.take(length).to_vec()).expect("a text");
                    assert_eq!(self.strings.insert(id, text), None, "text {id} stands twice");
                }
            }
            2 => {
                while !data.0.is_empty() {
                    assert_eq!(data.byte(), 3);
                    let [id, frames] = data.numbers();
                    assert!(id != 0 && (1..=128).contains(&frames), "stack {id}");
                    let frame = |_| <(u64, u64, u64, u64)>::from(data.numbers::<4>());
                    let stack = (0..frames).map(frame).collect();
                    assert_eq!(self.stacks.insert(id, stack), None, "stack {id} stands twice");
                }
            }
            other => panic!("a table of kind {other}"),
        }
    }

    fn check(&self) {
        let mut known = HashMap::new();
        for frame in self.stacks.values().flatten() {
            let &(pc, function, file, _) = frame;
            assert_ne!(pc, 0);
            assert!(self.strings.contains_key(&function) && self.strings.contains_key(&file));
            assert_eq!(known.entry(pc).or_insert(frame), &frame, "two frames, one address");
        }
    }

    fn event(&self, m: u64, time: u64, kind: u8, data: &mut Bytes<'_>) -> Seen {
        let kinds = args(kind);
        let args: Vec<u64> = kinds.iter().map(|_| data.number()).collect();
        let of = |wanted| {
            kinds.iter().zip(&args).filter(move |(kind, _)| **kind == wanted).map(|(_, id)| id)
        };
        let text = |id| self.strings.get(id).unwrap_or_else(|| panic!("no text {id}")).clone();
        let mut texts: Vec<String> = of(Text).map(text).collect();
        for id in of(Stack) {
            let frames = self.stacks.get(id);
            assert!(*id == 0 || frames.is_some(), "no stack {id}");
            texts.push(frames.map_or_else(String::new, |frames| text(&frames[0].1)));
        }
        Seen { time, m, p: None, g: None, kind, args, texts }
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().expect("more bytes");
        self.0 = rest;
        first
    }

    fn number(&mut self) -> u64 {
        let mut n = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte();
            n |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return n;
            }
        }
        panic!("a number without an end");
    }

    fn numbers<const COUNT: usize>(&mut self) -> [u64; COUNT] {
        std::array::from_fn(|_| self.number())
    }

    fn take(&mut self, count: u64) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count as usize);
        self.0 = rest;
        taken
    }
}
