//! Look into a running program with a browser, `curl` or `go tool pprof`. Needs the feature
//! `debug`. Go: `net/http/pprof`.
//!
//! ```
//! use std::io::{Read, Write};
//!
//! let endpoint = gopark::debug::serve("127.0.0.1:0")?; // 6060 is what Go's examples have
//!
//! // curl http://127.0.0.1:6060/debug/pprof/goroutine?debug=2
//! let mut client = std::net::TcpStream::connect(endpoint.local_addr())?;
//! client.write_all(b"GET /debug/pprof/goroutine?debug=2 HTTP/1.0\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! # std::io::Result::Ok(())
//! ```
//!
//! | path | shows |
//! |---|---|
//! | `/debug/pprof/` | what there is, with counts |
//! | `/debug/pprof/goroutine` | a profile of all tasks, for `go tool pprof` |
//! | `/debug/pprof/goroutine?debug=1` | the same as text: equal stacks, counted |
//! | `/debug/pprof/goroutine?debug=2` | every task with its frames; `labels=1` adds names and labels, `runtime=1` frames of the runtime, `gofiles=1` is for tools that know Go's files only |
//! | `/debug/pprof/threadcreate` | how many threads the process has; `debug=1` as text |
//! | `/debug/pprof/block`, `/debug/pprof/mutex` | where tasks have waited for each other, and who has made others wait for a lock; `debug=1` as text. The program turns them on: [`set_block_profile_rate`](crate::inspect::set_block_profile_rate), [`set_mutex_profile_fraction`](crate::inspect::set_mutex_profile_fraction). `seconds=N`: only what is added in the next N seconds |
//! | `/debug/pprof/profile?seconds=N` | what is computed in the next N seconds (30 if nothing is said, 600 at most, `0.5` is a number, too), by all threads: [`cpu_profile`](crate::inspect::cpu_profile) |
//! | `/debug/pprof/trace?seconds=N` | an [execution trace](crate::trace) of the next seconds (1 if nothing is said), for `go tool trace` |
//! | `/debug/leaks?minutes=N` | tasks that have been blocked for so long (10 if nothing is said), by the place where they wait, and by how many more they are than at the last look with the same N; with a warning if there are [more than is normal](crate::inspect#how-many-tasks-are-normal) |
//! | `/debug/tasks` | the live page, for a browser: the life of a task with counts of states and transitions, run queues, groups with their growth, a task's frames and whom it waits for |
//! | `/debug/tasks.json` | every task with its frames; `frames=0`: without; `q=WORDS`, `status=STATE`, `minutes=N`, `limit=N`: some |
//! | `/debug/live.json`, `/debug/task.json?id=N` | what the live page shows |
//! | `/metrics` | numbers, for Prometheus |
//!
//! # Who may look
//! Only programs on the same machine: another address than a loopback one is refused, unless
//! [`Server::allow_remote`] was said. Only `GET` and `HEAD` are answered, and no path changes
//! what the program does. A request that names another host than an address or `localhost`
//! is refused, so that no web site can have a browser ask for it
//! ([`Server::host`] adds names). A request that a browser makes on behalf of another site is
//! refused, unless somebody follows a link. Pages allow nothing but their own style and script
//! (`Content-Security-Policy`), and what is unusual in a task's name is text.
//!
//! # What it costs
//! A thread, which sleeps while nobody asks. The endpoint is made of tasks, which it does not
//! show and leak checks do not count, though [`num_tasks`](crate::num_tasks) does; and as long
//! as it is served, the program is not at a deadlock, as under Go. They have that thread to
//! themselves, so that they answer whatever the program's tasks do, and none of those waits
//! for them. Answers are made one after the other, each on a thread of
//! [`offload`](crate::offload)'s. A client has five seconds for its request, and a minute to read the answer; of
//! 64 clients at the same time the one that has waited longest for its own request gives way
//! to the next.

mod answer;
mod guests;
mod host;
mod leaks;
mod live;
mod metrics;
mod normal;
mod pages;
pub(crate) mod request;
mod server;
mod trace;

pub use server::{Endpoint, Server};

use std::io;
use std::net::ToSocketAddrs;

/// Serves the [pages](self) at this address, which must be a loopback one, until the program
/// ends or the endpoint is [closed](Endpoint::close).
///
/// Blocks nobody. Go: `http.ListenAndServe` with `net/http/pprof` imported.
///
/// # Errors
/// If the address is not a loopback one ([`InvalidInput`](io::ErrorKind::InvalidInput)), is
/// taken, or the system refuses the socket.
///
/// ```
/// let endpoint = gopark::debug::serve("127.0.0.1:0")?;
/// println!("http://{}/debug/pprof/", endpoint.local_addr());
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn serve(address: impl ToSocketAddrs) -> io::Result<Endpoint> {
    Server::new().serve(address)
}
