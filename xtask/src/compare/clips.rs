//! How long it takes to make a clip.
//!
//! From outside only whole requests can be timed. What a request costs that does nothing is taken
//! off, so what is left is the clip, with the reading of the request's JSON and the writing of the
//! answer's.

use std::time::Instant;

use super::client::Client;
use super::report::{Row, median};
use super::server::JSON;
use super::serving::full_lookback;
use super::{ROUNDS, Setting};
use crate::step::Result;

/// Requests of each kind in a round. The clips stay, as those that users make do.
const REQUESTS: usize = 50;

pub(crate) fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let lookback = full_lookback(setting)?;
    let mut client = Client::connect(lookback.address)?;
    let [mut nothing, mut short, mut long] = [(); 3].map(|()| Vec::new());
    for _ in 0..ROUNDS {
        nothing.push(time_ms(&mut client, "GET /healthz", "", "")?);
        short.push(time_ms(&mut client, MAKE, JSON, "{\"last\": \"1s\"}")?);
        long.push(time_ms(&mut client, MAKE, JSON, "{}")?);
    }
    let nothing = median(nothing.into_iter());
    let row = |what: &str, rounds: Vec<f64>| {
        let request = median(rounds.into_iter());
        let made = (request - nothing).max(0.0);
        let note = format!("the request {request:.3} ms, one that does nothing {nothing:.3} ms");
        Row::bounded(
            what,
            format!("{made:.3} ms"),
            &note,
            "under 0.100 ms",
            made < 0.1,
        )
    };
    Ok(vec![
        row("clip of 1 s: made in", short),
        row("clip of all 512 MiB: made in", long),
    ])
}

const MAKE: &str = "POST /api/v1/clips";

/// The median of some requests on one connection.
fn time_ms(client: &mut Client, line: &str, headers: &str, body: &str) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let started = Instant::now();
        let head = client.ask(line, headers, body)?;
        client.body(&head, |_| {})?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times.into_iter()))
}
