//! What [sources](crate::source) have found, in the same shape as tasks: equal items
//! are one block.

use std::fmt::{self, Formatter};

use super::text::{Count, List, Margin, Place, Spot, distinct};
use crate::source::{Found, Item};

/// Equal items, in the order in which they were named.
pub(super) fn blocks(found: &Found) -> Vec<Vec<&Item>> {
    let mut blocks: Vec<Vec<&Item>> = Vec::new();
    for item in &found.items {
        match blocks.iter_mut().find(|block| block[0].is_like(item)) {
            Some(block) => block.push(item),
            None => blocks.push(vec![item]),
        }
    }
    blocks
}

/// How many there are of each kind: `2 threads`.
pub(super) fn counts(found: &Found) -> Vec<String> {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for item in &found.items {
        match kinds.iter_mut().find(|(kind, _)| *kind == item.kind) {
            Some((_, n)) => *n += 1,
            None => kinds.push((&item.kind, 1)),
        }
    }
    kinds.iter().map(|(kind, n)| Count(*n, kind).to_string()).collect()
}

/// Everything, numbered from `first`.
pub(super) fn write(f: &mut Formatter<'_>, found: &Found, first: usize) -> fmt::Result {
    for (n, block) in blocks(found).iter().enumerate() {
        writeln!(f)?;
        write_block(f, first + n, block)?;
    }
    if !found.left_out.is_empty() {
        writeln!(f, "\n(alive and not counted: {})", found.left_out.join(", "))?;
    }
    Ok(())
}

fn write_block(f: &mut Formatter<'_>, number: usize, block: &[&Item]) -> fmt::Result {
    let item = block[0];
    writeln!(f, "[{number}] {} {}", Count(block.len(), &item.kind), item.does)?;
    let places: Vec<Place<'_>> = item
        .places
        .iter()
        .map(|place| Place {
            at: Spot { file: &place.file, line: place.line, column: place.column },
            says: &place.says,
        })
        .collect();
    let margin = Margin::of(&places);
    if places.is_empty() {
        writeln!(f, "{:1$} |", "", margin.width)?;
    } else {
        margin.write_places(f, &places)?;
    }
    let ids: Vec<String> = block.iter().map(|item| item.id.clone()).collect();
    let key = if item.kind.contains(' ') { "id" } else { &item.kind };
    margin.note(f, key, List { items: &ids, more: "more" })?;
    let names = distinct(block.iter().filter_map(|item| item.name.as_deref()));
    if !names.is_empty() {
        margin.note(f, "name", List { items: &names, more: "names" })?;
    }
    for (key, value) in &item.notes {
        margin.note(f, key, value.replace('\n', "\n             "))?;
    }
    match item.why.as_str() {
        "" => Ok(()),
        why => margin.note(f, "why", why),
    }
}
