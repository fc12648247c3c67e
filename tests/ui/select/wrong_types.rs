use gopark::{chan, select};

fn main() {
    let (tx, rx) = chan::bounded::<u8>(1);
    select! {
        recv(tx) -> value => drop(value),
        send(tx, "text") -> sent => drop(sent),
        send(7, 7) -> sent => drop(sent),
        after(5) => {}
    }
    let _: u8 = select! {
        recv(rx) -> value => value,
        default => 1,
    };
    let _: u8 = select! {
        recv(rx) -> value => value.unwrap(),
        default => "text",
    };
}
