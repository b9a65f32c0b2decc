//! What it takes to get a clip out of the running program: to its first byte, and as a whole.
//!
//! The program is the real one, fed with the test card, and each request comes on a connection of its
//! own, as those of players do. The client is part of what is measured: to tell what of it is the
//! server's, see `cargo xtask compare`, where nginx serves the same bytes to the same client.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lookback_mpegts::Ticks;
use lookback_testcard::{Config, Stream, TestCard};

fn benches(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recording = folder.path().join("card.ts");
    write_card(&recording);
    let server = Server::start(&recording);
    let clip = server.clip();
    let len = fetch(server.address, &clip, Until::End);

    let mut group = c.benchmark_group("serve");
    group.bench_function("first byte", |b| {
        b.iter(|| fetch(server.address, &clip, Until::FirstByte));
    });
    group.throughput(Throughput::Bytes(len));
    group.bench_function("whole clip", |b| {
        b.iter(|| assert_eq!(fetch(server.address, &clip, Until::End), len));
    });
    group.finish();
}

/// A minute of pictures as large as they come.
fn write_card(path: &Path) {
    let config = Config {
        width: 1920,
        height: 1088,
        fps: 60,
        ..Config::default()
    };
    let card = TestCard::new(config).expect("there is such a card");
    let start = Ticks(Ticks::SECOND.0 * 10);
    let mut file = BufWriter::new(File::create(path).expect("the folder takes files"));
    Stream::new(card, 0, start)
        .take_while(|chunk| chunk.due < Ticks(Ticks::SECOND.0 * 60))
        .for_each(|chunk| file.write_all(&chunk.bytes).expect("there is room"));
    file.flush().expect("there is room");
}

/// The program, which ends with this value.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts it on a port of its own choice, and waits until it has read the recording.
    fn start(recording: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lookback"))
            .args(["--listen", "127.0.0.1:0", "--log", "error", "--input"])
            .arg(recording)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it was asked for"))
            .read_line(&mut line)
            .expect("the program says that it listens");
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        let server = Self {
            process,
            address: address.unwrap_or_else(|| panic!("where it listens: {line:?}")),
        };
        server.wait_for(recording.metadata().expect("it was written").len());
        server
    }

    fn wait_for(&self, received: u64) {
        let line = format!("lookback_received_bytes_total{{channel=\"main\"}} {received}\n");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.answer("GET", "/metrics").contains(&line) {
            assert!(Instant::now() < deadline, "the recording is not read");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes a clip of all there is, and gives its path.
    fn clip(&self) -> String {
        let answer = self.answer("POST", "/api/v1/clips");
        let location = answer
            .lines()
            .find_map(|line| line.strip_prefix("location: "));
        location
            .unwrap_or_else(|| panic!("no clip: {answer}"))
            .to_owned()
    }

    fn answer(&self, method: &str, path: &str) -> String {
        let mut answer = String::new();
        send(self.address, method, path)
            .read_to_string(&mut answer)
            .expect("an answer in text");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Until {
    FirstByte,
    End,
}

/// Reads and drops an answer, and gives how many bytes of body came.
fn fetch(server: SocketAddr, path: &str, until: Until) -> u64 {
    let mut stream = send(server, "GET", path);
    let mut buffer = vec![0; 256 << 10];
    let mut head = 0;
    let mut body = loop {
        let len = stream.read(&mut buffer[head..]).expect("an answer");
        assert!(len > 0, "the answer breaks off");
        head += len;
        let end = buffer[..head].windows(4).position(|it| it == b"\r\n\r\n");
        match end.map(|end| head - end - 4) {
            Some(begun) if begun > 0 => break begun as u64,
            _ => {}
        }
    };
    assert!(buffer.starts_with(b"HTTP/1.1 200"), "the clip is there");
    if until == Until::FirstByte {
        return body;
    }
    loop {
        match stream.read(&mut buffer).expect("the rest of the answer") {
            0 => return body,
            len => body += len as u64,
        }
    }
}

fn send(server: SocketAddr, method: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).expect("it listens");
    let json = "Content-Type: application/json\r\nContent-Length: 0\r\n";
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{json}\r\n"
    )
    .expect("it reads");
    stream
}

criterion_group!(serve, benches);
criterion_main!(serve);
