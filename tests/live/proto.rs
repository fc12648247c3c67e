//! Reads a `profile.proto`, as strictly as is needed to see what is in it.

use flate2::read::GzDecoder;
use std::collections::HashMap;
use std::io::Read;

#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// Types and units.
    pub(crate) sample_types: Vec<(String, String)>,
    pub(crate) period_type: (String, String),
    pub(crate) period: u64,
    pub(crate) duration: u64,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) values: Vec<u64>,
    /// Functions, files and lines, the innermost first.
    pub(crate) stack: Vec<(String, String, u64)>,
    pub(crate) labels: Vec<(String, String)>,
}

impl Sample {
    pub(crate) fn is_in(&self, function: &str) -> bool {
        self.stack.iter().any(|(name, ..)| name.ends_with(function))
    }
}

/// Field numbers and what they have.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a number has an end");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number of more than 64 bits");
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (own, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(own)
            }
            form => panic!("a field of form {form}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

impl Value<'_> {
    #[track_caller]
    fn number(&self) -> u64 {
        let Value::Number(number) = self else { panic!("a number") };
        *number
    }

    #[track_caller]
    fn bytes(&self) -> &[u8] {
        let Value::Bytes(bytes) = self else { panic!("bytes") };
        bytes
    }

    fn numbers(&self) -> Vec<u64> {
        let mut bytes = self.bytes();
        let mut numbers = Vec::new();
        while !bytes.is_empty() {
            numbers.push(varint(&mut bytes));
        }
        numbers
    }
}

/// The numbers of a message's fields; what is missing is 0.
fn numbers(message: &[u8]) -> HashMap<u64, u64> {
    fields(message).iter().map(|(field, value)| (*field, value.number())).collect()
}

#[track_caller]
pub(crate) fn read(file: &[u8]) -> Profile {
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect("compressed by gzip");
    let fields = fields(&bytes);
    let of = |wanted: u64| fields.iter().filter(move |(field, _)| *field == wanted);
    let strings: Vec<String> =
        of(6).map(|(_, it)| String::from_utf8(it.bytes().to_vec()).expect("a text")).collect();
    assert_eq!(strings[0], "", "the first string");
    let kind = |message: &[u8]| {
        let it = numbers(message);
        (strings[it[&1] as usize].clone(), strings[it[&2] as usize].clone())
    };
    let mut functions = HashMap::new();
    for (_, function) in of(5) {
        let it = numbers(function.bytes());
        let file = it.get(&4).copied().unwrap_or(0);
        let names = (strings[it[&2] as usize].clone(), strings[file as usize].clone());
        assert!(functions.insert(it[&1], names).is_none(), "an id twice");
    }
    let mut locations = HashMap::new();
    for (_, location) in of(4) {
        let location = self::fields(location.bytes());
        let id = location.iter().find(|(field, _)| *field == 1).expect("an id").1.number();
        let lines = location.iter().filter(|(field, _)| *field == 4).map(|(_, line)| {
            let it = numbers(line.bytes());
            let (name, file) = functions[&it[&1]].clone();
            (name, file, it.get(&2).copied().unwrap_or(0))
        });
        assert!(locations.insert(id, lines.collect::<Vec<_>>()).is_none(), "an id twice");
    }
    let number = |field| of(field).next().map_or(0, |(_, it)| it.number());
    let samples = of(2).map(|(_, sample)| {
        let sample = self::fields(sample.bytes());
        let of = |wanted: u64| sample.iter().filter(move |(field, _)| *field == wanted);
        let ids = of(1).flat_map(|(_, it)| it.numbers());
        Sample {
            values: of(2).flat_map(|(_, it)| it.numbers()).collect(),
            stack: ids.flat_map(|id| locations[&id].clone()).collect(),
            labels: of(3).map(|(_, it)| kind(it.bytes())).collect(),
        }
    });
    let profile = Profile {
        sample_types: of(1).map(|(_, it)| kind(it.bytes())).collect(),
        period_type: of(11).next().map_or_else(Default::default, |(_, it)| kind(it.bytes())),
        period: number(12),
        duration: number(10),
        samples: samples.collect(),
    };
    assert!(number(9) > 1_600_000_000_000_000_000, "the time of day");
    for sample in &profile.samples {
        assert_eq!(sample.values.len(), profile.sample_types.len());
        assert!(!sample.stack.is_empty());
    }
    profile
}
