//! A plain HTTP/1.1 client, one connection for each request, that shows what is on the wire: no
//! redirect is followed and no header is added but `Host` and `Connection`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::DEADLINE;

pub(crate) struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(crate) fn get(path: &str) -> Request {
    Request {
        method: "GET",
        path: path.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn head(path: &str) -> Request {
    Request {
        method: "HEAD",
        ..get(path)
    }
}

pub(crate) fn delete(path: &str) -> Request {
    Request {
        method: "DELETE",
        ..get(path)
    }
}

pub(crate) fn post(path: &str, json: &Value) -> Request {
    with_json("POST", path, json)
}

pub(crate) fn patch(path: &str, json: &Value) -> Request {
    with_json("PATCH", path, json)
}

fn with_json(method: &'static str, path: &str, json: &Value) -> Request {
    let request = Request {
        method,
        body: json.to_string().into_bytes(),
        ..get(path)
    };
    let length = request.body.len().to_string();
    request
        .header("Content-Type", "application/json")
        .header("Content-Length", &length)
}

/// What any page can make a browser send without asking first.
pub(crate) fn post_form(path: &str, body: &str) -> Request {
    let request = Request {
        method: "POST",
        body: body.as_bytes().to_vec(),
        ..get(path)
    };
    let length = body.len().to_string();
    request
        .header("Content-Type", "text/plain")
        .header("Content-Length", &length)
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn send(&self, server: SocketAddr) -> Response {
        self.try_send(server)
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }

    fn try_send(&self, server: SocketAddr) -> io::Result<Response> {
        let stream = self.begin(server)?;
        Response::read(BufReader::new(stream), self.method == "HEAD")
    }

    /// Sends it, and leaves the answer where it is.
    pub(crate) fn begin(&self, server: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nConnection: close\r\n",
            self.method, self.path
        );
        if !self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            head.push_str(&format!("Host: {server}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(&[head.as_bytes(), &self.body].concat())?;
        Ok(stream)
    }
}

pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Response {
    fn read(mut stream: BufReader<TcpStream>, head_only: bool) -> io::Result<Self> {
        let status = line(&mut stream)?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut headers = Vec::new();
        loop {
            let header = line(&mut stream)?;
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let status = status.ok_or_else(|| io::Error::other("no status line"))?;
        let mut response = Self {
            status,
            headers,
            body: Body {
                stream,
                left: Left::UntilClose,
            },
        };
        response.body.left = if head_only {
            Left::Bytes(0)
        } else if response.header("transfer-encoding") == Some("chunked") {
            Left::Chunk(0)
        } else {
            response
                .content_length()
                .map_or(Left::UntilClose, Left::Bytes)
        };
        Ok(response)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header("content-length")
            .and_then(|length| length.parse().ok())
    }

    /// The body as it comes.
    pub(crate) fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The same, to be read elsewhere.
    pub(crate) fn into_body(self) -> Body {
        self.body
    }

    /// The whole body. One that ends before its announced length fails the test.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.body.read_to_end(&mut bytes).expect("a whole body");
        bytes
    }

    pub(crate) fn text(self) -> String {
        String::from_utf8(self.bytes()).expect("text")
    }

    pub(crate) fn json(self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
    }
}

pub(crate) struct Body {
    stream: BufReader<TcpStream>,
    left: Left,
}

enum Left {
    Bytes(u64),
    /// What is left of the current chunk.
    Chunk(u64),
    UntilClose,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if matches!(self.left, Left::Chunk(0)) {
            self.left = match u64::from_str_radix(&line(&mut self.stream)?, 16) {
                Ok(0) => Left::Bytes(0),
                Ok(length) => Left::Chunk(length),
                Err(error) => return Err(io::Error::other(error)),
            };
        }
        let left = match self.left {
            Left::Bytes(left) | Left::Chunk(left) => left,
            Left::UntilClose => u64::MAX,
        };
        let read = (&mut self.stream).take(left).read(buffer)?;
        if read == 0 && left > 0 && left < u64::MAX && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &mut self.left {
            Left::Bytes(left) => *left -= read as u64,
            Left::Chunk(left) => {
                *left -= read as u64;
                if *left == 0 {
                    line(&mut self.stream)?;
                }
            }
            Left::UntilClose => {}
        }
        Ok(read)
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok(line)
}
