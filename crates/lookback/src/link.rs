//! `lookback link`: the way to the page for another device, to be read by its camera off the terminal.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use crate::client::{self, Failure, ServerOptions};

/// What somebody with the link may do.
#[derive(Args, Debug)]
pub(crate) struct LinkOptions {
    /// For somebody who may look at everything and change nothing.
    #[arg(long)]
    view: bool,
    /// How the other device comes to this server, where that is not one of its addresses but a proxy, for one.
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    #[command(flatten)]
    server: ServerOptions,
}

/// Asks for the links, and shows them.
pub(crate) fn run(options: &LinkOptions) -> ExitCode {
    client::finish(ask(options))
}

/// The answer, as far as it is told.
#[derive(Deserialize)]
struct Answer {
    links: Vec<Link>,
    valid_s: u64,
}

#[derive(Deserialize)]
struct Link {
    access: String,
    url: String,
    qr: Vec<String>,
}

fn ask(options: &LinkOptions) -> Result<String, Failure> {
    let (endpoint, _) = client::place(&options.server)?;
    let asked = options
        .origin
        .as_deref()
        .map(|origin| origin.trim_end_matches('/').to_owned());
    let origin = client::escaped(&asked.unwrap_or_else(|| format!("http://{endpoint}")));
    let path = format!("/api/v1/links?origin={origin}");
    let answer = client::get(&options.server, &path)?;
    if options.server.json {
        return Ok(answer);
    }
    let Answer { links, valid_s } = serde_json::from_str(&answer).map_err(Failure::unreadable)?;
    let told = told(&links, options.view).map_err(|why| Failure::mistake(why.to_owned()))?;
    Ok(format!("{told}\n\nvalid for {} minutes", valid_s / 60))
}

/// The first as a code; the others lead to the same by other addresses of the machine.
fn told(links: &[Link], view: bool) -> Result<String, &'static str> {
    let access = if view { "view" } else { "full" };
    let mut wanted = links.iter().filter(|link| link.access == access);
    let Some(Link { url, qr, .. }) = wanted.next() else {
        return Err(match links.is_empty() {
            true => {
                "no other device reaches this lookback: start it with --listen 0.0.0.0:1688 and --token-file FILE"
            }
            false => "nobody may only look at this lookback: start it with --view-token-file FILE",
        });
    };
    let others: String = wanted.map(|link| format!("\n{}", link.url)).collect();
    let others = match others.is_empty() {
        true => others,
        false => format!("\n\nby other addresses of that machine:{others}"),
    };
    Ok(format!("{url}\n\n{}{others}", drawn(qr)))
}

/// Squares without anything in them, which a camera wants around the code.
const MARGIN: usize = 4;

/// Two rows of squares on each line. The light ones are drawn, which terminals that are dark need; cameras read
/// codes of light on dark as well as of dark on light.
fn drawn(rows: &[String]) -> String {
    let dark = |row: usize, column: usize| {
        let (row, column) = (row.checked_sub(MARGIN)?, column.checked_sub(MARGIN)?);
        let square = rows.get(row)?.as_bytes().get(column)?;
        Some(*square == b'1')
    };
    let size = rows.len() + 2 * MARGIN;
    let light = |row, column| row < size && !dark(row, column).unwrap_or(false);
    let square = |row, column| match (light(row, column), light(row + 1, column)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    let line = |row: usize| {
        (0..size)
            .map(|column| square(row, column))
            .chain(['\n'])
            .collect::<String>()
    };
    let lines: String = (0..size).step_by(2).map(line).collect();
    lines.trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(access: &str, url: &str) -> Link {
        Link {
            access: access.to_owned(),
            url: url.to_owned(),
            qr: vec!["10".to_owned(), "01".to_owned(), "11".to_owned()],
        }
    }

    #[test]
    fn two_rows_are_one_line_with_a_margin_around() {
        let rows = ["10", "01", "11"].map(str::to_owned);
        let lines = drawn(&rows);
        let lines: Vec<&str> = lines.lines().collect();
        let bright = "█".repeat(11);
        assert_eq!(
            lines,
            [
                &bright[..],
                &bright,
                "████▄▀█████",
                "████▄▄█████",
                &bright,
                &"▀".repeat(11)
            ]
        );
    }

    #[test]
    fn the_right_link_is_told_and_what_is_missing_where_there_is_none() {
        let both = [
            link("full", "http://a/#token=1"),
            link("view", "http://a/#token=2"),
            link("full", "http://b/#token=1"),
        ];
        let full = told(&both, false).expect("a link");
        assert!(full.starts_with("http://a/#token=1\n\n█"), "{full}");
        assert!(full.ends_with("that machine:\nhttp://b/#token=1"), "{full}");
        let view = told(&both, true).expect("a link");
        assert!(view.starts_with("http://a/#token=2\n"), "{view}");
        assert!(!view.contains("other addresses"), "{view}");
        let none = |links: &[Link]| told(links, true).expect_err("no link");
        assert!(none(&both[..1]).contains("--view-token-file"));
        assert!(none(&[]).contains("--listen"));
    }
}
