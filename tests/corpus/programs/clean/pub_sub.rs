//! Subscribers come and go, and the last one goes before the broker does.

use crate::prelude::*;

#[derive(Default)]
struct Broker {
    subscribers: Mutex<Vec<(u32, Sender<u32>)>>,
}

impl Broker {
    fn subscribe(&self, id: u32) -> Receiver<u32> {
        let (tx, rx) = bounded(4);
        self.subscribers.lock().push((id, tx));
        rx
    }

    fn publish(&self, event: u32) {
        for (_, subscriber) in self.subscribers.lock().iter() {
            let _ = subscriber.try_send(event);
        }
    }

    fn unsubscribe(&self, id: u32) {
        self.subscribers.lock().retain(|(other, _)| *other != id);
    }
}

pub(crate) fn program() {
    let broker = Arc::new(Broker::default());
    for id in 0..3 {
        let events = broker.subscribe(id);
        go(move || events.iter().count());
    }
    broker.publish(1);
    broker.unsubscribe(1);
    broker.publish(2);
    broker.unsubscribe(0);
    broker.unsubscribe(2);
}
