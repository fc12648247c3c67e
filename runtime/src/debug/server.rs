//! Who listens, and what one connection goes through.

use super::answer::Answer;
use super::guests::{Guests, Seat};
use super::host::Hosts;
use super::leaks::Looks;
use super::pages::{self, Page};
use super::request::{self, Request};
use crate::net::{Closed, TcpListener, TcpStream};
use crate::sync::{Mutex, Semaphore};
use crate::task::spawn::{go_beside, go_system};
use crate::{offload, sleep};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client has for its request, and for taking note of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may read the answer.
const READING: Duration = Duration::from_secs(60);
/// Connections whose tasks have not ended, those that had to leave included.
const TASKS: usize = 512;
/// What a client may still send behind its request.
const MOST_IGNORED: usize = 64 << 10;

/// How the [pages](super) are served.
///
/// ```
/// use gopark::debug::Server;
///
/// let endpoint = Server::new().host("build-7.internal").serve("127.0.0.1:0")?;
/// endpoint.close();
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is served before serve() is called"]
pub struct Server {
    remote: bool,
    hosts: Hosts,
}

impl Server {
    /// As [`serve`](super::serve) does it.
    pub fn new() -> Server {
        Server::default()
    }

    /// Lets other machines look, if the address is one that they can reach. They see names of
    /// functions, files and labels, and there is no password: have something in between that
    /// asks for one.
    pub fn allow_remote(mut self) -> Server {
        self.remote = true;
        self
    }

    /// One more name under which a client may know this machine, besides its addresses and
    /// `localhost`.
    pub fn host(mut self, name: impl Into<String>) -> Server {
        self.hosts.add(name.into());
        self
    }

    /// Begins to serve.
    ///
    /// # Errors
    /// See [`serve`](super::serve).
    #[track_caller]
    pub fn serve(self, address: impl ToSocketAddrs) -> io::Result<Endpoint> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        let reachable = addresses.iter().find(|address| !address.ip().is_loopback());
        if let Some(address) = reachable.filter(|_| !self.remote) {
            let text = format!(
                "gopark: other machines can reach {address}, and whoever does sees what this \
                 program is made of; debug::Server::allow_remote() permits that"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let listener = TcpListener::bind(&addresses[..])?;
        let address = listener.local_addr()?;
        let endpoint = Endpoint { listener: listener.try_clone()?, address };
        let house = House {
            hosts: self.hosts,
            guests: Guests::new(),
            room: Semaphore::new(TASKS),
            turn: Mutex::new(()),
            looks: Looks::new(),
        };
        go_system(move || accept(&listener, &Arc::new(house)))?;
        Ok(endpoint)
    }
}

/// What is served. Dropping it changes nothing: [`close`](Endpoint::close) ends it.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Where it is served, with the port that port 0 has become.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves no more clients. Those that have asked already get their answers. Blocks nobody.
    pub fn close(&self) {
        self.listener.close();
    }
}

/// What connections share.
struct House {
    hosts: Hosts,
    guests: Guests,
    room: Semaphore,
    /// One answer is made at a time.
    turn: Mutex<()>,
    looks: Looks,
}

fn accept(listener: &TcpListener, house: &Arc<House>) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.get_ref().is_some_and(|it| it.is::<Closed>()) => break,
            // There are too many descriptors, or the client has gone.
            Err(_) => {
                sleep(Duration::from_millis(10));
                continue;
            }
        };
        let Ok(handle) = stream.try_clone() else { continue };
        // The longer the tasks of those who had to leave take, the longer others wait in the
        // system's queue.
        house.room.acquire(1).forget();
        let visit = Visit { seat: house.guests.enter(handle), house: house.clone() };
        // If no task can be had the client is sent away with the closure. Why one is lost is
        // its own affair.
        let _ = go_beside(move || drop(attend(&visit.house, &stream, visit.seat)));
    }
    // The thread is this task's: it lives longer than all others on it.
    house.room.acquire(TASKS).forget();
}

/// A client, until its task has ended.
struct Visit {
    house: Arc<House>,
    seat: Seat,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.house.guests.leave(self.seat);
        self.house.room.release(1);
    }
}

fn attend(house: &House, mut stream: &TcpStream, seat: Seat) -> io::Result<()> {
    stream.set_read_deadline(Some(Instant::now() + PATIENCE));
    let (answer, is_head) = match request::read(&mut stream)? {
        Ok(request) if house.hosts.is_known(request.host.as_deref()) => {
            let head = request.is_head;
            (answer(house, &request, seat), head)
        }
        Ok(_) => (Answer::refusal(403, "this host name is not one of the endpoint's"), false),
        Err(refusal) => (refusal, false),
    };
    stream.set_write_deadline(Some(Instant::now() + READING));
    answer.write(&mut stream, is_head)?;
    // Closing a socket with something unread in it would take the answer away from a client
    // that has not read it yet.
    stream.shutdown(Shutdown::Write)?;
    house.guests.waits(seat);
    stream.set_read_deadline(Some(Instant::now() + PATIENCE));
    let mut ignored = [0; 1024];
    let mut left = MOST_IGNORED;
    while left > 0 {
        match stream.read(&mut ignored)? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}

fn answer(house: &House, request: &Request, seat: Seat) -> Answer {
    let page = match Page::find(&request.path, &request.query) {
        Ok(page) => page,
        Err(refusal) => return refusal,
    };
    house.guests.has_asked(seat);
    let _turn = (!page.is_slow()).then(|| house.turn.lock());
    // Whoever had to leave while it waited needs none.
    if !house.guests.is_here(seat) {
        return Answer::refusal(503, "too many clients");
    }
    // The others who are served have this thread.
    offload(|| pages::make(page, &house.looks))
}
