//! The bytes of a trace file: header, generations, batches, tables.
//!
//! A generation is complete in itself: its strings and stacks are numbered anew, and
//! every event names them by number. Events stand in batches, one thread's each.

use core::panic::Location;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a file begins with: the latest version that Go's readers of 1.26 and later
/// take.
pub(super) const HEADER: &[u8; 16] = b"go 1.26 trace\0\0\0";

/// Numbers of events, and of the entries of tables.
pub(super) mod ev {
    pub(crate) const BATCH: u8 = 1;
    pub(crate) const STACKS: u8 = 2;
    pub(crate) const STACK: u8 = 3;
    pub(crate) const STRINGS: u8 = 4;
    pub(crate) const STRING: u8 = 5;
    pub(crate) const FREQUENCY: u8 = 8;
    pub(crate) const PROCS_CHANGE: u8 = 9;
    pub(crate) const PROC_START: u8 = 10;
    pub(crate) const PROC_STOP: u8 = 11;
    pub(crate) const PROC_STATUS: u8 = 13;
    pub(crate) const GO_CREATE: u8 = 14;
    pub(crate) const GO_START: u8 = 16;
    pub(crate) const GO_DESTROY: u8 = 17;
    pub(crate) const GO_STOP: u8 = 19;
    pub(crate) const GO_BLOCK: u8 = 20;
    pub(crate) const GO_UNBLOCK: u8 = 21;
    pub(crate) const SYSCALL_BEGIN: u8 = 22;
    pub(crate) const SYSCALL_END_BLOCKED: u8 = 24;
    pub(crate) const GO_LABEL: u8 = 39;
    pub(crate) const TASK_BEGIN: u8 = 40;
    pub(crate) const TASK_END: u8 = 41;
    pub(crate) const REGION_BEGIN: u8 = 42;
    pub(crate) const REGION_END: u8 = 43;
    pub(crate) const LOG: u8 = 44;
    pub(crate) const GO_STATUS_STACK: u8 = 48;
    pub(crate) const SYNC: u8 = 50;
    pub(crate) const CLOCK_SNAPSHOT: u8 = 51;
    pub(crate) const END: u8 = 52;
}

/// Where a text lies that stays there: it is known again without being read.
type Place = (usize, usize);

fn place(text: &'static str) -> Place {
    (text.as_ptr().addr(), text.len())
}

/// No thread: in the head of batches of tables.
pub(super) const NO_THREAD: u64 = u64::MAX;

/// The longest batch is 65 536 bytes; an event has far less than what is left.
const FULL: usize = 60_000;
/// The longest event, of a kind, a time and four numbers, has 51.
const EVENT: usize = 64;

pub(super) fn leb128(to: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

/// One generation that is being written.
pub(super) struct Generation {
    number: u64,
    bytes: Vec<u8>,
    /// So many of those were asked for already, and so many are here no more.
    told: usize,
    gone: usize,
    strings: HashMap<String, u64>,
    /// By function and place; frames are keyed by the same number as their stack, in the
    /// place of an address.
    stacks: HashMap<Stack, u64>,
    /// The same, found sooner: each event names some.
    words: FxHashMap<Place, u64>,
    frames: FxHashMap<(Place, u32, Place, u32), u64>,
}

/// One frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stack {
    pub(super) function: &'static str,
    /// Follows on the name, if it is not 0: that of a task's closure, which others of the
    /// same function have too, with the line where the task was made.
    pub(super) made: u32,
    pub(super) file: &'static str,
    pub(super) line: u32,
}

impl Stack {
    pub(super) fn new(
        function: &'static str,
        made: u32,
        at: Option<&'static Location<'static>>,
    ) -> Stack {
        let (file, line) = at.map_or(("unknown", 0), |at| (at.file(), at.line()));
        Stack { function, made, file, line }
    }

    fn name(&self) -> Cow<'static, str> {
        match self.made {
            0 => self.function.into(),
            line => format!("{}:{line}", self.function).into(),
        }
    }
}

/// The events of one thread that are not yet in the generation.
pub(super) struct Batch {
    m: u64,
    first: u64,
    last: u64,
    /// Has room for the longest event behind the last of the fullest batch; `length` is
    /// what there is.
    data: Vec<u8>,
    length: usize,
}

impl Batch {
    pub(super) fn new(m: u64) -> Batch {
        Batch { m, first: 0, last: 0, data: Vec::new(), length: 0 }
    }
}

impl Generation {
    /// One that begins at that time, which is the monotonic clock's, in nanoseconds.
    pub(super) fn new(number: u64, time: u64) -> Generation {
        let mut generation = Generation {
            number,
            bytes: Vec::new(),
            told: 0,
            gone: 0,
            strings: HashMap::new(),
            stacks: HashMap::new(),
            words: FxHashMap::default(),
            frames: FxHashMap::default(),
        };
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut sync = vec![ev::SYNC, ev::FREQUENCY];
        leb128(&mut sync, 1_000_000_000);
        sync.push(ev::CLOCK_SNAPSHOT);
        for n in [0, time, wall.as_secs(), wall.subsec_nanos().into()] {
            leb128(&mut sync, n);
        }
        generation.batch(NO_THREAD, time, &sync);
        generation
    }

