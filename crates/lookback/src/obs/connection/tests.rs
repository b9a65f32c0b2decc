//! With a small obs-websocket of the test's own at the other end.

use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server;

use super::*;

/// The other end: what a test makes of it, and where it listens.
struct Peer(Socket);

impl Peer {
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.expect("a client");
        // The type of the refusal is the library's.
        #[expect(clippy::result_large_err)]
        let choose = |request: &server::Request, mut response: server::Response| {
            let wanted = request.headers()[SEC_WEBSOCKET_PROTOCOL].clone();
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, wanted);
            Ok(response)
        };
        Self(accept_hdr_async(stream, choose).await.expect("a WebSocket"))
    }

    /// Greets without a password, and takes whoever comes.
    async fn welcome(listener: &TcpListener) -> Self {
        let mut peer = Self::accept(listener).await;
        let hello = json!({"obsWebSocketVersion": "5.1.0", "rpcVersion": 1});
        peer.send(json!({"op": 0, "d": hello})).await;
        assert_eq!(peer.receive().await["op"], 1);
        peer.send(json!({"op": 2, "d": {"negotiatedRpcVersion": 1}}))
            .await;
        peer
    }

    async fn send(&mut self, message: Value) {
        let text = Message::text(message.to_string());
        self.0.send(text).await.expect("a client");
    }

    async fn receive(&mut self) -> Value {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("no request: {other:?}"),
        }
    }

    /// Answers a request with the status `code`, and its own name as the comment and the data.
    async fn answer(&mut self, request: &Value, code: u16) {
        let request = &request["d"];
        self.send(json!({"op": 7, "d": {
            "requestType": request["requestType"], "requestId": request["requestId"],
            "requestStatus": {"result": code == 100, "code": code, "comment": request["requestType"]},
            "responseData": {"echo": request["requestType"]}}}))
        .await;
    }
}

async fn listen() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    (listener, address.parse().expect("an address"))
}

/// A connection, and its other end.
async fn connected() -> (Connection, Events, Peer) {
    let (listener, address) = listen().await;
    let (opened, peer) = tokio::join!(
        Connection::open(
            &address,
            None,
            Subscriptions::OUTPUTS | Subscriptions::SCENES
        ),
        Peer::welcome(&listener)
    );
    let (connection, events) = opened.expect("a welcome");
    (connection, events, peer)
}

#[tokio::test]
async fn answers_find_those_who_asked_and_events_keep_their_order() {
    let (connection, mut events, mut peer) = connected().await;
    let both = async {
        tokio::join!(
            connection.ask("First", json!({})),
            connection.ask("Second", json!({}))
        )
    };
    let answering = async {
        let (one, other) = (peer.receive().await, peer.receive().await);
        for kind in ["A", "B"] {
            peer.send(json!({"op": 5, "d": {"eventType": kind, "eventIntent": 64}}))
                .await;
        }
        peer.answer(&other, 100).await;
        peer.answer(&one, 100).await;
    };
    let ((first, second), ()) = tokio::join!(both, answering);
    assert_eq!(first, Ok(json!({"echo": "First"})));
    assert_eq!(second, Ok(json!({"echo": "Second"})));
    for kind in ["A", "B"] {
        let event = events.recv().await.expect("an event");
        assert_eq!((&*event.kind, event.data), (kind, Value::Null));
    }
}

#[tokio::test]
async fn a_refusal_says_what_and_why() {
    let (connection, _events, mut peer) = connected().await;
    let answering = async {
        let request = peer.receive().await;
        peer.answer(&request, 600).await;
    };
    let (answer, ()) = tokio::join!(connection.ask("SetThing", json!({})), answering);
    let refusal = answer.expect_err("a refusal");
    assert!(refusal.is_not_found());
    assert_eq!(refusal.to_string(), "OBS refuses SetThing: SetThing (600)");
}

