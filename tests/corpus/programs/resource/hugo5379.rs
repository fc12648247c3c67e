//! The first use of a page's content makes it, under a lock, in a task that is waited for
//! no longer than it must. To make it, a shortcode counts the page's words, and that locks.

use crate::prelude::*;
use gopark::sync::Once;

struct Page {
    content_init: Once,
    plain_init: Once,
    content: Mutex<u32>,
}

impl Page {
    fn word_count(self: &Arc<Self>, fixed: bool) {
        let own = self.clone();
        self.content_init.call_once(|| {
            let make = go(move || {
                let _content = own.content.lock();
                own.plain(!fixed);
            });
            match fixed {
                true => make.join().expect("it locks once"),
                // The time is up.
                false => until_waits(make.id(), WaitReason::MutexLock),
            }
        });
        self.plain(true);
    }

    fn plain(&self, lock: bool) {
        self.plain_init.call_once(|| { //~ 2 sync.Once.Do
            let _content = lock.then(|| self.content.lock()); //~ sync.Mutex.Lock
        });
    }
}

pub(crate) fn program(fixed: bool) {
    let (content_init, plain_init) = (Once::new(), Once::new());
    let page = Arc::new(Page { content_init, plain_init, content: Mutex::new(0) });
    let renderers = WaitGroup::new();
    for _ in 0..2 {
        let own = page.clone();
        let renderer = renderers.go(move || own.word_count(fixed));
        if !fixed {
            until_waits(renderer.id(), WaitReason::OnceDo);
        }
    }
    renderers.wait(); //~ body sync.WaitGroup.Wait
}
