//! Values by their types, in a list that contexts share.

use std::any::{Any, TypeId};
use std::sync::Arc;

/// The values of a context; empty for most.
#[derive(Clone)]
pub(super) struct Values(Option<Arc<Link>>);

enum Link {
    One {
        key: TypeId,
        value: Box<dyn Any + Send + Sync>,
        rest: Values,
    },
    /// The first that has it.
    All(Vec<Values>),
}

impl Values {
    pub(super) const fn new() -> Values {
        Values(None)
    }

    pub(super) fn of_all(mut all: Vec<Values>) -> Values {
        all.retain(|values| values.0.is_some());
        match all.len() {
            0 | 1 => all.pop().unwrap_or(Values::new()),
            _ => Values(Some(Arc::new(Link::All(all)))),
        }
    }

    pub(super) fn with<T: Any + Send + Sync>(&self, value: T) -> Values {
        let rest = self.clone();
        Values(Some(Arc::new(Link::One { key: TypeId::of::<T>(), value: Box::new(value), rest })))
    }

    pub(super) fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.find(TypeId::of::<T>())?.downcast_ref()
    }

    fn find(&self, wanted: TypeId) -> Option<&(dyn Any + Send + Sync)> {
        let mut values = self;
        loop {
            match &**values.0.as_ref()? {
                Link::One { key, value, .. } if *key == wanted => return Some(&**value),
                Link::One { rest, .. } => values = rest,
                Link::All(all) => return all.iter().find_map(|values| values.find(wanted)),
            }
        }
    }
}

impl Drop for Values {
    /// One after the other: the list may be longer than a stack is deep.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(link) = next.and_then(Arc::into_inner) {
            next = match link {
                Link::One { value, mut rest, .. } => {
                    drop(value);
                    rest.0.take()
                }
                Link::All(_) => None,
            };
        }
    }
}
