//! An echo server that ends gracefully: a task for each connection, idle ones that
//! cost little, a load, and an orderly end. The clients are beside it: the idle ones
//! in a process of their own, the busy ones as tasks here.
//!
//! ```sh
//! cargo run --release -p gopark-examples --example echo_server [IDLE]
//! ```

use gopark::JoinHandle;
use gopark::net::{TcpListener, TcpStream};
use gopark::sync::{Mutex, WaitGroup};
use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CLIENTS: usize = 64;
const MESSAGES: usize = 1000;
const LENGTH: usize = 128;

/// A server and what is open in it.
#[derive(Clone)]
struct Server {
    listener: Arc<TcpListener>,
    open: Arc<Mutex<HashMap<SocketAddr, TcpStream>>>,
    served: WaitGroup,
}

impl Server {
    /// The server, and the task that accepts.
    fn start() -> io::Result<(Server, JoinHandle<()>)> {
        let server = Server {
            listener: Arc::new(TcpListener::bind("127.0.0.1:0")?),
            open: Arc::default(),
            served: WaitGroup::new(),
        };
        let accepts = server.clone();
        Ok((server, gopark::go(move || accepts.accept())))
    }

    /// Until the listener is closed.
    fn accept(&self) {
        for stream in self.listener.incoming() {
            let Ok(stream) = stream else { continue };
            let (Ok(peer), Ok(handle)) = (stream.peer_addr(), stream.try_clone()) else { continue };
            self.open.lock().insert(peer, handle);
            self.served.add(1);
            let server = self.clone();
            gopark::go(move || {
                // A client that breaks off is its own affair.
                let _ = echo(&stream);
                server.open.lock().remove(&peer);
                server.served.done();
            });
        }
    }

    /// Takes no more connections, lets each answer what it has read, and returns when
    /// all have ended. How many it ended.
    fn stop(self, accepts: JoinHandle<()>) -> usize {
        self.listener.close();
        // From then on nothing is opened any more.
        accepts.join().expect("it returns");
        let open = self.open.lock();
        let count = open.len();
        // Their tasks read to the end of what has arrived, and then an end.
        open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Read)));
        drop(open);
        self.served.wait();
        count
    }
}

fn echo(stream: &TcpStream) -> io::Result<()> {
    let mut stream = stream;
    stream.set_nodelay(true)?;
    let mut message = [0; LENGTH];
    loop {
        match stream.read(&mut message)? {
            0 => return Ok(()),
            length => stream.write_all(&message[..length])?,
        }
    }
}

/// How long each answer took.
fn call(address: SocketAddr) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut times = Vec::with_capacity(MESSAGES);
    for n in 0..MESSAGES {
        let message = [n as u8; LENGTH];
        let mut answer = [0; LENGTH];
        let start = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        times.push(start.elapsed());
        assert_eq!(answer, message);
    }
    Ok(times)
}

/// Has another process hold connections until its input ends.
fn idle_clients(address: SocketAddr, count: usize) -> io::Result<Child> {
    let mut holder = Command::new(std::env::current_exe()?)
        .args(["--hold", &address.to_string(), &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut word = [0; 1];
    holder.stdout.take().expect("its output").read_exact(&mut word)?;
    Ok(holder)
}

/// What that process does.
fn hold(address: &str, count: usize) -> io::Result<()> {
    let streams: io::Result<Vec<_>> =
        (0..count).map(|_| std::net::TcpStream::connect(address)).collect();
    let streams = streams?;
    io::stdout().write_all(b"!")?;
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    // The server has said goodbye to each.
    for mut stream in streams {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest)?;
    }
    Ok(())
}

fn serve(idle: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (server, accepts) = Server::start()?;
    let address = server.listener.local_addr()?;
    let mut holder = gopark::blocking(|| idle_clients(address, idle))?;
    // The kernel has connected them; some may still wait to be accepted.
    while server.open.lock().len() < idle {
        gopark::sleep(Duration::from_millis(1));
    }
    println!("{idle} idle connections");

    let start = Instant::now();
    let clients: Vec<_> = (0..CLIENTS).map(|_| gopark::go(move || call(address))).collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.join().expect("a client returns")?);
    }
    let took = start.elapsed();
    times.sort_unstable();
    println!(
        "{CLIENTS} clients, {} messages of {LENGTH} bytes: {:.0} a second, half within {:.0?}, 99 of 100 within {:.0?}",
        times.len(),
        times.len() as f64 / took.as_secs_f64(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );

    let ended = server.stop(accepts);
    println!("the server has ended, and with it {ended} connections");
    drop(holder.stdin.take());
    let status = gopark::blocking(|| holder.wait())?;
    println!("the idle clients have read to the end: {status}");
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |arg: &str| arg.replace('_', "").parse::<usize>();
    let done = match args[..] {
        [] => gopark::run(|| serve(10_000)),
        ["--hold", address, count] => match number(count) {
            Ok(count) => hold(address, count).map_err(Into::into),
            Err(why) => Err(why.into()),
        },
        [idle] if number(idle).is_ok() => {
            let idle = number(idle).expect("checked above");
            gopark::run(move || serve(idle))
        }
        _ => {
            eprintln!("usage: echo_server [IDLE]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("echo_server: {why}");
            ExitCode::FAILURE
        }
    }
}
