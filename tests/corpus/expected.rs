//! What is to be found: the marks in a program's text.

use std::collections::BTreeMap;
use std::fmt;

/// Somebody who is left waiting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Leak {
    pub(crate) line: u32,
    /// The body of the test, which is no task.
    pub(crate) body: bool,
    /// Go's word for what it waits for; `running` if it does not.
    pub(crate) reason: String,
}

/// Leaks, and how many there are of each.
pub(crate) type Leaks = BTreeMap<Leak, usize>;

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.body { "the body in " } else { "" };
        write!(f, "{who}`{}` at line {}", self.reason, self.line)
    }
}

pub(crate) fn list(leaks: &Leaks) -> String {
    let one = |(leak, count): (&Leak, &usize)| format!("{count} × {leak}");
    leaks.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The marks of a program's text: `//~ [count] [body] reason`.
pub(crate) fn marks(source: &str) -> Result<Leaks, String> {
    let mut leaks = Leaks::new();
    for (line, text) in (1..).zip(source.lines()) {
        let Some((_, mark)) = text.split_once("//~ ") else { continue };
        let (count, mark) = match mark.split_once(' ') {
            Some((count, rest)) if count.starts_with(|c: char| c.is_ascii_digit()) => {
                let count = count.parse().map_err(|_| format!("line {line}: `{mark}`?"))?;
                (count, rest)
            }
            _ => (1, mark),
        };
        let (body, reason) = match mark.strip_prefix("body ") {
            Some(reason) => (true, reason),
            None => (false, mark),
        };
        leaks.insert(Leak { line, body, reason: reason.trim_end().to_owned() }, count);
    }
    Ok(leaks)
}
