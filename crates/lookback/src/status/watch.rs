//! `lookback status --watch`: the status again each second, until it is stopped.
//!
//! On a terminal each is drawn over the one before. Elsewhere it becomes lines that can be searched and
//! kept: one for each channel, problem and deck, with the time in front; or one of JSON.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{ask, length, line, obs_line, read, table};
use crate::client::{Failure, ServerOptions};
use crate::clock;
use crate::http::Status;
use crate::signals;
use crate::table::mebibytes;
use crate::time::rfc3339;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Shows it until Ctrl-C, which is how this ends well.
pub(super) fn run(server: &ServerOptions) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let cannot = |error| Failure::failed(format!("cannot wait for Ctrl-C: {error}"));
    runtime.map_err(cannot)?.block_on(async {
        let stop = signals::stop().map_err(cannot)?;
        let (over, outcome) = oneshot::channel();
        let server = server.clone();
        // On a thread of its own, so that nobody who stops this waits for an answer first.
        thread::spawn(move || over.send(follow(&server)));
        tokio::select! {
            outcome = outcome => outcome.expect("the thread sends before it ends"),
            () = stop => Ok(()),
        }
    })?;
    Ok(String::new())
}

/// Asks and shows, until nobody reads it any more. A server that has answered once is waited for when it
/// goes.
fn follow(server: &ServerOptions) -> Result<(), Failure> {
    let mut view = View::new(server.json);
    let mut has_answered = false;
    loop {
        let shown = match ask(server) {
            Ok(answer) => {
                has_answered = true;
                view.show(&answer)?
            }
            Err(failure) if has_answered && failure.is_absence() => view.miss(&failure),
            Err(failure) => return Err(failure),
        };
        if shown.is_err() {
            return Ok(());
        }
        thread::sleep(EVERY);
    }
}

/// Where it is shown, and how.
enum View {
    Screen(Screen),
    Lines { is_missing: bool },
    Json { is_missing: bool },
}

impl View {
    fn new(json: bool) -> Self {
        let is_missing = false;
        match json {
            true => Self::Json { is_missing },
            false if io::stdout().is_terminal() => Self::Screen(Screen::default()),
            false => Self::Lines { is_missing },
        }
    }

    /// Shows an answer. What is given is whether anybody sees it.
    fn show(&mut self, answer: &str) -> Result<io::Result<()>, Failure> {
        let mut out = io::stdout().lock();
        Ok(match self {
            Self::Screen(screen) => {
                let frame = screen.frame(&table(&read(answer)?), size());
                out.write_all(frame.as_bytes()).and_then(|()| out.flush())
            }
            Self::Lines { is_missing } => {
                *is_missing = false;
                let lines = lines(&read(answer)?, &rfc3339(clock::now()));
                out.write_all(lines.as_bytes())
            }
            Self::Json { is_missing } => {
                *is_missing = false;
                writeln!(out, "{answer}")
            }
        })
    }

    /// Says, once, that no answer came.
    fn miss(&mut self, failure: &Failure) -> io::Result<()> {
        match self {
            Self::Screen(screen) => {
                let mut out = io::stdout().lock();
                let frame = screen.frame(&failure.to_string(), size());
                out.write_all(frame.as_bytes()).and_then(|()| out.flush())
            }
            Self::Lines { is_missing } | Self::Json { is_missing } => {
                if !std::mem::replace(is_missing, true) {
                    let _ = writeln!(io::stderr(), "lookback: {failure}");
                }
                Ok(())
            }
        }
    }
}

/// What stands on the terminal.
#[derive(Default)]
struct Screen {
    /// Lines from the first to the cursor.
    lines: usize,
}

impl Screen {
    /// What draws the text over the one before. It is cut to the terminal: lines that are broken in two
    /// could not be counted.
    fn frame(&mut self, text: &str, (columns, rows): (usize, usize)) -> String {
        let up = std::mem::take(&mut self.lines);
        let mut frame = match up {
            0 => String::new(),
            up => format!("\x1b[{up}F"),
        };
        // The cursor stands below the last line.
        for line in text.lines().take(rows.saturating_sub(1)) {
            let line: String = line.chars().take(columns).collect();
            let _ = write!(frame, "{line}\x1b[K\r\n");
            self.lines += 1;
        }
        frame + "\x1b[J"
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or((80, 24), |(columns, rows)| {
        (usize::from(columns.0), usize::from(rows.0))
    })
}

fn lines(status: &Status, time: &str) -> String {
    let mut lines = String::new();
    for channel in &status.channels {
        let name = &channel.name;
        let _ = write!(lines, "{time} channel {name}: {}", channel.state);
        if let Some(window) = &channel.window {
            let (back, memory) = (length(window.duration_s), mebibytes(window.bytes));
            let _ = write!(lines, ", {back} back, {memory}");
        }
        lines.push('\n');
        for problem in &channel.problems {
            let (code, count, hint) = (&problem.code, problem.count, &problem.hint);
            let _ = writeln!(
                lines,
                "{time} channel {name}: {code} ({count} times): {hint}"
            );
        }
    }
    for deck in &status.decks {
        let _ = writeln!(lines, "{time} {}", line(deck));
    }
    if status.obs.state != "off" {
        let _ = writeln!(lines, "{time} {}", obs_line(&status.obs));
    }
    for problem in &status.obs.problems {
        let (code, count, hint) = (&problem.code, problem.count, &problem.hint);
        let _ = writeln!(lines, "{time} OBS: {code} ({count} times): {hint}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::tests::ANSWER;
    use super::*;

    #[test]
    fn each_is_drawn_over_the_one_before() {
        let mut screen = Screen::default();
        let size = (10, 4);
        assert_eq!(screen.frame("a\nb", size), "a\x1b[K\r\nb\x1b[K\r\n\x1b[J");
        assert_eq!(screen.frame("c", size), "\x1b[2Fc\x1b[K\r\n\x1b[J");
        assert_eq!(
            screen.frame("ÄÖÜ4567890xyz\n2\n3\n4\n5", size),
            "\x1b[1FÄÖÜ4567890\x1b[K\r\n2\x1b[K\r\n3\x1b[K\r\n\x1b[J",
            "what does not fit is cut"
        );
        assert!(screen.frame("", size).starts_with("\x1b[3F"));
    }

    #[test]
    fn each_thing_has_a_line_with_the_time() {
        let status = read(ANSWER).unwrap_or_else(|error| panic!("{error}"));
        let lines = lines(&status, "T");
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(
            lines,
            [
                "T channel main: recording, 1:02:03 back, 1.0 MiB",
                "T channel main: second_source (2 times): give it a channel",
                "T channel cam2: waiting",
                "T deck main: playing, at 3.2 of 30.0 s",
                "T OBS 29.0.2: connected, shows Game, records",
                "T OBS: long_gop (1 times): set it shorter",
            ]
        );
    }
}
