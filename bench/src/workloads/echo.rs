//! 64 connections over loopback, each with a task at both ends: one writes 128
//! bytes, the other sends them back. An operation is one such round trip; the clock
//! runs from the first message to the last, and connecting comes before it. Both ends
//! are tasks of the runtime in question, so a figure is the price of both.
//!
//! In `echo_beside_10k` the server holds 10 000 more connections meanwhile, with a
//! task in each that waits for a message. Their other ends are in a process of their
//! own, `--hold`, which has nothing to do: both ends together would be more files than
//! a process may have open on many systems.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::sample;
use crate::status::{self, RESIDENT};
use crate::workload::{Answer, Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "echo",
    about: "128 bytes there and back on 64 TCP connections",
    cases: &[
        Case {
            name: "echo",
            procs: 2,
            sizes: SIZES,
            units: identity,
            want: identity,
            bodies: &[
                (Runtime::Gopark, Body::Plain(|size| gopark(size, 0))),
                (Runtime::Go, Body::InGo),
                (Runtime::Tokio, Body::Future(|size| tokio(size, 0))),
            ],
            rows: &[exchange("echo"), p99("echo_p99")],
        },
        Case {
            name: "echo_beside_10k",
            procs: 2,
            sizes: SIZES,
            units: identity,
            want: identity,
            bodies: &[
                (Runtime::Gopark, Body::Plain(|size| gopark(size, idle_beside(size)))),
                (Runtime::Go, Body::InGo),
                (Runtime::Tokio, Body::Future(|size| tokio(size, idle_beside(size)))),
            ],
            rows: &[
                exchange("echo_beside_10k"),
                p99("echo_beside_10k_p99"),
                Row {
                    name: "echo_idle_memory",
                    value: IDLE_MEMORY,
                    divide: Divide::By(IDLE as f64),
                    unit: "B",
                },
            ],
        },
    ],
};

const WARM: u64 = 64 * 100;
const SIZES: Sizes = Sizes { full: 64 * 4_000, quick: 64 * 500, warm: WARM };

const CONNECTIONS: u64 = 64;
const MESSAGE: usize = 128;
const IDLE: usize = 10_000;

const ELAPSED: &str = "exchange_ns";
const P99: &str = "p99_ns";
const IDLE_MEMORY: &str = "idle_bytes";

const fn exchange(name: &'static str) -> Row {
    Row { name, value: ELAPSED, divide: Divide::Units(1.0), unit: "ns" }
}

const fn p99(name: &'static str) -> Row {
    Row { name, value: P99, divide: Divide::By(1000.0), unit: "us" }
}

/// The first pass is only there to be warm.
fn idle_beside(size: u64) -> usize {
    if size == WARM { 0 } else { IDLE }
}

fn note(start: Instant, mut trips: Vec<u64>) -> u64 {
    sample::note(ELAPSED, start.elapsed().as_nanos() as f64);
    trips.sort_unstable();
    sample::note(P99, trips[trips.len() * 99 / 100] as f64);
    trips.len() as u64
}

fn gopark(size: u64, idle: usize) -> u64 {
    use gopark::net::TcpStream;

    let server = Server::new();
    let held = gopark::blocking(|| hold(server.address, idle));
    let streams = server.connect();
    let start = Instant::now();
    let client = move |mut stream: TcpStream| {
        let mut message = [7; MESSAGE];
        let mut trips = Vec::with_capacity((size / CONNECTIONS) as usize);
        for _ in 0..size / CONNECTIONS {
            let start = Instant::now();
            stream.write_all(&message).expect("the server reads");
            stream.read_exact(&mut message).expect("the server answers");
            trips.push(start.elapsed().as_nanos() as u64);
        }
        trips
    };
    let clients: Vec<_> =
        streams.into_iter().map(|stream| gopark::go(move || client(stream))).collect();
    let trips = clients.into_iter().flat_map(|task| task.join().expect("a client returns"));
    let count = note(start, trips.collect());
    drop(held);
    server.end();
    count
}

