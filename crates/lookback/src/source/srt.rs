//! SRT: a port to which senders connect also over links that lose packets, or that others listen in on.
//!
//! ffmpeg is on that port, as a child for each sender, and hands on what was sent byte for byte. While one sends, ffmpeg
//! itself turns a second one away. A sender that dies is missed after the five seconds that the protocol gives it.
//!
//! A child that waits notices nothing of lookback's end, where the system does not see to it. So it waits for a while, and
//! is followed by the next one.

use std::fmt;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::{Feed, PAUSE, record};
use crate::child::{Child, Priority};
use crate::clock;
use crate::programs;
use crate::settings::Endpoint;
use crate::usage::Usage;

/// Where senders connect, and the word that they have to know.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Port {
    pub(crate) endpoint: Endpoint,
    passphrase: Option<String>,
}

/// How many characters a passphrase has (`SRTO_PASSPHRASE`).
const PASSPHRASE: std::ops::RangeInclusive<usize> = 10..=79;

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (endpoint, query) = text.split_once('?').unwrap_or((text, ""));
        let mut port = Self {
            endpoint: endpoint.parse()?,
            passphrase: None,
        };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("mode", "listener")) => {}
                Some(("passphrase", word)) if PASSPHRASE.contains(&word.len()) => {
                    port.passphrase = Some(word.to_owned());
                }
                Some(("passphrase", _)) => {
                    return Err("an SRT passphrase has 10 to 79 characters".to_owned());
                }
                Some(("mode", _)) => {
                    return Err(
                        "lookback listens for SRT: let the other side be mode=caller".to_owned(),
                    );
                }
                _ => {
                    return Err(format!(
                        "{part} is not known here: passphrase is, and all else, such as the latency, is set by who sends"
                    ));
                }
            }
        }
        Ok(port)
    }
}

/// Without the passphrase: this is shown.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "srt://{}", self.endpoint)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A free port, and an ffmpeg that knows SRT.
#[derive(Debug)]
pub(crate) struct Source {
    port: Port,
    ffmpeg: PathBuf,
}

