//! What holds the OpenAPI document to its specification and to the server: Python packages, in a folder of their own
//! whose place the end-to-end tests are told.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::step::{Failure, Result, run};
use crate::tools;
use crate::workspace::target;

/// The newest release that has been tried here. It brings what reads YAML, and what knows JSON Schema.
const VALIDATOR: &str = "openapi-spec-validator==0.9.0";

/// Fetches the packages if they are missing, and gives their folder.
pub(crate) fn packages() -> Result<PathBuf> {
    tools::ensure(&[tools::PYTHON])?;
    let folder = target().join("openapi").join(VALIDATOR);
    if !folder.exists() {
        eprintln!("missing, installed now with pip: {VALIDATOR}");
        let new = folder.with_extension("new");
        let mut pip = Command::new("python3");
        pip.args("-m pip install --quiet --no-warn-conflicts --upgrade --target".split(' '));
        run(pip.arg(&new).arg(VALIDATOR))?;
        let broken = |error| Failure::check(format!("{}: {error}", folder.display()));
        fs::rename(&new, &folder).map_err(broken)?;
    }
    Ok(folder)
}
