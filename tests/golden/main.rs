//! The dump that Go's tools read, compared with a text that is checked in and
//! with the grammar.
//!
//! `GOLDEN_UPDATE=1` writes the text anew.

#[path = "../it/child.rs"]
mod child;
mod grammar;
#[path = "../no_alloc.rs"]
mod no_alloc;
mod set;

use child::{alone, here, inside};
use gopark::inspect::{Snapshot, write_go_dump};
use grammar::Block;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: no_alloc::Checked = no_alloc::Checked;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/dump.txt")
}

#[test]
fn the_dump_of_a_mixed_set_is_the_one_that_is_checked_in() {
    if inside(here!()) {
        return set::with_all(&|| {
            let dump = Snapshot::all().to_string();
            let blocks = grammar::parse(&dump).unwrap_or_else(|error| panic!("{error}\n{dump}"));
            assert_eq!(blocks.len(), set::SIZE, "{dump}");
            let normal = normalise(&blocks);
            if std::env::var_os("GOLDEN_UPDATE").is_some() {
                std::fs::write(golden(), &normal).unwrap();
            }
            let expected = std::fs::read_to_string(golden()).unwrap_or_default();
            assert_eq!(normal, expected, "GOLDEN_UPDATE=1 accepts the new text");
        });
    }
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || unreachable!("runs in the child"));
}

/// Numbers in the order in which they appear, paths from the workspace on, lines
/// only in the file that makes the set.
fn normalise(blocks: &[Block<'_>]) -> String {
    let mut numbers = HashMap::new();
    let mut number = |id: u64| {
        let next = numbers.len() + 1;
        format!("N{}", numbers.entry(id).or_insert(next))
    };
    let place = |place: &grammar::Place<'_>| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = root.parent().expect("the workspace").to_str().expect("text");
        let path = place.path.strip_prefix(root).unwrap_or(place.path).trim_start_matches('/');
        match path.ends_with("golden/set.rs") {
            true => format!("{path}:{}", place.line),
            false => format!("{path}:LINE"),
        }
    };
    // First all that are there, so that their numbers are in the order of the dump.
    blocks.iter().for_each(|block| drop(number(block.id)));
    let texts = blocks.iter().map(|block| {
        let mut text = format!("goroutine {} [{}", number(block.id), block.status);
        text += if block.leaked { " (leaked)" } else { "" };
        text += if block.locked { ", locked to thread" } else { "" };
        text += "]:\n";
        for frame in &block.frames {
            text += &format!("{}(...)\n\t{} +0xOFFSET\n", frame.function, place(&frame.place));
        }
        if let Some(made) = &block.created_by {
            text += &format!("created by {}", made.function);
            text +=
                &made.parent.map_or(String::new(), |id| format!(" in goroutine {}", number(id)));
            text += &format!("\n\t{} +0x0\n", place(&made.place));
        }
        text
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_dump_of_a_busy_process_obeys_the_grammar() {
    alone(here!(), &[], || {
        let load = set::Load::start();
        let mut seen = 0;
        for _ in 0..300 {
            let dump = Snapshot::all().to_string();
            match grammar::parse(&dump) {
                Ok(blocks) => seen += blocks.len(),
                Err(error) => panic!("{error}\n{dump}"),
            }
        }
        assert!(seen > 300, "there was something to be seen");
        load.stop();
    });
}

#[test]
fn nothing_is_dumped_as_nothing() {
    let mut text = String::new();
    write_go_dump(&mut text, &[]).unwrap();
    assert_eq!(text, "");
    assert!(grammar::parse("").unwrap().is_empty());
}

#[test]
fn an_error_of_the_writer_comes_back() {
    struct Full(usize);
    impl fmt::Write for Full {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    // The calling thread is one of those that are dumped.
    drop(gopark::Scope::current());
    let snapshot = Snapshot::all();
    let size = snapshot.to_string().len();
    assert!(write_go_dump(&mut Full(size), &snapshot.tasks).is_ok());
    for room in [0, 1, size / 2, size - 1] {
        assert!(write_go_dump(&mut Full(room), &snapshot.tasks).is_err(), "{room} of {size}");
    }
}
