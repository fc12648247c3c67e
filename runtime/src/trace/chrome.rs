//! The same trace as JSON, in Chrome's trace event format.
//!
//! Three groups: what each processor ran; what each task did and waited for, with arrows
//! from who made it ready; and what the program said.

use super::file::ev;
use super::read::{self, Line, Tables};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Numbers of the groups.
const PROCESSORS: u32 = 1;
const TASKS: u32 = 2;
const USER: u32 = 3;

/// From this number on it is the one that a thread has which has none.
const MOST: u64 = crate::sched::processors::MOST as u64;

/// Writes a trace file again as JSON, which `ui.perfetto.dev` and Chrome's
/// `about:tracing` open.
///
/// Times are in microseconds from the beginning of the trace.
///
/// # Errors
/// [`InvalidData`](io::ErrorKind::InvalidData) if `file` is not one that this crate
/// wrote; what the writer says.
///
/// ```
/// let recorder = gopark::trace::FlightRecorder::start(std::time::Duration::from_secs(1))?;
/// gopark::go(|| ()).join().unwrap();
/// let (mut file, mut json) = (Vec::new(), Vec::new());
/// recorder.write_to(&mut file)?;
/// gopark::trace::to_chrome_json(&file, &mut json)?;
/// assert!(json.starts_with(b"{\"traceEvents\":["));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn to_chrome_json(file: &[u8], mut to: impl Write) -> io::Result<()> {
    let read = read::read(file)?;
    let start = read.events.first().map_or(0, |event| event.time);
    let mut json = Json { text: String::from("{\"traceEvents\":["), start, any: false };
    let mut state = State::default();
    for event in &read.events {
        state.event(&mut json, event, &read.generations[event.generation]);
    }
    state.end(&mut json, read.events.last().map_or(0, |event| event.time));
    json.text.push_str("\n],\"displayTimeUnit\":\"ns\"}\n");
    to.write_all(json.text.as_bytes())
}

struct Json {
    text: String,
    start: u64,
    any: bool,
}

impl Json {
    /// An event; `more` begins with a comma.
    fn put(&mut self, phase: char, group: u32, row: u64, time: u64, name: &str, more: &str) {
        if std::mem::replace(&mut self.any, true) {
            self.text.push(',');
        }
        let time = Micros(time - self.start);
        // To a string nothing fails.
        let _ = write!(
            self.text,
            "\n{{\"ph\":\"{phase}\",\"pid\":{group},\"tid\":{row},\"ts\":{time},\"name\":{}{more}}}",
            Quoted(name)
        );
    }

    fn span(&mut self, group: u32, row: u64, from: u64, until: u64, name: &str, more: &str) {
        let more = format!(",\"dur\":{}{more}", Micros(until - from));
        self.put('X', group, row, from, name, &more);
    }
}

struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c < ' ' => write!(f, "\\u{:04x}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// What a task does since when.
struct Doing {
    what: String,
    since: u64,
    site: String,
}

#[derive(Default)]
struct State {
    tasks: BTreeMap<u64, Doing>,
    names: BTreeMap<u64, String>,
    /// The task and the processor of each thread.
    threads: HashMap<u64, (Option<u64>, Option<u64>)>,
    /// Those on which something ran.
    processors: BTreeSet<u64>,
    /// Regions that are open, by task.
    regions: HashMap<u64, Vec<u64>>,
    next: u64,
    user_tasks: HashMap<u64, String>,
}

impl State {
    fn event(&mut self, json: &mut Json, event: &Line, tables: &Tables) {
        let &Line { time, m, kind, ref args, .. } = event;
        let (task, p) = self.threads.get(&m).copied().unwrap_or_default();
        let site = |id| tables.stack(id).map(|(_, site)| site).unwrap_or_default();
        match (kind, &args[..], task) {
            (ev::PROC_START, &[p, _], _) => self.hold(m, Some(p)),
            (ev::PROC_STATUS, &[p, 1], _) => self.hold(m, Some(p)),
            (ev::PROC_STOP, _, _) => self.hold(m, None),
            (ev::GO_CREATE, &[id, stack, _], _) => {
                self.name(id, stack, tables);
                self.become_(json, id, time, "runnable", site(stack));
            }
            (ev::GO_STATUS_STACK, &[id, on, status, stack], _) => {
                self.name(id, stack, tables);
                if !self.tasks.contains_key(&id) {
                    let what = ["", "runnable", "running", "syscall", "waiting"];
                    let what = what.get(status as usize).copied().unwrap_or("");
                    self.become_(json, id, time, what, site(stack));
                    if matches!(status, 2 | 3) {
                        self.threads.entry(on).or_default().0 = Some(id);
                    }
                }
            }
            (ev::GO_START, &[id, _], _) => {
                self.threads.entry(m).or_default().0 = Some(id);
                self.become_(json, id, time, "running", String::new());
            }
            (ev::GO_STOP, &[_, stack], Some(id)) => {
                self.off(json, m, id, p, time);
                self.become_(json, id, time, "runnable", site(stack));
            }
            (ev::GO_BLOCK, &[why, stack], Some(id)) => {
                self.off(json, m, id, p, time);
                self.become_(json, id, time, tables.string(why), site(stack));
            }
            (ev::GO_DESTROY, _, Some(id)) => {
                self.off(json, m, id, p, time);
                self.close(json, id, time);
                self.tasks.remove(&id);
            }
            (ev::SYSCALL_BEGIN, &[_, stack], Some(id)) => {
                self.ran(json, id, p, time);
                self.become_(json, id, time, "syscall", site(stack));
            }
            (ev::SYSCALL_END_BLOCKED, _, Some(id)) => {
                self.threads.entry(m).or_default().0 = None;
                self.become_(json, id, time, "runnable", String::new());
            }
            (ev::GO_UNBLOCK, &[id, ..], waker) => {
                self.become_(json, id, time, "runnable", String::new());
                if let Some(waker) = waker {
                    self.next += 1;
                    let id_text = format!(",\"id\":{},\"cat\":\"ready\"", self.next);
                    json.put('s', TASKS, waker, time, "ready", &id_text);
                    json.put('f', TASKS, id, time, "ready", &format!("{id_text},\"bp\":\"e\""));
                }
            }
            _ => self.user(json, event, tables, task),
        }
    }

    /// What the program said.
    fn user(&mut self, json: &mut Json, event: &Line, tables: &Tables, task: Option<u64>) {
        let &Line { time, kind, ref args, .. } = event;
        let row = task.unwrap_or(0);
        match (kind, &args[..]) {
            (ev::TASK_BEGIN, &[id, _, name, _]) => {
                let name = tables.string(name);
                self.user_tasks.insert(id, name.to_owned());
                json.put('b', USER, 0, time, name, &format!(",\"cat\":\"task\",\"id\":{id}"));
            }
            (ev::TASK_END, &[id, _]) => {
                if let Some(name) = self.user_tasks.remove(&id) {
                    json.put('e', USER, 0, time, &name, &format!(",\"cat\":\"task\",\"id\":{id}"));
                }
            }
            (ev::REGION_BEGIN, &[of, name, _]) => {
                self.next += 1;
                self.regions.entry(row).or_default().push(self.next);
                // It goes over several of the task's spans, so it cannot be on the same row.
                let mut more = format!(
                    ",\"cat\":\"region\",\"id\":{},\"args\":{{\"task\":{}",
                    self.next,
                    Quoted(&self.title(row))
                );
                if let Some(of) = self.user_tasks.get(&of) {
                    let _ = write!(more, ",\"for\":{}", Quoted(of));
                }
                more.push('}');
                json.put('b', TASKS, row, time, tables.string(name), &more);
            }
            (ev::REGION_END, &[_, name, _]) => {
                if let Some(id) = self.regions.entry(row).or_default().pop() {
                    let more = format!(",\"cat\":\"region\",\"id\":{id}");
                    json.put('e', TASKS, row, time, tables.string(name), &more);
                }
            }
            (ev::LOG, &[_, category, message, _]) => {
                let message = Quoted(tables.string(message));
                let more = format!(",\"s\":\"t\",\"args\":{{\"message\":{message}}}");
                json.put('i', TASKS, row, time, tables.string(category), &more);
            }
            (ev::PROCS_CHANGE, &[count, _]) => {
                let more = format!(",\"args\":{{\"processors\":{count}}}");
                json.put('C', PROCESSORS, 0, time, "GOMAXPROCS", &more);
            }
            (ev::GO_LABEL, &[name]) => {
                self.names.insert(row, tables.string(name).to_owned());
            }
            _ => {}
        }
    }

    fn hold(&mut self, m: u64, p: Option<u64>) {
        self.threads.entry(m).or_default().1 = p;
    }

    fn name(&mut self, id: u64, stack: u64, tables: &Tables) {
        if let Some((function, _)) = tables.stack(stack) {
            self.names.entry(id).or_insert_with(|| function.to_owned());
        }
    }

    fn title(&self, id: u64) -> String {
        format!("G{id} {}", self.names.get(&id).map_or("", String::as_str))
    }

    /// The task ran on the processor until now.
    fn ran(&mut self, json: &mut Json, id: u64, p: Option<u64>, time: u64) {
        if let (Some(p), Some(doing)) = (p, self.tasks.get(&id)) {
            json.span(PROCESSORS, p, doing.since, time, &self.title(id), "");
            self.processors.insert(p);
        }
    }

    /// The task leaves its thread.
    fn off(&mut self, json: &mut Json, m: u64, id: u64, p: Option<u64>, time: u64) {
        self.ran(json, id, p, time);
        self.threads.entry(m).or_default().0 = None;
    }

    fn close(&self, json: &mut Json, id: u64, time: u64) {
        if let Some(Doing { what, since, site }) = self.tasks.get(&id) {
            let more = match site.as_str() {
                "" => String::new(),
                site => format!(",\"args\":{{\"site\":{}}}", Quoted(site)),
            };
            json.span(TASKS, id, *since, time, what, &more);
        }
    }

    fn become_(&mut self, json: &mut Json, id: u64, time: u64, what: &str, site: String) {
        self.close(json, id, time);
        self.tasks.insert(id, Doing { what: what.to_owned(), since: time, site });
    }

    /// Closes what is open, and names the rows.
    fn end(&mut self, json: &mut Json, time: u64) {
        for (task, p) in self.threads.values().copied().collect::<Vec<_>>() {
            if let Some(id) = task {
                self.ran(json, id, p, time);
            }
        }
        self.tasks.keys().for_each(|&id| self.close(json, id, time));
        let start = json.start;
        let mut label = |what, group, row, name: &str| {
            let more = format!(",\"args\":{{\"name\":{}}}", Quoted(name));
            json.put('M', group, row, start, what, &more);
        };
        for (group, name) in [(PROCESSORS, "processors"), (TASKS, "tasks"), (USER, "work")] {
            label("process_name", group, 0, name);
        }
        for &p in &self.processors {
            let name = if p < MOST { format!("P{p}") } else { "no processor".to_owned() };
            label("thread_name", PROCESSORS, p, &name);
        }
        for &id in self.names.keys() {
            label("thread_name", TASKS, id, &self.title(id));
        }
    }
}
