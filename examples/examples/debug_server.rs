//! The debug endpoint, and a leak to be found with it: a task that sends on a channel that
//! nobody reads.
//!
//! ```sh
//! cargo run -p gopark-examples --example debug_server [ADDRESS]
//! curl 'http://127.0.0.1:6060/debug/pprof/goroutine?debug=2'
//! go tool pprof -top http://127.0.0.1:6060/debug/pprof/goroutine
//! ```
//!
//! It ends when its standard input does.

use gopark::{chan, go};
use std::error::Error;
use std::io::{self, Read};

fn leak() {
    let (tx, rx) = chan::rendezvous();
    go(move || {
        tx.send(42).unwrap(); // waits for ever
    });
    // Whoever keeps the other end does not read from it. Had it been dropped, the send
    // would have ended with an error.
    std::mem::forget(rx);
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:6060".to_owned());
    let endpoint = gopark::debug::serve(address)?;
    go(leak).join().expect("nothing in it panics");
    println!("http://{}/debug/pprof/", endpoint.local_addr());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
