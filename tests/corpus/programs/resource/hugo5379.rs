//! The first use of a page's content makes it, under a lock; to make it, a shortcode
//! asks the page for its content.

use crate::prelude::*;

struct Page {
    content: Mutex<Option<String>>,
}

impl Page {
    fn content(&self, fixed: bool) -> String {
        let mut content = self.content.lock(); //~ sync.Mutex.Lock
        if let Some(there) = &*content {
            return there.clone();
        }
        if fixed {
            *content = Some(String::from("…"));
            drop(content);
        }
        let inner = self.content(fixed);
        format!("<{inner}>")
    }
}

pub(crate) fn program(fixed: bool) {
    let page = Page { content: Mutex::new(None) };
    go(move || page.content(fixed));
}
