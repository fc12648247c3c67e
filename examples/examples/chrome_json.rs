//! A trace file as JSON, which <https://ui.perfetto.dev> opens: of `GOPARK_TRACE=FILE`, of
//! `/debug/pprof/trace`, or of a flight recorder.
//!
//! ```sh
//! cargo run --release -p gopark-examples --example chrome_json trace.out > trace.json
//! ```

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [file] = files.as_slice() else {
        eprintln!("usage: chrome_json FILE > JSON_FILE");
        return ExitCode::from(2);
    };
    match print(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("chrome_json: {file}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn print(file: &str) -> io::Result<()> {
    let mut to = BufWriter::new(io::stdout().lock());
    gopark::trace::to_chrome_json(&std::fs::read(file)?, &mut to)?;
    to.flush()
}
