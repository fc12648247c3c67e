//! What is to be found: the marks in a program's text.

use gopark::inspect::WaitReason;
use std::collections::BTreeMap;
use std::fmt;

/// Somebody who is left waiting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Leak {
    pub(crate) line: u32,
    /// The body of the test, which is no task.
    pub(crate) body: bool,
    /// Go's word for what it waits for; `running` if it does not, `panicked` if it has ended
    /// so and nobody has joined it.
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

/// What a mark may say that somebody waits for, or does in place of waiting.
const REASONS: [&str; 22] = [
    WaitReason::ChanReceiveNil.as_str(),
    WaitReason::ChanSendNil.as_str(),
    WaitReason::ChanReceive.as_str(),
    WaitReason::ChanSend.as_str(),
    WaitReason::MutexLock.as_str(),
    WaitReason::WaitGroupWait.as_str(),
    WaitReason::RwLockRead.as_str(),
    WaitReason::RwLockWrite.as_str(),
    WaitReason::CondWait.as_str(),
    WaitReason::OnceDo.as_str(),
    WaitReason::SemaphoreAcquire.as_str(),
    WaitReason::BarrierWait.as_str(),
    WaitReason::Join.as_str(),
    WaitReason::Sleep.as_str(),
    WaitReason::Offload.as_str(),
    WaitReason::BlockOn.as_str(),
    WaitReason::BlockOnAlone.as_str(),
    WaitReason::Select.as_str(),
    WaitReason::SelectNoCases.as_str(),
    WaitReason::IoWait.as_str(),
    RUNNING,
    PANICKED,
];

pub(crate) const RUNNING: &str = "running";
pub(crate) const PANICKED: &str = "panicked";

/// The marks of a program's text: `//~ [count] [body] reason`. What looks like a mark and
/// is none is an error: nobody would notice that it is not heeded.
pub(crate) fn marks(source: &str) -> Result<Leaks, String> {
    let mut leaks = Leaks::new();
    for (line, text) in (1..).zip(source.lines()) {
        let Some((_, comment)) = text.rsplit_once("//") else { continue };
        if !comment.contains('~') {
            continue;
        }
        let (leak, count) = mark(line, comment).ok_or(format!("line {line}: `//{comment}`?"))?;
        leaks.insert(leak, count);
    }
    Ok(leaks)
}

fn mark(line: u32, comment: &str) -> Option<(Leak, usize)> {
    let mark = comment.strip_prefix("~ ")?;
    let (count, mark) = match mark.split_once(' ') {
        Some((count, rest)) if count.starts_with(|c: char| c.is_ascii_digit()) => {
            (count.parse().ok().filter(|count| *count > 1)?, rest)
        }
        _ => (1, mark),
    };
    let (body, reason) = match mark.strip_prefix("body ") {
        Some(reason) => (true, reason),
        None => (false, mark),
    };
    let known = REASONS.contains(&reason) && !(body && count > 1);
    known.then(|| (Leak { line, body, reason: reason.to_owned() }, count))
}
