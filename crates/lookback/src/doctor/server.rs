//! The server: whether one runs, whether one could, and what its channels record.

use std::io;
use std::net::TcpListener;

use super::finding::Finding;
use crate::client::{self, Failure, ServerOptions};
use crate::http::{ChannelStatus, Status};
use crate::settings::Endpoint;
use crate::source::{TCP_DEFAULT, usual_pipe};

const TITLE: &str = "lookback";

/// Asks the server. Where none answers, sees whether the port is free for one.
pub(super) fn look(options: &ServerOptions, endpoint: &Endpoint) -> (Option<Status>, Finding) {
    let answer = client::get(options, "/api/v1/status")
        .and_then(|answer| serde_json::from_str::<Status>(&answer).map_err(Failure::unreadable));
    match answer {
        Ok(status) => {
            let detail = format!("{} answers at {}", status.version, options.server);
            (Some(status), Finding::good(TITLE, detail))
        }
        Err(failure) if failure.is_absence() => (None, absent(endpoint, &occupy(endpoint))),
        Err(failure) => {
            let advice = "without it no command of lookback works with this server";
            (None, Finding::bad(TITLE, failure.to_string(), advice))
        }
    }
}

/// Where the recording of OBS is taken, as it stands in OBS's settings: by this server, or by one that is
/// started without a word.
pub(super) fn sources(status: Option<&Status>) -> Vec<String> {
    match status {
        Some(status) => {
            let inputs = status.inputs.iter();
            inputs.map(|input| input.source.clone()).collect()
        }
        None => vec![usual_pipe().display().to_string(), TCP_DEFAULT.to_owned()],
    }
}

/// What a channel of a running server records.
pub(super) fn channel(channel: &ChannelStatus) -> Finding {
    let title = format!("channel {}", channel.name);
    let window = channel.window.as_ref();
    let back = window.map_or(0.0, |window| window.duration_s);
    if !channel.problems.is_empty() {
        let codes = channel
            .problems
            .iter()
            .map(|it| format!("{} ({} times)", it.code, it.count));
        let codes: Vec<String> = codes.collect();
        let hints: Vec<&str> = channel.problems.iter().map(|it| &*it.hint).collect();
        return Finding::warning(title, codes.join(", "), hints.join("; "));
    }
    match (&*channel.state, &channel.video) {
        ("recording", Some(video)) => {
            let (codec, width, height) = (&video.codec, video.width, video.height);
            let detail = format!("records {codec} {width}x{height}, and reaches {back:.0} s back");
            Finding::good(title, detail)
        }
        ("recording", None) => Finding::warning(
            title,
            "records, but there is no picture in it",
            "choose a video encoder in OBS: Settings > Output > Recording",
        ),
        ("paused", _) => Finding::warning(
            title,
            "is paused: what comes in is not recorded",
            format!("POST /api/v1/channels/{}/resume", channel.name),
        ),
        (state, _) => Finding::warning(
            title,
            format!("is {state}: nothing comes in"),
            "press Start Recording in OBS",
        ),
    }
}

/// Whether the port can be had; it is let go at once.
pub(super) fn occupy(endpoint: &Endpoint) -> io::Result<()> {
    TcpListener::bind(endpoint.resolve()?).map(drop)
}

fn absent(endpoint: &Endpoint, port: &io::Result<()>) -> Finding {
    match port {
        Ok(()) => Finding::good(TITLE, format!("does not run; {endpoint} is free for it")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::bad(
            TITLE,
            format!("another program listens at {endpoint}"),
            "stop that program, or listen elsewhere: lookback --listen 127.0.0.1:1690",
        ),
        Err(error) => Finding::bad(
            TITLE,
            format!("nothing answers at {endpoint}, which is not of this machine ({error})"),
            "start lookback there, or name another with --server",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::thread;

    use serde_json::{Value, json};

    use super::super::finding::Verdict::{Bad, Good, Warning};
    use super::*;

    fn told(changes: &[(&str, Value)]) -> ChannelStatus {
        let mut channel = json!({"name": "main", "state": "recording", "source": "obs.ts", "runs": 1,
            "received_bytes": 1, "discarded_bytes": 0, "problems": [],
            "window": {"start": "", "end": "", "duration_s": 62.4, "bytes": 1},
            "video": {"codec": "hvc1", "width": 1920, "height": 1080, "fps": 60.0}, "audio": []});
        for (name, value) in changes {
            channel[*name] = value.clone();
        }
        serde_json::from_value(channel).expect("a channel")
    }

    #[test]
    fn a_channel_is_good_when_pictures_come() {
        let found = channel(&told(&[]));
        assert_eq!(found.verdict, Good);
        assert_eq!(
            found.detail,
            "records hvc1 1920x1080, and reaches 62 s back"
        );
        let problem = json!([{"code": "no_keyframe", "count": 3, "hint": "a shorter interval"}]);
        for (change, value, word) in [
            ("problems", problem, "no_keyframe (3 times)"),
            ("video", Value::Null, "no picture"),
            ("state", "paused".into(), "paused"),
            ("state", "waiting".into(), "waiting"),
            ("state", "silent".into(), "silent"),
        ] {
            let found = channel(&told(&[(change, value)]));
            assert_eq!(found.verdict, Warning, "{found:?}");
            assert!(found.detail.contains(word), "{found:?}");
        }
    }

    #[test]
    fn port_is_free_or_somebody_elses() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint: Endpoint = listener
            .local_addr()
            .expect("bound")
            .to_string()
            .parse()
            .expect("an address");
        let taken = absent(&endpoint, &occupy(&endpoint));
        assert_eq!(taken.verdict, Bad);
        assert!(taken.detail.contains("another program"), "{taken:?}");
        drop(listener);
        assert_eq!(absent(&endpoint, &occupy(&endpoint)).verdict, Good);
        let foreign = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let elsewhere = absent(&endpoint, &Err(foreign));
        assert_eq!(elsewhere.verdict, Bad);
        assert!(
            elsewhere.detail.contains("not of this machine"),
            "{elsewhere:?}"
        );
    }

    #[test]
    fn a_server_that_asks_for_its_token_is_not_taken_for_none() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut lines = BufReader::new(&stream).lines();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            stream
                .write_all(b"HTTP/1.1 401 Unauthorized\r\n\r\n")
                .expect("it reads");
        });
        let options = ServerOptions {
            server: format!("http://{address}"),
            token_file: None,
            json: false,
        };
        let (status, found) = look(&options, &address.parse().expect("an address"));
        answering.join().expect("no panic");
        assert!(status.is_none());
        assert_eq!(found.verdict, Bad);
        assert!(found.detail.contains("--token-file"), "{found:?}");
    }

    #[test]
    fn sources_are_those_of_the_server_or_the_usual_ones() {
        let status = json!({"version": "1", "decks": [], "channels": [],
            "memory": {"limit_bytes": 0, "used_bytes": 0, "held_bytes": 0, "index_bytes": 0},
            "inputs": [{"channel": "main", "source": "tcp://127.0.0.1:1700"}]});
        let status: Status = serde_json::from_value(status).expect("a status");
        assert_eq!(sources(Some(&status)), ["tcp://127.0.0.1:1700"]);
        let usual = sources(None);
        assert!(
            usual.len() == 2 && usual[1] == "tcp://127.0.0.1:1689",
            "{usual:?}"
        );
    }
}
