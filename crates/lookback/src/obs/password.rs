//! The password of obs-websocket: out of a file or the environment, never out of the command line, where
//! every program on the machine could read it, and never into a log.

use std::fmt;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use crate::usage::Usage;

/// The environment variable with the password itself.
pub(crate) const VARIABLE: &str = "LOOKBACK_OBS_PASSWORD";

/// What OBS asks for before it answers. It does not show itself.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Password(String);

impl Password {
    /// One that was typed in.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The first line of a file. Only the end of the line is not part of it: a password may begin or
    /// end with a space.
    pub(crate) fn read(path: &Path) -> Result<Self, Usage> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| {
            Usage::new(format!("--password-file {shown} cannot be read: {error}"))
        })?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(Self::new(line)),
            _ => Err(Usage::new(format!(
                "--password-file {shown} is empty: its first line is to be the password"
            ))),
        }
    }

    /// The one of the file if one is named, else that of the environment, else none.
    pub(crate) fn find(path: Option<&Path>) -> Result<Option<Self>, Usage> {
        match path {
            Some(path) => Self::read(path).map(Some),
            None => {
                let password = std::env::var(VARIABLE).ok();
                Ok(password.filter(|it| !it.is_empty()).map(Self::new))
            }
        }
    }

    /// What is said to OBS in its place: obs-websocket, "Creating an authentication string".
    pub(super) fn answer(&self, salt: &str, challenge: &str) -> String {
        let secret = digest(&[&self.0, salt]);
        digest(&[&secret, challenge])
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    BASE64.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol's documentation gives salt and challenge; the answer was worked out with `openssl dgst`.
    #[test]
    fn answer_is_the_protocols() {
        let password = Password::new("supersecretpassword");
        let answer = password.answer(
            "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=",
            "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=",
        );
        assert_eq!(answer, "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=");
    }

    #[test]
    fn it_does_not_show_itself() {
        assert_eq!(format!("{:?}", Password::new("geheim")), "Password(..)");
    }

    #[test]
    fn file_holds_it_in_its_first_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        for (text, password) in [
            ("geheim", "geheim"),
            ("geheim\n", "geheim"),
            (" ge heim \r\nmore\n", " ge heim "),
        ] {
            fs::write(&path, text).expect("a file");
            assert_eq!(Password::read(&path), Ok(Password::new(password)));
        }
        for text in ["", "\n"] {
            fs::write(&path, text).expect("a file");
            let error = Password::read(&path).expect_err("no password");
            assert!(error.to_string().contains("empty"), "{error}");
        }
        let missing = Password::find(Some(&folder.path().join("none")));
        assert!(missing.is_err_and(|error| error.to_string().contains("--password-file")));
    }
}
