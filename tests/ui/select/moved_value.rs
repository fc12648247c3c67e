use gopark::{chan, select};

/// A value belongs to its case, chosen or not.
fn main() {
    let (tx, _rx) = chan::bounded::<String>(1);
    let text = String::from("text");
    select! {
        send(tx, text) -> _ => {}
        default => println!("{text} was not sent"),
    }
}
