//! Brings the Go program into being. It stays under `bench/go/` and is reused.

use crate::go::{self, succeed};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The built Go program, or why there is none.
pub(crate) fn prepare() -> Result<PathBuf, String> {
    let folder = go::folder();
    let program = folder.join("bin/gopark-bench-go");
    build(&go::find()?, &folder, &program)?;
    Ok(program)
}

fn build(go: &Path, folder: &Path, program: &Path) -> Result<(), String> {
    let mut build = Command::new(go);
    build.arg("build").arg("-o").arg(program).arg(".").current_dir(folder);
    // The module needs no other, so nothing may be fetched for it.
    build.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("CGO_ENABLED", "0");
    build.env_remove("GOFLAGS").env("GOWORK", "off");
    succeed(&mut build, "go build").map(drop)
}
