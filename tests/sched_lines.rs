//! A strict reader of the lines that `GOPARK_DEBUG=schedtrace=N` prints: of what Go
//! prints, and of nothing else.

/// What is printed at one time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) milliseconds: u64,
    pub(crate) maxprocs: u64,
    pub(crate) idle_processors: u64,
    pub(crate) threads: u64,
    pub(crate) spinning: u64,
    pub(crate) needs_spinning: bool,
    pub(crate) idle_threads: u64,
    pub(crate) run_queue: u64,
    /// Lengths of the queues of processors.
    pub(crate) queues: Vec<u64>,
    pub(crate) ticks: Vec<u64>,
    pub(crate) details: Option<Details>,
}

/// What `scheddetail=1` adds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) idle_locked: u64,
    pub(crate) sysmon_waits: bool,
    pub(crate) processors: Vec<Processor>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) tasks: Vec<Task>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Processor {
    pub(crate) status: u64,
    pub(crate) calls: u64,
    pub(crate) worker: Option<u64>,
    pub(crate) free: u64,
    pub(crate) timers: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) id: u64,
    pub(crate) processor: Option<u64>,
    pub(crate) task: Option<u64>,
    pub(crate) spinning: bool,
    pub(crate) blocked: bool,
    pub(crate) locked: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) status: u64,
    pub(crate) reason: String,
    pub(crate) worker: Option<u64>,
    pub(crate) locked: Option<u64>,
}

/// Reads lines, and nothing but these.
pub(crate) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in lines {
        let bad = || format!("not a line that Go prints: {line:?}");
        let mut scan = Scan(line);
        if line.starts_with("SCHED ") {
            blocks.push(scan.head().ok_or_else(bad)?);
            continue;
        }
        let details = blocks
            .last_mut()
            .and_then(|block| Some((block.details.as_mut()?, &mut block.queues, &mut block.ticks)));
        let (details, queues, ticks) =
            details.ok_or_else(|| format!("a line of no block: {line:?}"))?;
        scan.literal("  ").ok_or_else(bad)?;
        match scan.0.as_bytes().first() {
            Some(b'P') if details.workers.is_empty() => {
                let (number, p, queue, tick) = scan.processor().ok_or_else(bad)?;
                if number as usize != details.processors.len() {
                    return Err(bad());
                }
                details.processors.push(p);
                queues.push(queue);
                ticks.push(tick);
            }
            Some(b'M') if details.tasks.is_empty() => {
                details.workers.push(scan.worker().ok_or_else(bad)?);
            }
            Some(b'G') => details.tasks.push(scan.task().ok_or_else(bad)?),
            _ => return Err(bad()),
        }
    }
    Ok(blocks)
}

struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn until(&mut self, end: &str) -> Option<&'a str> {
        let (text, rest) = self.0.split_once(end)?;
        self.0 = rest;
        Some(text)
    }

    fn number(&mut self) -> Option<u64> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        (digits == "0" || !digits.starts_with('0')).then_some(())?;
        digits.parse().ok()
    }

    /// `name=` and a number.
    fn value(&mut self, name: &str) -> Option<u64> {
        self.literal(name)?;
        self.literal("=")?;
        self.number()
    }

    fn perhaps(&mut self, name: &str) -> Option<Option<u64>> {
        self.literal(name)?;
        match self.literal("=nil") {
            Some(()) => Some(None),
            None => {
                self.literal("=")?;
                self.number().map(Some)
            }
        }
    }

    fn truth(&mut self, name: &str) -> Option<bool> {
        self.literal(name)?;
        match self.literal("=true") {
            Some(()) => Some(true),
            None => self.literal("=false").map(|()| false),
        }
    }

    fn list(&mut self) -> Option<Vec<u64>> {
        self.literal("[ ")?;
        let mut list = Vec::new();
        while self.literal("]").is_none() {
            list.push(self.number()?);
            self.literal(" ")?;
        }
        Some(list)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn head(&mut self) -> Option<Block> {
        self.literal("SCHED ")?;
        let milliseconds = self.number()?;
        let maxprocs = self.value("ms: gomaxprocs")?;
        let idle_processors = self.value(" idleprocs")?;
        let threads = self.value(" threads")?;
        let spinning = self.value(" spinningthreads")?;
        let needs_spinning = match self.value(" needspinning")? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let idle_threads = self.value(" idlethreads")?;
        let run_queue = self.value(" runqueue")?;
        let (mut queues, mut ticks, mut details) = (Vec::new(), Vec::new(), None);
        if self.literal(" gcwaiting=false").is_some() {
            let idle_locked = self.value(" nmidlelocked")?;
            self.literal(" stopwait=0")?;
            let sysmon_waits = self.truth(" sysmonwait")?;
            details = Some(Details {
                idle_locked,
                sysmon_waits,
                processors: Vec::new(),
                workers: Vec::new(),
                tasks: Vec::new(),
            });
        } else {
            self.literal(" ")?;
            queues = self.list()?;
            self.literal(" schedticks=")?;
            ticks = self.list()?;
            (!queues.is_empty() && queues.len() == ticks.len()).then_some(())?;
        }
        self.end()?;
        Some(Block {
            milliseconds,
            maxprocs,
            idle_processors,
            threads,
            spinning,
            needs_spinning,
            idle_threads,
            run_queue,
            queues,
            ticks,
            details,
        })
    }

    fn processor(&mut self) -> Option<(u64, Processor, u64, u64)> {
        self.literal("P")?;
        let number = self.number()?;
        let status = self.value(": status")?;
        let tick = self.value(" schedtick")?;
        let calls = self.value(" syscalltick")?;
        let worker = self.perhaps(" m")?;
        let queue = self.value(" runqsize")?;
        let free = self.value(" gfreecnt")?;
        let timers = self.value(" timerslen")?;
        self.end()?;
        matches!(status, 0 | 1 | 4).then_some(())?;
        Some((number, Processor { status, calls, worker, free, timers }, queue, tick))
    }

    fn worker(&mut self) -> Option<Worker> {
        self.literal("M")?;
        let id = self.number()?;
        let processor = self.perhaps(": p")?;
        let task = self.perhaps(" curg")?;
        self.value(" mallocing")?;
        self.value(" throwing")?;
        self.literal(" preemptoff=")?;
        self.value(" locks")?;
        self.value(" dying")?;
        let spinning = self.truth(" spinning")?;
        let blocked = self.truth(" blocked")?;
        let locked = self.perhaps(" lockedg")?;
        self.end()?;
        Some(Worker { id, processor, task, spinning, blocked, locked })
    }

    fn task(&mut self) -> Option<Task> {
        self.literal("G")?;
        let id = self.number()?;
        let status = self.value(": status")?;
        self.literal("(")?;
        let reason = self.until(") m=")?.to_owned();
        self.0.starts_with(|c: char| c.is_ascii_digit() || c == 'n').then_some(())?;
        let worker = match self.literal("nil") {
            Some(()) => None,
            None => Some(self.number()?),
        };
        let locked = self.perhaps(" lockedm")?;
        self.end()?;
        matches!(status, 1..=4 | 6 | 8..=10).then_some(())?;
        Some(Task { id, status, reason, worker, locked })
    }
}
