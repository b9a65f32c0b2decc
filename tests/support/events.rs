//! What the server tells on its WebSocket.

use std::net::TcpStream;

use serde_json::Value;
use tungstenite::{Message, WebSocket};

use super::DEADLINE;
use super::server::Server;

pub(crate) struct Events(WebSocket<TcpStream>);

impl Events {
    /// Listens from now on.
    pub(crate) fn of(server: &Server) -> Self {
        let address = server.url("").replace("http://", "");
        let stream = TcpStream::connect(&address).expect("it listens");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket takes a time-out");
        let (socket, _) = tungstenite::client(format!("ws://{address}/api/v1/events"), stream)
            .unwrap_or_else(|error| panic!("no WebSocket: {error}"));
        Self(socket)
    }

    /// The next event that somebody caused; a silence fails the test.
    pub(crate) fn next(&mut self) -> Value {
        loop {
            let event = self.next_of_all();
            if event["type"] != "snapshot" && event["type"] != "status" {
                return event;
            }
        }
    }

    /// The next event, also where it tells what is recorded.
    pub(crate) fn next_of_all(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().expect("it goes on") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}
