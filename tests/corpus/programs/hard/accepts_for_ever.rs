//! A server that nobody closes waits for the next connection.

use crate::prelude::*;
use gopark::net::TcpListener;

pub(crate) fn program(fixed: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let own = listener.try_clone().expect("a second handle");
    go(move || while own.accept().is_ok() {}); //~ IO wait
    if fixed {
        listener.close();
    }
}