#[tokio::test]
async fn it_asks_again_while_obs_is_not_ready() {
    let (connection, _events, mut peer) = connected().await;
    let answering = async {
        for code in [207, 207, 100] {
            let request = peer.receive().await;
            peer.answer(&request, code).await;
        }
    };
    let (answer, ()) = tokio::join!(connection.ask("GetThing", json!({})), answering);
    assert_eq!(answer, Ok(json!({"echo": "GetThing"})));
}

#[tokio::test]
async fn an_obs_that_says_nothing_is_not_waited_for_for_ever() {
    let (connection, _events, mut peer) = connected().await;
    let asking = tokio::spawn(async move { connection.ask("GetThing", json!({})).await });
    // Once the request is on its way nothing but the clock can go on.
    peer.receive().await;
    tokio::time::pause();
    let refusal = asking.await.expect("no panic").expect_err("no answer");
    assert!(matches!(refusal, Refusal::TimedOut { .. }), "{refusal}");
}

#[tokio::test]
async fn requests_and_events_end_with_the_connection() {
    let (connection, mut events, mut peer) = connected().await;
    let leaving = async {
        peer.receive().await;
        drop(peer);
    };
    let (answer, ()) = tokio::join!(connection.ask("GetThing", json!({})), leaving);
    assert_eq!(answer, Err(Refusal::Lost));
    assert_eq!(events.recv().await, None);
    assert_eq!(
        connection.ask("GetThing", json!({})).await,
        Err(Refusal::Lost)
    );
}

#[tokio::test]
async fn it_closes_when_nobody_holds_it_any_more() {
    let (connection, _events, mut peer) = connected().await;
    drop(connection);
    assert!(matches!(peer.0.next().await, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn what_is_not_obs_is_called_so() {
    let (listener, address) = listen().await;
    let answering = async {
        let (stream, _) = listener.accept().await.expect("a client");
        stream.writable().await.expect("a socket");
        let _ = stream.try_write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        stream
    };
    let (opened, _stream) = tokio::join!(
        Connection::open(&address, None, Subscriptions::NONE),
        answering
    );
    let error = opened.expect_err("no OBS");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn no_obs_leads_to_where_it_is_switched_on() {
    let (listener, address) = listen().await;
    drop(listener);
    let error = Connection::open(&address, None, Subscriptions::NONE)
        .await
        .expect_err("nobody there");
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains("Enable WebSocket server"),
        "{error}"
    );
}

/// What an OBS that wants a password makes of this one.
async fn with_password(password: Option<&Password>) -> Result<(Connection, Events), OpenError> {
    let (listener, address) = listen().await;
    let answering = async {
        let mut peer = Peer::accept(&listener).await;
        let challenge = json!({"salt": "salt", "challenge": "challenge"});
        let hello =
            json!({"obsWebSocketVersion": "5.1.0", "rpcVersion": 1, "authentication": challenge});
        peer.send(json!({"op": 0, "d": hello})).await;
        if let Some(Ok(Message::Text(text))) = peer.0.next().await {
            let identify: Value = serde_json::from_str(&text).expect("JSON");
            let right = Password::new("geheim").answer("salt", "challenge");
            if identify["d"]["authentication"] == right {
                peer.send(json!({"op": 2, "d": {"negotiatedRpcVersion": 1}}))
                    .await;
            } else {
                let code = CloseCode::from(AUTHENTICATION_FAILED);
                let reason = "Authentication failed.".into();
                let frame = CloseFrame { code, reason };
                peer.0.close(Some(frame)).await.expect("a client");
            }
        }
        peer
    };
    let opening = Connection::open(&address, password, Subscriptions::NONE);
    tokio::join!(opening, answering).0
}

#[tokio::test]
async fn a_password_is_shown_where_one_is_wanted() {
    let right = Password::new("geheim");
    assert!(with_password(Some(&right)).await.is_ok());
    let wrong = Password::new("falsch");
    let error = with_password(Some(&wrong)).await.expect_err("refused");
    assert!(matches!(error, OpenError::PasswordWrong { .. }), "{error}");
    let error = with_password(None).await.expect_err("refused");
    assert!(matches!(error, OpenError::PasswordNeeded { .. }), "{error}");
}