impl Source {
    /// Looks whether the port is free, and whether ffmpeg can receive.
    pub(super) async fn bind(port: &Port, ffmpeg: &Path) -> Result<Self, Usage> {
        let bound = port.endpoint.resolve().and_then(UdpSocket::bind);
        bound.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => Usage::new(format!(
                "{port} is in use by another program: stop it, or name another port with --input srt://HOST:PORT"
            )),
            _ => Usage::new(format!("cannot listen on {port}: {error}")),
        })?;
        let program = ffmpeg.display();
        match programs::said(ffmpeg, &["-hide_banner", "-protocols"]).await {
            Ok(protocols) if protocols.lines().any(|line| line.trim() == "srt") => Ok(Self {
                port: port.clone(),
                ffmpeg: ffmpeg.to_owned(),
            }),
            Ok(_) => Err(Usage::new(format!(
                "{port}: this ffmpeg ({program}) was built without SRT: name one that has it with --ffmpeg, or let the \
                 sender use tcp:// or udp://"
            ))),
            Err(error) => Err(Usage::new(format!(
                "{port}: ffmpeg receives SRT, but {program} cannot be used ({error}): {}",
                programs::INSTALL_FFMPEG
            ))),
        }
    }

    /// Records each sender, for ever.
    pub(super) async fn run(self, feed: Feed) {
        loop {
            match self.receive(&feed).await {
                // Whoever was cut off comes back at once.
                Ok(Outcome::Recorded | Outcome::Nobody) => {}
                Ok(Outcome::Refused) => sleep(PAUSE).await,
                Err(why) => {
                    let hint = format!(
                        "{}, which receives {}: {why}",
                        self.ffmpeg.display(),
                        self.port
                    );
                    warn!("{}: {hint}", feed.channel.name());
                    feed.channel.report("srt_failed", hint);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits for one sender, and records it to its end; or says what is wrong with the child.
    async fn receive(&self, feed: &Feed) -> Result<Outcome, String> {
        let child = Child::start(self.command(), Priority::Usual);
        let mut child = child.map_err(|error| error.to_string())?;
        let stdout = child.0.stdout().take().expect("it is piped");
        let stderr = child.0.stderr().take().expect("it is piped");
        let said = tokio::spawn(listen(stderr, feed.clone()));
        let outcome = take(stdout, feed).await;
        // With it, its last words end as well.
        drop(child);
        let last = said.await.unwrap_or_default();
        outcome.ok_or(last)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.ffmpeg);
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "warning"])
            // As bytes, whatever they are: what they mean is not for ffmpeg to judge, and nothing waits for it to.
            .args(["-f", "data", "-probesize", "32", "-analyzeduration", "0"])
            .args(["-listen_timeout", &(2 * WAIT).as_micros().to_string()]);
        if let Some(passphrase) = &self.port.passphrase {
            command.args(["-passphrase", passphrase]);
        }
        command
            .args(["-i", &format!("{}?mode=listener", self.port)])
            .args(["-map", "0", "-c", "copy"])
            .args(["-f", "data", "-flush_packets", "1", "pipe:1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// How long a child waits for a sender: by its own watch twice as long as by ours.
const WAIT: Duration = Duration::from_secs(10);

/// What became of waiting for a sender.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Recorded,
    /// The channel was busy.
    Refused,
    Nobody,
}

/// Records what the child hands on, from the first byte; nothing if it ends before.
async fn take(mut stdout: ChildStdout, feed: &Feed) -> Option<Outcome> {
    let mut first = vec![0; 64 << 10];
    let Ok(read) = timeout(WAIT, stdout.read(&mut first)).await else {
        return Some(Outcome::Nobody);
    };
    let len = read.ok().filter(|len| *len > 0)?;
    let Some(mut writer) = feed.connect() else {
        return Some(Outcome::Refused);
    };
    writer.write(&first[..len], clock::now());
    record(feed, writer, stdout).await;
    Some(Outcome::Recorded)
}

/// Hears what the child has to say, and gives its last line.
async fn listen(stderr: impl AsyncRead + Unpin, feed: Feed) -> String {
    let mut lines = BufReader::new(stderr).lines();
    let mut last = String::new();
    // What is no text is nothing to go by.
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((code, hint)) = meaning(&line) {
            warn!("{}: {}: {hint}", feed.channel.name(), feed.name);
            feed.channel.report(code, hint.to_owned());
        }
        last = line;
    }
    last
}

/// What a line of libsrt's log says about a sender.
fn meaning(line: &str) -> Option<(&'static str, &'static str)> {
    let has = |text: &str| line.contains(text);
    if has("rsp(REJECT)") && (has("passphrase") || has("Password")) {
        let hint =
            "a sender with another passphrase, or none, was turned away: both sides need the same";
        return Some(("srt_passphrase", hint));
    }
    has("RCV-DROPPED").then_some((
        "srt_late",
        "parts came too late, or never: let the sender set a higher latency, or a lower bit rate",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(text: &str) -> Result<Port, String> {
        text.parse()
    }

    #[test]
    fn a_passphrase_is_taken_and_not_shown() {
        let plain = port("0.0.0.0:9000?mode=listener").expect("it is well written");
        assert_eq!(
            (plain.to_string().as_str(), &plain.passphrase),
            ("srt://0.0.0.0:9000", &None)
        );
        let locked = port("[::]:9000?passphrase=correct=horse").expect("it is well written");
        assert_eq!(locked.passphrase.as_deref(), Some("correct=horse"));
        assert_eq!(
            format!("{locked} {locked:?}"),
            "srt://[::]:9000 srt://[::]:9000"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("0.0.0.0", "HOST:PORT"),
            ("0.0.0.0:9000?passphrase=short", "10 to 79"),
            ("0.0.0.0:9000?mode=caller", "listens"),
            ("0.0.0.0:9000?latency=200", "latency=200 is not known"),
        ] {
            let error = port(text).expect_err(text);
            assert!(error.contains(word), "{error}");
        }
    }

    /// Lines of libsrt 1.5.
    #[test]
    fn lines_about_senders_are_understood() {
        let code = |line| meaning(line).map(|(code, _)| code);
        assert_eq!(
            code(
                "12:28.297841/SRT:RcvQ:w1!W:SRT.cn: processConnectRequest: rsp(REJECT): 1010 - Incorrect passphrase"
            ),
            Some("srt_passphrase")
        );
        assert_eq!(
            code(
                "12:28.449400/SRT:RcvQ:w1!W:SRT.cn: processConnectRequest: rsp(REJECT): 1011 - Password required or unexpected"
            ),
            Some("srt_passphrase")
        );
        assert_eq!(
            code(
                "19:56:19.899254/SRT:TsbPd!W:SRT.br: @271351875:RCV-DROPPED 1243 packet(s). Packet seqno %797431695 delayed for 63.431 ms"
            ),
            Some("srt_late")
        );
        assert_eq!(
            code("srt://127.0.0.1:9333?mode=listener: Input/output error"),
            None
        );
    }
}