/// Round trips on all connections, counted, until it is told to stop.
pub(super) fn exchange_until(stop: &Arc<AtomicBool>, trips: &Arc<AtomicU64>) {
    let server = Server::new();
    let client = |mut stream: gopark::net::TcpStream| {
        let (stop, trips) = (stop.clone(), trips.clone());
        gopark::go(move || {
            let mut message = [7; MESSAGE];
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(&message).expect("the server reads");
                stream.read_exact(&mut message).expect("the server answers");
                trips.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let clients: Vec<_> = server.connect().into_iter().map(client).collect();
    clients.into_iter().for_each(|task| task.join().expect("a client returns"));
    server.end();
}

/// Sends back whatever comes.
struct Server {
    address: SocketAddr,
    closer: gopark::net::TcpListener,
    task: gopark::JoinHandle<()>,
}

impl Server {
    fn new() -> Server {
        use gopark::net::{TcpListener, TcpStream};

        let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
        let address = listener.local_addr().expect("the address");
        let closer = listener.try_clone().expect("a handle");
        let task = gopark::go(move || {
            let serve = |mut stream: TcpStream| {
                stream.set_nodelay(true).expect("a connection");
                let mut message = [0; MESSAGE];
                while let Ok(length @ 1..) = stream.read(&mut message) {
                    stream.write_all(&message[..length]).expect("the client reads");
                }
            };
            let tasks: Vec<_> = listener
                .incoming()
                .map(|stream| {
                    let stream = stream.expect("a connection");
                    gopark::go(move || serve(stream))
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().expect("a server returns"));
        });
        Server { address, closer, task }
    }

    fn connect(&self) -> Vec<gopark::net::TcpStream> {
        let connect = |_| {
            let stream = gopark::net::TcpStream::connect(self.address).expect("a connection");
            stream.set_nodelay(true).expect("a connection");
            stream
        };
        (0..CONNECTIONS).map(connect).collect()
    }

    /// After its connections.
    fn end(self) {
        self.closer.close();
        self.task.join().expect("the server returns");
    }
}

fn tokio(size: u64, idle: usize) -> Answer {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpSocket, TcpStream};

    Box::pin(async move {
        // Its own `bind` has room for 1024, and who comes then waits for a second.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("an address");
        let listener = socket.listen(4096).expect("a listener");
        let address = listener.local_addr().expect("the address");
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("a connection");
                tokio::spawn(async move {
                    let mut message = [0; MESSAGE];
                    while let Ok(length @ 1..) = stream.read(&mut message).await {
                        stream.write_all(&message[..length]).await.expect("the client reads");
                    }
                });
            }
        });
        let held = tokio::task::spawn_blocking(move || hold(address, idle)).await.expect("held");
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("a connection");
            streams.push(stream);
        }
        let start = Instant::now();
        let client = move |mut stream: TcpStream| async move {
            let mut message = [7; MESSAGE];
            let mut trips = Vec::with_capacity((size / CONNECTIONS) as usize);
            for _ in 0..size / CONNECTIONS {
                let start = Instant::now();
                stream.write_all(&message).await.expect("the server reads");
                stream.read_exact(&mut message).await.expect("the server answers");
                trips.push(start.elapsed().as_nanos() as u64);
            }
            trips
        };
        let clients: Vec<_> =
            streams.into_iter().map(|stream| tokio::spawn(client(stream))).collect();
        let mut trips = Vec::new();
        for task in clients {
            trips.extend(task.await.expect("a client returns"));
        }
        let count = note(start, trips);
        drop(held);
        server.abort();
        count
    })
}

/// Connections that another process holds, until this is dropped.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("the holder ends");
    }
}

/// Has another process open idle connections.
fn hold(address: SocketAddr, count: usize) -> Option<Held> {
    if count == 0 {
        return None;
    }
    let before = status::kib(RESIDENT).expect("memory");
    let this = std::env::current_exe().expect("this program");
    let mut holder = Command::new(this)
        .args(["--hold", &address.to_string(), &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process");
    // A word when all are connected.
    let mut word = [0; 1];
    holder.stdout.take().expect("its output").read_exact(&mut word).expect("the holder holds");
    let with = status::kib(RESIDENT).expect("memory");
    sample::note(IDLE_MEMORY, (with - before) * 1024.0);
    Some(Held(holder))
}

/// The other process: connects, says so, and holds until its input ends.
pub(crate) fn holder(address: &str, count: &str) -> Result<(), String> {
    let count: usize = count.parse().map_err(|why| format!("{count:?}: {why}"))?;
    let connect = |_| std::net::TcpStream::connect(address);
    let held: Result<Vec<_>, _> = (0..count).map(connect).collect();
    let held = held.map_err(|why| format!("connecting to {address}: {why}"))?;
    let say = |mut out: std::io::Stdout| out.write_all(b"!").and_then(|()| out.flush());
    say(std::io::stdout()).map_err(|why| format!("saying so: {why}"))?;
    let _ = std::io::stdin().read(&mut [0; 1]);
    drop(held);
    Ok(())
}
