//! Lists of records, linked through the records' `next` (`links.rs`; see the table in
//! `task/record.rs`).

use crate::links::{self, Linked};
use crate::task::record::Record;

pub(crate) type Fifo = links::Fifo<Record>;
pub(crate) type Inbox = links::Inbox<Record>;

impl Linked for Record {
    #[inline]
    fn next(&self) -> *const Record {
        self.next.get()
    }

    #[inline]
    fn set_next(&self, next: *const Record) {
        self.next.set(next);
    }
}
