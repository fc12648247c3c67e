//! Spans of the crate [`tracing`](https://docs.rs/tracing) as labels of tasks. Needs the
//! feature `tracing`.
//!
//! [`TaskLabels`] is a layer for `tracing-subscriber`. While a task is in a span, it has the
//! label `span`, which dumps, profiles and the CPU profile show with its other labels, and
//! reports of leaks, too: so it is seen at once which request a task is stuck in.
//!
//! ```
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! let subscriber = tracing_subscriber::registry().with(gopark::tracing::TaskLabels::new());
//! tracing::subscriber::set_global_default(subscriber).unwrap();
//!
//! let task = gopark::go(|| {
//!     let _request = tracing::info_span!("request").entered();
//!     let _query = tracing::info_span!("query").entered();
//!     gopark::inspect::Snapshot::all()
//! });
//! let (id, all) = (task.id(), task.join().unwrap());
//! let task = all.tasks.iter().find(|task| task.id == id).unwrap();
//! assert_eq!(task.labels, [("span".to_owned(), "request:query".to_owned())]);
//! ```
//!
//! The label belongs to the task and not to its thread, so it is right when tasks that share
//! a thread are in different spans. What `tracing` itself takes for the current span is the
//! thread's: if a task parks inside of one, other tasks on that thread seem to be in it, too.
//! Give spans that are made there a parent of their own, with `parent: …`, where that
//! matters. Threads that are no tasks get no labels.

use crate::sched::worker;
use std::fmt::{self, Write};
use std::sync::Arc;
use tracing_core::Subscriber;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// Puts the innermost span that a task has entered into its labels, with those that it is
/// in: `request:query`. See the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskLabels {
    fields: bool,
}

impl TaskLabels {
    /// With the spans' names only, so that equal tasks have equal labels.
    pub const fn new() -> TaskLabels {
        TaskLabels { fields: false }
    }

    /// With the spans' fields, too: `request{id=7}:query{table="users"}`. Fields that are
    /// recorded later are in the labels of tasks that enter the span later.
    ///
    /// ```
    /// let layer = gopark::tracing::TaskLabels::new().fields(true);
    /// ```
    #[must_use]
    pub const fn fields(self, fields: bool) -> TaskLabels {
        TaskLabels { fields }
    }
}

/// A span's name and fields, and those of the ones that it is in.
struct Text {
    whole: Arc<String>,
    /// Where its own fields begin, and whether there are any.
    own: usize,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TaskLabels {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut text = span
            .parent()
            .and_then(|parent| text_of(&parent))
            .map_or_else(String::new, |outer| format!("{outer}:"));
        text.push_str(span.name());
        let own = text.len();
        if self.fields {
            let mut fields = Fields::new(&mut text);
            attributes.record(&mut fields);
            fields.end();
        }
        span.extensions_mut().replace(Text { whole: Arc::new(text), own });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|_| self.fields) else { return };
        let mut extensions = span.extensions_mut();
        let Some(text) = extensions.get_mut::<Text>() else { return };
        let mut whole = String::clone(&text.whole);
        let mut fields = Fields::again(&mut whole, text.own);
        values.record(&mut fields);
        fields.end();
        text.whole = Arc::new(whole);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(task) = worker::current_task() else { return };
        if let Some(text) = context.span(id).and_then(|span| text_of(&span)) {
            task.enter_span(id.into_u64(), text);
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        if let Some(task) = worker::current_task() {
            task.leave_span(id.into_u64());
        }
    }
}

fn text_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Arc<String>> {
    span.extensions().get::<Text>().map(|text| text.whole.clone())
}

/// Writes fields in braces, behind a name.
struct Fields<'a> {
    out: &'a mut String,
    any: bool,
}

impl<'a> Fields<'a> {
    fn new(out: &'a mut String) -> Fields<'a> {
        Fields { out, any: false }
    }

    /// Adds to those that begin there.
    fn again(out: &'a mut String, begin: usize) -> Fields<'a> {
        let any = out.len() > begin;
        if any {
            // The brace.
            out.pop();
        }
        Fields { out, any }
    }

    fn end(self) {
        if self.any {
            self.out.push('}');
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.out.push(if self.any { ' ' } else { '{' });
        self.any = true;
        // Writing to a string does not fail.
        let _ = write!(self.out, "{}={value:?}", field.name());
    }
}
