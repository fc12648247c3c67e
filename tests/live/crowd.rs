//! Clients that want no good, many of them. `GOPARK_OPS` says how many.

use crate::child::{alone, here};
use crate::client::{connect, get};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// How many do not go away by themselves, at the same time: more than are served.
const STAY: usize = 200;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

const REQUEST: &[u8] =
    b"GET /debug/pprof/goroutine?debug=2 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

/// One client; given back if it stays. What it writes may find nobody.
fn rude(address: SocketAddr, dice: &mut Dice) -> Option<TcpStream> {
    let mut stream = connect(address);
    match dice.roll(8) {
        // Says nothing.
        0 => Some(stream),
        // Stops in the middle.
        1 => {
            let end = dice.roll(REQUEST.len() as u64) as usize;
            let _ = stream.write_all(&REQUEST[..end]);
            Some(stream)
        }
        // Does not read the answer.
        2 => {
            let _ = stream.write_all(REQUEST);
            Some(stream)
        }
        // Goes before it comes.
        3 => {
            let _ = stream.write_all(REQUEST);
            None
        }
        // Some bytes are others.
        4 => {
            let mut request = REQUEST.to_vec();
            for _ in 0..=dice.roll(4) {
                request[dice.roll(REQUEST.len() as u64) as usize] = dice.roll(256) as u8;
            }
            let _ = stream.write_all(&request);
            let _ = stream.shutdown(Shutdown::Write);
            read_some(&mut stream)
        }
        // Any bytes.
        5 => {
            let bytes: Vec<u8> = (0..dice.roll(3000)).map(|_| dice.roll(256) as u8).collect();
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
            read_some(&mut stream)
        }
        // Too much.
        6 => {
            let _ = stream.write_all(b"GET / HTTP/1.0\r\nA: ");
            let _ = stream.write_all(&[b'a'; 20_000]);
            read_some(&mut stream)
        }
        // Half of the end.
        _ => {
            let _ = stream.write_all(&REQUEST[..REQUEST.len() - 1]);
            let _ = stream.shutdown(Shutdown::Write);
            read_some(&mut stream)
        }
    }
}

fn read_some(stream: &mut TcpStream) -> Option<TcpStream> {
    let _ = stream.read(&mut [0; 100]);
    None
}

#[test]
fn those_who_want_no_good_hold_nobody_up() {
    alone(here!(), &[], || {
        let ops = std::env::var("GOPARK_OPS").ok();
        let ops: u64 = ops.map_or(1500, |text| text.parse().expect("a number"));
        let endpoint = gopark::debug::serve("127.0.0.1:0").unwrap();
        let address = endpoint.local_addr();
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let mut stay = VecDeque::new();
        for n in 0..ops {
            stay.extend(rude(address, &mut dice));
            if stay.len() > STAY {
                stay.pop_front();
            }
            if n % 100 == 99 {
                let answer = get(address, "/debug/pprof/goroutine?debug=1");
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
        assert_eq!(get(address, "/metrics").status, 200);
        // Whoever stayed is not served for ever.
        drop(stay);
        while gopark::num_tasks() != 1 {
            std::thread::yield_now();
        }
    });
}

/// The longest of them are sent away: their connections end without an answer.
#[test]
fn those_who_stay_give_way() {
    alone(here!(), &[], || {
        let endpoint = gopark::debug::serve("127.0.0.1:0").unwrap();
        let mut silent: Vec<_> = (0..70).map(|_| connect(endpoint.local_addr())).collect();
        assert_eq!(get(endpoint.local_addr(), "/metrics").status, 200);
        let mut bytes = Vec::new();
        // Seven of them had to go, and nothing was said to them.
        for stream in &mut silent[..7] {
            let _ = stream.read_to_end(&mut bytes);
            assert!(bytes.is_empty());
        }
        // The last has its time.
        let last = silent.last_mut().unwrap();
        last.read_to_end(&mut bytes).unwrap();
        let said = String::from_utf8(bytes).unwrap();
        assert!(said.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{said}");
    });
}
