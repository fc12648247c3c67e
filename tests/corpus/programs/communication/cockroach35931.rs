//! A flow is cancelled by a message into each of its inputs. One of them is full, and
//! the task that would read it has not been started.

use crate::prelude::*;

struct Flow {
    inputs: Vec<Chan<&'static str>>,
}

impl Flow {
    fn cancel(&self, fixed: bool) {
        for input in &self.inputs {
            if fixed {
                let _ = input.tx.try_send("cancelled");
                input.tx.close();
                continue;
            }
            input.tx.send("cancelled").expect("it is open"); //~ chan send
        }
    }
}

pub(crate) fn program(fixed: bool) {
    let flow = Flow { inputs: vec![Chan::buffered(1), Chan::buffered(1)] };
    flow.inputs[1].tx.send("a row").expect("there is room");
    go(move || flow.cancel(fixed));
}
