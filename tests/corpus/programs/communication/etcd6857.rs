//! A node's loop is told to stop while somebody asks for its status: it takes the
//! stop, and the question waits in a channel that nobody reads any more.

use crate::prelude::*;

struct Node {
    questions: Chan<Sender<u32>>,
    stop: Chan<()>,
    done: Chan<()>,
}

impl Node {
    fn run(&self) {
        loop {
            select! {
                recv(self.questions.rx) -> answer => {
                    answer.expect("it is open").send(1).expect("somebody has asked");
                }
                recv(self.stop.rx) => {
                    self.done.tx.close();
                    return;
                }
            }
        }
    }

    fn status(&self, fixed: bool) -> Option<u32> {
        let (tx, rx) = bounded(1);
        if fixed {
            select! {
                send(self.questions.tx, tx) -> _ => {}
                recv(self.done.rx) => return None,
            }
        } else {
            self.questions.tx.send(tx).expect("it is open"); //~ chan send
        }
        rx.recv().ok()
    }
}

pub(crate) fn program(fixed: bool) {
    let node = Arc::new(Node { questions: Chan::new(), stop: Chan::new(), done: Chan::new() });
    node.stop.tx.close();
    let own = node.clone();
    go(move || own.run()).join().expect("it was told to stop");
    go(move || node.status(fixed));
}
