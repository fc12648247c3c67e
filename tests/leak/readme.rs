//! The README shows a test and what it prints: both are real.

use crate::support::Run;

const README: &str = include_str!("../../README.md");
const FIXTURE: &str = include_str!("fixtures/readme.rs");

/// The first block of this kind.
fn block(kind: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{kind}\n")).expect("such a block");
    rest.split_once("```").expect("its end").0
}

#[test]
fn the_program_is_the_fixture() {
    let fixture: Vec<_> = FIXTURE.lines().filter(|line| !line.starts_with("#[ignore")).collect();
    assert_eq!(block("rust").lines().collect::<Vec<_>>(), fixture);
}

/// Numbers of tasks, ages, folders and addresses differ from run to run.
fn constant(text: &str) -> Vec<String> {
    let text = text.replace("tests/leak/fixtures/readme.rs", "src/lib.rs");
    let text = text.replace("fixtures::readme::doubles", "doubles");
    let text = text.replace("leak::fixtures::readme::", "jobs::");
    text.lines().map(constant_line).collect()
}

fn constant_line(line: &str) -> String {
    if let Some(path) = line.strip_prefix('\t') {
        let at = path.find("src/lib.rs").expect("the fixture's path");
        let (place, offset) = path[at..].split_once(" +0x").expect("an offset");
        assert!(u64::from_str_radix(offset, 16).is_ok(), "{line}");
        return format!("\t{place}");
    }
    let words = line.split(' ').collect::<Vec<_>>();
    let constant = words.iter().enumerate().map(|(n, word)| {
        let before = words[..n].iter().rev().find(|word| !word.is_empty()).copied();
        let numbered = matches!(before, Some("for" | "task" | "task:" | "goroutine"));
        if numbered && word.starts_with(|c: char| c.is_ascii_digit()) { "N" } else { word }
    });
    constant.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_output_is_the_one_it_prints() {
    let run = Run::fixture("readme::doubles");
    assert!(!run.passed, "{}", run.text);
    let shown = constant(block("text")).join("\n");
    let printed = constant(&run.text).join("\n");
    assert!(printed.contains(&shown), "not in the output:\n{shown}\n\n{printed}");
}
