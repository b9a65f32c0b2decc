//! Chromium, which plays a video on a page of the test's own.
//!
//! lookback does not talk to pages of other sites. So the page, and the video on it, come from a server of
//! the test's own, which passes requests for the video on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use lookback_testcard::read_counter;
use serde_json::Value;

use super::http;
use super::process::Process;
use super::server::Server;
use super::{DEADLINE, text};

/// What a browser made of a video.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) error: Option<String>,
    pub(crate) duration: f64,
    pub(crate) width: usize,
    /// The number of the first picture, if it is one of the card, and of the one that it was sent to.
    pub(crate) first: Option<u64>,
    pub(crate) sought: Option<u64>,
    /// Where it played, after it had been sent to the last third.
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// Lets the browser load the video at a path of the server, seek and play.
pub(crate) fn play(server: &Server, folder: &Path, path: &str) -> Played {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let (sender, told) = channel();
    let profile = folder.join("chromium");
    let mut command = command(folder, &profile);
    command.arg(format!("http://{address}/?{path}"));
    thread::scope(|scope| {
        scope.spawn(|| serve(&listener, server, &sender));
        let chromium = Process::start("chromium", folder, &mut command);
        let played = result(&told, &chromium);
        drop(chromium);
        // Ends the server, which waits for a request.
        let _ = TcpStream::connect(address).and_then(|mut stream| stream.write_all(b"END\r\n"));
        played
    })
}

/// Chromium without a screen, in a world that ends at `folder`.
pub(crate) fn command(folder: &Path, profile: &Path) -> Command {
    let mut command = Command::new("chromium");
    command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--mute-audio",
            "--no-first-run",
        ])
        .args([
            "--autoplay-policy=no-user-gesture-required",
            "--remote-debugging-port=0",
            // Names that are kept for tests (RFC 6761, 6.2) are this machine.
            "--host-resolver-rules=MAP *.test 127.0.0.1",
        ])
        .arg(format!("--user-data-dir={}", text(profile)))
        .env("HOME", folder)
        // What it leaves there when it is stopped goes with the test.
        .env("TMPDIR", folder);
    command
}

fn result(told: &Receiver<Value>, chromium: &Process) -> Played {
    let told = told
        .recv_timeout(DEADLINE)
        .unwrap_or_else(|_| panic!("chromium tells nothing: {}", chromium.log()));
    let seconds = |key: &str| told[key].as_f64().unwrap_or(f64::NAN);
    let picture = |key: &str| {
        let luma: Vec<u8> = serde_json::from_value(told[key].clone()).ok()?;
        read_counter(&luma, READ_WIDTH, READ_HEIGHT)
    };
    Played {
        error: told["error"].as_str().map(str::to_owned),
        duration: seconds("duration"),
        width: told["width"].as_u64().unwrap_or(0) as usize,
        first: picture("first"),
        sought: picture("sought"),
        from: seconds("from"),
        to: seconds("to"),
    }
}

/// Answers requests one after the other until one makes no sense.
fn serve(listener: &TcpListener, server: &Server, told: &Sender<Value>) {
    thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut line = String::new();
            let read = reader.read_line(&mut line);
            if line.starts_with("END") {
                break;
            }
            if read.is_ok() {
                scope.spawn(move || answer(&line, reader, stream, server, told));
            }
        }
    });
}

fn answer(
    line: &str,
    mut reader: BufReader<TcpStream>,
    mut stream: TcpStream,
    server: &Server,
    told: &Sender<Value>,
) {
    let mut words = line.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let (mut range, mut len) = (None, 0);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).is_err() || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "range" => range = Some(value.trim().to_owned()),
            "content-length" => len = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    // Whoever asked may have left already.
    let _ = match (method, path) {
        (Some("POST"), _) => {
            let mut body = vec![0; len];
            let read = reader.read_exact(&mut body);
            let result = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let _ = told.send(result);
            read.and_then(|()| stream.write_all(b"HTTP/1.1 204 OK\r\nConnection: close\r\n\r\n"))
        }
        (_, path) if path.starts_with("/clips/") || path.starts_with("/replays/") => {
            pass_on(path, range, &mut stream, server)
        }
        (_, path) if path.starts_with("/?") => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
            stream.write_all([head, PAGE].concat().as_bytes())
        }
        _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"),
    };
}

fn pass_on(
    path: &str,
    range: Option<String>,
    stream: &mut TcpStream,
    server: &Server,
) -> std::io::Result<()> {
    let request = http::get(path);
    let mut response = server.send(&match &range {
        Some(range) => request.header("Range", range),
        None => request,
    });
    let mut head = format!("HTTP/1.1 {} OK\r\nConnection: close\r\n", response.status);
    for name in [
        "content-type",
        "content-length",
        "content-range",
        "accept-ranges",
        "etag",
    ] {
        if let Some(value) = response.header(name) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    std::io::copy(response.body(), stream).map(drop)
}

/// The size in which the page tells of pictures.
const READ_WIDTH: usize = 320;
const READ_HEIGHT: usize = 180;

const PAGE: &str = r#"<!doctype html><video muted></video><script>
const video = document.querySelector("video");
let from = null, done = false, first = null, sought = null;
function picture(then) {
  video.requestVideoFrameCallback(() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 180];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 320, 180);
    const {data} = context.getImageData(0, 0, 320, 180);
    then(Array.from({length: 320 * 180}, (_, at) => Math.round(
      0.2126 * data[4 * at] + 0.7152 * data[4 * at + 1] + 0.0722 * data[4 * at + 2])));
  });
}
function tell(error) {
  if (done) return;
  done = true;
  fetch("/", {method: "POST", body: JSON.stringify({error, duration: video.duration,
    width: video.videoWidth, first, sought, from, to: video.currentTime})});
}
video.onerror = () => tell(`${video.error.code} ${video.error.message}`);
picture(seen => {
  first = seen;
  picture(seen => {
    sought = seen;
    from = video.currentTime;
    video.play().catch(error => tell(String(error)));
  });
  video.currentTime = video.duration * 2 / 3;
});
video.ontimeupdate = () => { if (from !== null && video.currentTime > from + 0.5) tell(null); };
video.src = location.search.slice(1);
</script>"#;