    /// How long it is so far.
    pub(super) fn len(&self) -> usize {
        self.gone + self.bytes.len()
    }

    /// What has come since the last time.
    pub(super) fn news(&mut self) -> &[u8] {
        let from = mem::replace(&mut self.told, self.bytes.len());
        &self.bytes[from..]
    }

    /// Nobody wants the beginning any more.
    pub(super) fn forget_told(&mut self) {
        self.gone += self.told;
        self.bytes.drain(..mem::take(&mut self.told));
    }

    fn batch(&mut self, m: u64, time: u64, data: &[u8]) {
        self.bytes.push(ev::BATCH);
        for n in [self.number, m, time, data.len() as u64] {
            leb128(&mut self.bytes, n);
        }
        self.bytes.extend_from_slice(data);
    }

    /// Adds an event to a thread's batch. Times do not go back.
    pub(super) fn event(&mut self, to: &mut Batch, time: u64, kind: u8, args: &[u64]) {
        if to.length >= FULL {
            self.flush(to);
        }
        if to.length == 0 {
            (to.first, to.last) = (time, time);
            to.data.resize(FULL + EVENT, 0);
        }
        // Where the compiler knows how much room there is, it need not ask for each byte.
        let bytes: &mut [u8; EVENT] = to.data[to.length..].first_chunk_mut().expect("room");
        let mut at = 1;
        bytes[0] = kind;
        let mut put = |mut n: u64| {
            while n >= 0x80 {
                bytes[at] = n as u8 | 0x80;
                (n, at) = (n >> 7, at + 1);
            }
            bytes[at] = n as u8;
            at += 1;
        };
        put(time - to.last);
        args.iter().for_each(|&n| put(n));
        to.length += at;
        to.last = time;
    }

    pub(super) fn flush(&mut self, batch: &mut Batch) {
        if batch.length != 0 {
            self.batch(batch.m, batch.first, &batch.data[..batch.length]);
            batch.length = 0;
        }
    }

    /// The number of a text.
    pub(super) fn string(&mut self, text: &str) -> u64 {
        if let Some(&id) = self.strings.get(text) {
            return id;
        }
        let id = self.strings.len() as u64 + 1;
        self.strings.insert(text.to_owned(), id);
        id
    }

    /// The number of a text of the program.
    pub(super) fn word(&mut self, text: &'static str) -> u64 {
        if let Some(&id) = self.words.get(&place(text)) {
            return id;
        }
        let id = self.string(text);
        self.words.insert(place(text), id);
        id
    }

    /// The number of a stack.
    pub(super) fn stack(&mut self, stack: Stack) -> u64 {
        let key = (place(stack.function), stack.made, place(stack.file), stack.line);
        if let Some(&id) = self.frames.get(&key) {
            return id;
        }
        let next = self.stacks.len() as u64 + 1;
        let id = *self.stacks.entry(stack).or_insert(next);
        self.frames.insert(key, id);
        id
    }

    /// When all batches are flushed: its end comes now, and no more.
    pub(super) fn finish(&mut self, time: u64) {
        let stacks: Vec<_> = std::mem::take(&mut self.stacks).into_iter().collect();
        self.table(time, ev::STACKS, stacks.iter(), |generation, &(stack, id), to| {
            to.push(ev::STACK);
            let (function, file) =
                (generation.string(&stack.name()), generation.string(stack.file));
            for n in [id, 1, id, function, file, stack.line.into()] {
                leb128(to, n);
            }
        });
        let strings: Vec<_> = std::mem::take(&mut self.strings).into_iter().collect();
        self.table(time, ev::STRINGS, strings.iter(), |_, (text, id), to| {
            // Longer ones are not accepted by readers.
            let text = &text[..text.floor_char_boundary(1024)];
            to.push(ev::STRING);
            leb128(to, *id);
            leb128(to, text.len() as u64);
            to.extend_from_slice(text.as_bytes());
        });
        self.bytes.push(ev::END);
    }

    /// All of it that is not forgotten.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn table<'a, T: 'a>(
        &mut self,
        time: u64,
        head: u8,
        entries: impl Iterator<Item = &'a T>,
        write: impl Fn(&mut Generation, &T, &mut Vec<u8>),
    ) {
        let mut data = vec![head];
        for entry in entries {
            write(self, entry, &mut data);
            if data.len() >= FULL {
                self.batch(NO_THREAD, time, &data);
                data.truncate(1);
            }
        }
        self.batch(NO_THREAD, time, &data);
    }
}
