//! Profiles for `go tool pprof` (debug=0): a `profile.proto`, compressed.
//!
//! Of that format they need five messages, with numbers, strings and messages
//! as fields; [`Message`] writes those. Locations have no mapping: the names are in the file,
//! and no program is needed to read it.

use super::{Frame, Trace, source, symbols};
use core::panic::Location;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// Fields of `Profile`, in the order of their use here.
mod field {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const FUNCTION: u64 = 5;
    pub(super) const STRINGS: u64 = 6;
    pub(super) const TIME: u64 = 9;
    pub(super) const DURATION: u64 = 10;
    pub(super) const PERIOD_TYPE: u64 = 11;
    pub(super) const PERIOD: u64 = 12;
}

/// A profile that is being written.
pub(crate) struct Profile {
    out: Message,
    strings: Numbers<String>,
    functions: Numbers<(u64, u64)>,
    /// Their names as the linker knows them, in the order of their numbers.
    linked: Vec<u64>,
    /// An address, and the functions and lines there, the innermost first.
    locations: Numbers<(u64, Vec<(u64, u64)>)>,
}

impl Profile {
    /// Of counts of these.
    pub(crate) fn new(what: &str) -> Profile {
        let mut profile = Profile::of(&[(what, "count")]);
        profile.period(what, "count", 1);
        profile
    }

    /// Of values of these types and units.
    pub(crate) fn of(values: &[(&str, &str)]) -> Profile {
        let mut strings = Numbers::new();
        // The first must be empty.
        strings.number(String::new());
        let mut profile = Profile {
            out: Message::default(),
            strings,
            functions: Numbers::new(),
            linked: Vec::new(),
            locations: Numbers::new(),
        };
        for (what, unit) in values {
            let kind = profile.kind(what, unit);
            profile.out.message(field::SAMPLE_TYPE, &kind);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        profile.out.number(field::TIME, now.map_or(0, |now| now.as_nanos() as u64));
        profile
    }

    fn kind(&mut self, what: &str, unit: &str) -> Message {
        let mut kind = Message::default();
        kind.number(1, self.string(what));
        kind.number(2, self.string(unit));
        kind
    }

    /// How long it was looked.
    pub(super) fn duration(&mut self, time: Duration) {
        self.out.number(field::DURATION, time.as_nanos() as u64);
    }

    /// How much of what lies between two samples.
    pub(super) fn period(&mut self, what: &str, unit: &str, period: u64) {
        let kind = self.kind(what, unit);
        self.out.message(field::PERIOD_TYPE, &kind);
        self.out.number(field::PERIOD, period);
    }

    fn string(&mut self, text: &str) -> u64 {
        // They are counted from 0, the others from 1.
        self.strings.number(text.to_owned()) - 1
    }

    /// A function's number, and a line. `go tool pprof` shows the name as it is if the linker's
    /// is another one. From a name that is the same as the linker's it cuts what stands in
    /// angle brackets: `<Oven as Device>::heat` would become `::heat`.
    fn line(&mut self, function: &str, linked: &str, file: &str, line: u32) -> (u64, u64) {
        let names = (self.string(function), self.string(&source::find_path(file)));
        let number = self.functions.number(names);
        if number > self.linked.len() as u64 {
            let linked = if linked == function { "" } else { linked };
            let linked = self.string(linked);
            self.linked.push(linked);
        }
        (number, u64::from(line))
    }

    /// So many, at the locations, the innermost first.
    pub(crate) fn add_count<'a>(
        &mut self,
        stack: &[u64],
        count: u64,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        self.add_values(stack, &[count], labels);
    }

