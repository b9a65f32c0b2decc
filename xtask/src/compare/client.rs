//! A client over HTTP/1.1 that reads and drops, the same for all servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::step::{Failure, Result};

/// As much as is read at a time: large enough for few calls, small enough to stay in the cache.
const BUFFER_LEN: usize = 256 << 10;

/// What an answer begins with.
pub(crate) struct Head {
    text: String,
    /// The most there is, where the server does not say how much it will be.
    pub(crate) body_len: u64,
    /// What of the body lies in the buffer already, behind the head.
    begun: std::ops::Range<usize>,
}

/// A connection and its buffer.
pub(crate) struct Client {
    server: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        Ok(Self {
            server,
            stream,
            buffer: vec![0; BUFFER_LEN],
        })
    }

    /// Connects anew, as players do for each request.
    pub(crate) fn again(&mut self) -> Result {
        self.stream = TcpStream::connect(self.server).map_err(broken)?;
        Ok(())
    }

    /// Sends a request and reads up to the first bytes of its answer's body; `headers` end with line
    /// breaks.
    pub(crate) fn ask(&mut self, line: &str, headers: &str, body: &str) -> Result<Head> {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).map_err(broken)?;
        let mut filled = 0;
        loop {
            filled += self.read_some(filled)?;
            let Some(head) = Head::find(&self.buffer[..filled])? else {
                continue;
            };
            if head.body_len == 0 || !head.begun.is_empty() {
                return Ok(head);
            }
        }
    }

    /// Reads the body to its end, and shows each piece to `look`.
    pub(crate) fn body(&mut self, head: &Head, mut look: impl FnMut(&[u8])) -> Result {
        look(&self.buffer[head.begun.clone()]);
        let mut left = head.body_len - head.begun.len() as u64;
        while left > 0 {
            let len = self.read_some(0)?;
            look(&self.buffer[..len]);
            left = left
                .checked_sub(len as u64)
                .ok_or_else(|| Failure::check("a body is longer than its length"))?;
        }
        Ok(())
    }

    /// A text, on the same connection.
    pub(crate) fn text(&mut self, path: &str) -> Result<String> {
        let head = self.ask(&format!("GET {path}"), "", "")?;
        let mut text = Vec::new();
        self.body(&head, |bytes| text.extend_from_slice(bytes))?;
        String::from_utf8(text).map_err(|_| Failure::check(format!("{path} is no text")))
    }

    fn read_some(&mut self, at: usize) -> Result<usize> {
        match self.stream.read(&mut self.buffer[at..]).map_err(broken)? {
            0 => Err(Failure::check("an answer breaks off")),
            len => Ok(len),
        }
    }
}

impl Head {
    /// The head of an answer that went well, if it is there as a whole.
    fn find(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        if !text.starts_with("HTTP/1.1 20") {
            let body = String::from_utf8_lossy(&bytes[end..]);
            return Err(Failure::check(format!("a server answered {text}{body}")));
        }
        let mut head = Self {
            text,
            body_len: 0,
            begun: end + 4..bytes.len(),
        };
        head.body_len = head
            .header("content-length")
            .and_then(|len| len.parse().ok())
            .unwrap_or(u64::MAX);
        Ok(Some(head))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

fn broken(error: std::io::Error) -> Failure {
    Failure::check(format!("a connection broke: {error}"))
}
