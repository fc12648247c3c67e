//! A crowd of tasks waits on one channel; an operation is one of them. The
//! figures are what the process has resident with the crowd beyond what it had
//! before, and the page tables that came with it.
//!
//! The tasks are of the class of 64 KiB: the page tables grow with the class,
//! resident memory does not.
//!
//! tokio and may have no part in it: a future that waits has no stack, and a
//! stack of may takes two mappings, of which the kernel allows 65 530.

use gopark::sync::WaitGroup;

use crate::contenders;
use crate::sample::Sample;
use crate::status::{self, PAGE_TABLES, RESIDENT};
use crate::workload::{Body, Case, Divide, Family, Row, Runtime, Sizes, identity};

pub(super) const FAMILY: Family = Family {
    name: "parked",
    about: "memory of a million tasks that wait on a channel",
    cases: &[Case {
        name: "parked",
        procs: 2,
        sizes: Sizes { full: 1_000_000, quick: 200_000, warm: 1 },
        units: identity,
        want: identity,
        bodies: &[(Runtime::Gopark, Body::Measured(measure)), (Runtime::Go, Body::InGo)],
        rows: &[bytes("parked_memory", MEMORY), bytes("parked_page_tables", TABLES)],
    }],
};

const MEMORY: &str = "resident_bytes";
const TABLES: &str = "page_table_bytes";

const fn bytes(name: &'static str, value: &'static str) -> Row {
    Row { name, value, divide: Divide::Units(1.0), unit: "B" }
}

fn measure(warm: u64, size: u64) -> Result<Sample, String> {
    contenders::gopark::as_first_task(move || {
        crowd(warm)?;
        crowd(size)
    })
}

fn crowd(size: u64) -> Result<Sample, String> {
    let (gate, waiting) = gopark::chan::rendezvous::<()>();
    let started: &'static WaitGroup = Box::leak(Box::new(WaitGroup::new()));
    let ended: &'static WaitGroup = Box::leak(Box::new(WaitGroup::new()));
    let [resident, tables] = memory()?;
    started.add(size as usize);
    ended.add(size as usize);
    for _ in 0..size {
        let waiting = waiting.clone();
        let task = gopark::Builder::new().stack_limit(64 << 10).go(move || {
            started.done();
            assert!(waiting.recv().is_err(), "nobody sends");
            ended.done();
        });
        task.map_err(|why| format!("starting a task: {why}"))?;
    }
    started.wait();
    let with = memory()?;
    gate.close();
    ended.wait();
    Ok(Sample::default().with(MEMORY, with[0] - resident).with(TABLES, with[1] - tables))
}

/// Resident bytes and bytes of page tables.
fn memory() -> Result<[f64; 2], String> {
    Ok([status::kib(RESIDENT)? * 1024.0, status::kib(PAGE_TABLES)? * 1024.0])
}