    /// A value of each type.
    pub(crate) fn add_values<'a>(
        &mut self,
        stack: &[u64],
        values: &[u64],
        labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        let mut message = Message::default();
        message.numbers(1, stack);
        message.numbers(2, values);
        for (key, value) in labels {
            let mut label = Message::default();
            label.number(1, self.string(key));
            label.number(2, self.string(value));
            message.message(3, &label);
        }
        self.out.message(field::SAMPLE, &message);
    }

    /// The location of a function that nothing but a place in it is known of.
    pub(super) fn place(&mut self, function: &str, at: &Location<'_>) -> u64 {
        let line = self.line(function, "", at.file(), at.line());
        self.locations.number((0, vec![line]))
    }

    /// The locations of what is shown of a stack.
    pub(super) fn shown(&mut self, trace: &Trace) -> Vec<u64> {
        self.locations(trace, |frame| !frame.runtime)
    }

    /// The locations of a stack, the runtime's too.
    pub(super) fn all(&mut self, trace: &Trace) -> Vec<u64> {
        self.locations(trace, |_| true)
    }

    fn locations(&mut self, trace: &Trace, is_shown: impl Fn(&Frame) -> bool) -> Vec<u64> {
        let mut stack = Vec::new();
        let mut rest = trace.all();
        for &address in trace.addresses() {
            // One address has several frames if functions were inlined there.
            let count = symbols::look_up(address).len().min(rest.len());
            let (here, outer) = rest.split_at(count);
            rest = outer;
            let mut lines = Vec::new();
            let linked = symbols::linked(address);
            for (frame, linked) in here.iter().zip(&*linked).filter(|(frame, _)| is_shown(frame)) {
                let file = frame.file.as_deref().unwrap_or_default();
                lines.push(self.line(&frame.function, linked, file, frame.line.unwrap_or(0)));
            }
            if !lines.is_empty() {
                // Where it goes on.
                stack.push(self.locations.number((address as u64 + 1, lines)));
            }
        }
        stack
    }

    pub(crate) fn finish(self, out: impl Write) -> io::Result<()> {
        let Profile { out: mut message, strings, functions, linked, locations } = self;
        for (id, (address, lines)) in locations.all() {
            let mut location = Message::default();
            location.number(1, id);
            location.number(3, address);
            for (function, number) in lines {
                let mut line = Message::default();
                line.number(1, function);
                line.number(2, number);
                location.message(4, &line);
            }
            message.message(field::LOCATION, &location);
        }
        for ((id, (name, file)), linked) in functions.all().zip(linked) {
            let mut function = Message::default();
            function.number(1, id);
            function.number(2, name);
            function.number(3, linked);
            function.number(4, file);
            message.message(field::FUNCTION, &function);
        }
        for (_, text) in strings.all() {
            message.bytes(field::STRINGS, text.as_bytes());
        }
        let mut out = GzEncoder::new(out, Compression::fast());
        out.write_all(&message.0)?;
        out.finish().map(drop)
    }
}

/// Equal ones get one number, from 1 on.
struct Numbers<T>(HashMap<T, u64>);

impl<T: Eq + std::hash::Hash> Numbers<T> {
    fn new() -> Numbers<T> {
        Numbers(HashMap::new())
    }

    fn number(&mut self, of: T) -> u64 {
        let next = self.0.len() as u64 + 1;
        *self.0.entry(of).or_insert(next)
    }

    /// In the order of their numbers.
    fn all(self) -> impl Iterator<Item = (u64, T)> {
        let mut all: Vec<(u64, T)> = self.0.into_iter().map(|(of, number)| (number, of)).collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter()
    }
}

/// A message of protocol buffers: fields, each behind its number and form.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Zero is what a missing field means.
    fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }

    /// Packed.
    fn numbers(&mut self, field: u64, values: &[u64]) {
        let mut packed = Message::default();
        values.iter().for_each(|&value| packed.varint(value));
        self.message(field, &packed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the format's own documentation, and one that is packed.
    #[test]
    fn fields_are_written_as_the_format_wants_them() {
        let mut message = Message::default();
        message.number(1, 150);
        message.bytes(2, b"testing");
        message.number(3, 0);
        message.numbers(6, &[3, 270, 86942]);
        assert_eq!(message.0, b"\x08\x96\x01\x12\x07testing\x32\x06\x03\x8e\x02\x9e\xa7\x05");
    }
}
