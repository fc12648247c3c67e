use gopark::{chan, select};
use std::time::Duration;

fn main() {
    let (tx, rx) = chan::bounded::<u8>(1);
    select! {
        receive(rx) -> value => drop(value),
        recv -> value => drop(value),
        recv(rx, 1) -> value => drop(value),
        send(tx) -> sent => drop(sent),
        send(tx, 1) => {}
        recv(rx) {},
        default(Duration::ZERO) => {}
        after(Duration::ZERO) -> late => {}
        => {}
    }
    select! {
        recv(rx) -> value => drop(value)
        recv(rx) -> value => drop(value)
    }
    select! {
        default => {}
        recv(rx) => {}
        after(Duration::ZERO) => {}
    }
}
