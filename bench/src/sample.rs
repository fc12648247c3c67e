//! One sample: what a child process prints and the parent reads, as
//! `sample name=number name=number …`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What bodies have measured themselves.
static NOTES: Mutex<BTreeMap<&'static str, f64>> = Mutex::new(BTreeMap::new());

/// A value that goes into the sample, in the place of an earlier one of that name.
pub(crate) fn note(name: &'static str, value: f64) {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
}

/// Named values of one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    values: BTreeMap<String, f64>,
}

impl Sample {
    /// Nanoseconds on the clock.
    pub(crate) const ELAPSED: &'static str = "elapsed_ns";
    /// The most memory that was resident at once.
    pub(crate) const PEAK: &'static str = "peak_kib";

    /// With one more value.
    pub(crate) fn with(mut self, name: &str, value: f64) -> Sample {
        self.values.insert(name.to_owned(), value);
        self
    }

    /// With all that was [noted](note).
    pub(crate) fn with_notes(mut self) -> Sample {
        let notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
        self.values.extend(notes.iter().map(|(name, value)| ((*name).to_owned(), *value)));
        self
    }

    /// The value of that name.
    pub(crate) fn get(&self, name: &str) -> Result<f64, String> {
        let value = self.values.get(name);
        value.copied().ok_or_else(|| format!("the sample has no {name}"))
    }

    /// Finds and reads the sample line in a child's output.
    pub(crate) fn find(output: &str) -> Result<Sample, String> {
        let mut lines = output.lines().filter_map(|line| line.strip_prefix("sample "));
        let line = lines.next().ok_or("printed no sample")?;
        let mut sample = Sample::default();
        for pair in line.split_whitespace() {
            let (name, value) = pair.split_once('=').ok_or_else(|| bad(pair))?;
            let value = value.parse().map_err(|_| bad(pair))?;
            sample = sample.with(name, value);
        }
        Ok(sample)
    }
}

fn bad(pair: &str) -> String {
    format!("printed {pair} where name=number belongs")
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sample")?;
        self.values.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let sample = Sample::default().with("elapsed_ns", 12.5).with("peak_kib", 4096.0);
        let output = format!("chatter\n{sample}\n");
        assert_eq!(Sample::find(&output), Ok(sample));
    }

    #[test]
    fn a_missing_or_broken_line_is_an_error() {
        assert!(Sample::find("nothing here").is_err());
        assert!(Sample::find("sample elapsed_ns=fast").is_err());
        assert!(Sample::default().get("elapsed_ns").is_err());
    }
}
