//! Commands to a browser over a WebSocket: numbered, each answered by its number, with events in between. Chromium's DevTools
//! and WebDriver BiDi both talk like this.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::TcpStream;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::DEADLINE;

pub(crate) struct Remote {
    socket: RefCell<WebSocket<TcpStream>>,
    sent: Cell<u64>,
    answers: RefCell<HashMap<u64, Value>>,
}

impl Remote {
    /// A connection to `HOST:PORT`, at a path.
    pub(crate) fn connect(address: &str, path: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket takes a time-out");
        let (socket, _) = tungstenite::client(format!("ws://{address}{path}"), stream)
            .unwrap_or_else(|error| panic!("no WebSocket: {error}"));
        Self {
            socket: RefCell::new(socket),
            sent: Cell::new(0),
            answers: RefCell::default(),
        }
    }

    /// Sends a command, to a session if there is one, and gives its number.
    pub(crate) fn send(&self, method: &str, parameters: Value, session: Option<&str>) -> u64 {
        let id = self.sent.get() + 1;
        self.sent.set(id);
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let message = Message::text(command.to_string());
        self.socket
            .borrow_mut()
            .send(message)
            .expect("the browser listens");
        id
    }

    /// Waits for the answer to the command with this number, and hands on what happens meanwhile.
    #[track_caller]
    pub(crate) fn answer(&self, id: u64, mut happens: impl FnMut(Value)) -> Value {
        loop {
            if let Some(mut told) = self.answers.borrow_mut().remove(&id) {
                assert!(told["error"].is_null(), "{told}");
                return told["result"].take();
            }
            let message = self.socket.borrow_mut().read();
            let Message::Text(text) = message.expect("the browser answers") else {
                continue;
            };
            let told: Value = serde_json::from_str(&text).expect("JSON");
            match told["id"].as_u64() {
                Some(id) => drop(self.answers.borrow_mut().insert(id, told)),
                None => happens(told),
            }
        }
    }
}
