//! A connection to obs-websocket, by its protocol 5.x (RPC version 1, JSON).
//!
//! One task owns the socket. [`Connection`] is a handle on it that can be cloned and asked from many
//! places at once; [`Events`] is what OBS tells unasked, in order. Every request ends within
//! [`REQUEST_TIME`], whatever OBS does. When the socket closes, requests answer [`Refusal::Lost`] and the
//! events end; when all handles are dropped, the socket closes. A lost connection stays lost: whoever
//! wants another opens one.

use std::collections::HashMap;
use std::ops::BitOr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::password::{Password, VARIABLE};
use super::studio::Studio;
use crate::settings::Endpoint;

/// How long OBS may take for one request. It answers many of them on the thread that draws its windows,
/// which can stand still for seconds while a profile is loaded.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(15);

/// How long it may take to connect, and to say hello.
const OPEN_TIME: Duration = Duration::from_secs(5);

/// Between two attempts while OBS is not ready.
const READY_INTERVAL: Duration = Duration::from_millis(100);

/// Requests that wait to be sent.
const REQUESTS_MAX: usize = 64;

/// Events that nobody has taken yet. Who lets more gather has lost track of OBS, and loses the
/// connection as well rather than some of them.
const EVENTS_MAX: usize = 4096;

/// A handle on a connection to OBS.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    requests: mpsc::Sender<Request>,
}

/// What OBS tells unasked; it ends when the connection does.
pub(crate) type Events = mpsc::Receiver<Event>;

/// Something that has happened in OBS.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Event {
    /// Its name, such as `RecordStateChanged`.
    #[serde(rename = "eventType")]
    pub(crate) kind: String,
    /// What there is to know of it; null where there is nothing.
    #[serde(rename = "eventData", default)]
    pub(crate) data: Value,
}

/// Which events OBS is to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Subscriptions(u32);

impl Subscriptions {
    pub(crate) const NONE: Self = Self(0);
    /// `ExitStarted`, `VendorEvent` aside, and `CustomEvent`.
    pub(crate) const GENERAL: Self = Self(1);
    /// Profiles and scene collections.
    pub(crate) const CONFIG: Self = Self(1 << 1);
    pub(crate) const SCENES: Self = Self(1 << 2);
    pub(crate) const TRANSITIONS: Self = Self(1 << 4);
    pub(crate) const OUTPUTS: Self = Self(1 << 6);
    pub(crate) const MEDIA: Self = Self(1 << 8);
    /// Studio mode.
    pub(crate) const UI: Self = Self(1 << 10);
}

impl BitOr for Subscriptions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Nothing listens there.
    #[error(
        "no OBS answers at {address} ({reason}): is OBS running, and is Tools > WebSocket Server \
         Settings > Enable WebSocket server ticked there, with this port?"
    )]
    Unreachable { address: Endpoint, reason: String },
    /// Something listens there, and speaks something else.
    #[error(
        "what answers at {address} is not obs-websocket 5 ({reason}): it comes with OBS 28 and later, and \
         its port stands in Tools > WebSocket Server Settings"
    )]
    Foreign { address: Endpoint, reason: String },
    /// OBS wants a password, and there is none.
    #[error(
        "OBS at {address} asks for its password: put it into a file and name it with --password-file, or \
         set {VARIABLE}; OBS shows it in Tools > WebSocket Server Settings > Show Connect Info"
    )]
    PasswordNeeded { address: Endpoint },
    /// The password is not the one that OBS has.
    #[error(
        "OBS at {address} does not take this password: the right one stands in Tools > WebSocket Server \
         Settings > Show Connect Info"
    )]
    PasswordWrong { address: Endpoint },
    /// OBS has hung up.
    #[error("OBS at {address} has closed the connection ({reason})")]
    Lost { address: Endpoint, reason: String },
}

/// Why a request has no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// OBS says no.
    #[error("OBS refuses {request}: {comment} ({code})")]
    Refused {
        request: String,
        /// The protocol's `RequestStatus`.
        code: u16,
        comment: String,
    },
    /// OBS was busy for all of the time that a request has.
    #[error(
        "OBS is not ready for {request}: it loads a scene collection or waits for an answer in a window"
    )]
    NotReady { request: String },
    /// OBS said nothing in all of the time that a request has.
    #[error("OBS does not answer {request}: does it wait for an answer in a window?")]
    TimedOut { request: String },
    /// There is no connection any more.
    #[error("OBS has gone")]
    Lost,
    /// OBS answered what the protocol does not know.
    #[error("OBS answers {request} with something else ({reason})")]
    Unreadable { request: String, reason: String },
}

impl Refusal {
    /// The protocol's number for why, if OBS itself has refused.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NotReady { .. } => Some(NOT_READY),
            _ => None,
        }
    }

    /// Whether what was asked about is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(NOT_FOUND)
    }
}

/// `RequestStatus::NotReady`.
const NOT_READY: u16 = 207;

/// `RequestStatus::ResourceNotFound`.
const NOT_FOUND: u16 = 600;

/// `WebSocketCloseCode::AuthenticationFailed`.
const AUTHENTICATION_FAILED: u16 = 4009;

#[derive(Debug)]
struct Request {
    kind: String,
    data: Value,
    answer: oneshot::Sender<Status>,
}

impl Connection {
    /// Connects, and shows the password if OBS wants one.
    pub(crate) async fn open(
        address: &Endpoint,
        password: Option<&Password>,
        subscriptions: Subscriptions,
    ) -> Result<(Self, Events), OpenError> {
        let stream = timeout(OPEN_TIME, connect(address)).await;
        let stream = stream
            .unwrap_or_else(|_| Err("it takes too long".to_owned()))
            .map_err(|reason| OpenError::Unreachable {
                address: address.clone(),
                reason,
            })?;
        let identified = timeout(
            OPEN_TIME,
            identify(stream, address, password, subscriptions),
        );
        let socket = identified.await.unwrap_or_else(|_| {
            Err(OpenError::Foreign {
                address: address.clone(),
                reason: "it says nothing".to_owned(),
            })
        })?;
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        let (told, events) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(run(socket, asked, told));
        Ok((Self { requests }, events))
    }

    /// Asks once, until `deadline`.
    async fn attempt(&self, kind: &str, data: Value, deadline: Instant) -> Result<Status, Refusal> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            kind: kind.to_owned(),
            data,
            answer,
        };
        let exchange = async {
            self.requests
                .send(request)
                .await
                .map_err(|_| Refusal::Lost)?;
            answered.await.map_err(|_| Refusal::Lost)
        };
        timeout_at(deadline, exchange).await.unwrap_or_else(|_| {
            Err(Refusal::TimedOut {
                request: kind.to_owned(),
            })
        })
    }
}

impl Studio for Connection {
    /// Asks, and asks again while OBS is not ready.
    async fn ask(&self, request: &str, data: Value) -> Result<Value, Refusal> {
        let deadline = Instant::now() + REQUEST_TIME;
        loop {
            let status = self.attempt(request, data.clone(), deadline).await?;
            match status.request_status {
                Verdict { result: true, .. } => return Ok(status.response_data),
                Verdict {
                    code: NOT_READY, ..
                } if Instant::now() + READY_INTERVAL < deadline => {
                    sleep(READY_INTERVAL).await;
                }
                Verdict {
                    code: NOT_READY, ..
                } => {
                    return Err(Refusal::NotReady {
                        request: request.to_owned(),
                    });
                }
                Verdict { code, comment, .. } => {
                    return Err(Refusal::Refused {
                        request: request.to_owned(),
                        code,
                        comment: comment.unwrap_or_else(|| "it does not say why".to_owned()),
                    });
                }
            }
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(address: &Endpoint) -> Result<TcpStream, String> {
    let stream = TcpStream::connect((address.host(), address.port()))
        .await
        .map_err(|error| error.to_string())?;
    // Requests are small and each is waited for.
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    Ok(stream)
}

/// A message of the protocol.
#[derive(Deserialize)]
struct Envelope {
    op: u8,
    #[serde(default)]
    d: Value,
}

const HELLO: u8 = 0;
const IDENTIFY: u8 = 1;
const IDENTIFIED: u8 = 2;
const EVENT: u8 = 5;
const REQUEST: u8 = 6;
const RESPONSE: u8 = 7;

#[derive(Deserialize)]
struct Hello {
    authentication: Option<Challenge>,
}

#[derive(Deserialize)]
struct Challenge {
    challenge: String,
    salt: String,
}

/// A response.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    request_id: String,
    request_status: Verdict,
    #[serde(default)]
    response_data: Value,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    result: bool,
    code: u16,
    comment: Option<String>,
}

/// From the upgrade to the moment when OBS takes requests.
async fn identify(
    stream: TcpStream,
    address: &Endpoint,
    password: Option<&Password>,
    subscriptions: Subscriptions,
) -> Result<Socket, OpenError> {
    let foreign = |reason: String| OpenError::Foreign {
        address: address.clone(),
        reason,
    };
    let mut request = format!("ws://{address}/")
        .into_client_request()
        .map_err(|error| foreign(error.to_string()))?;
    request.headers_mut().insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static("obswebsocket.json"),
    );
    let (mut socket, _) = client_async(request, stream)
        .await
        .map_err(|error| foreign(error.to_string()))?;
    let hello = receive(&mut socket)
        .await
        .map_err(|end| foreign(end.reason))?;
    if hello.op != HELLO {
        return Err(foreign("it does not say hello".to_owned()));
    }
    let hello: Hello =
        serde_json::from_value(hello.d).map_err(|error| foreign(error.to_string()))?;
    let mut identify = json!({"rpcVersion": 1, "eventSubscriptions": subscriptions.0});
    if let Some(Challenge { challenge, salt }) = &hello.authentication {
        let password = password.ok_or_else(|| OpenError::PasswordNeeded {
            address: address.clone(),
        })?;
        identify["authentication"] = password.answer(salt, challenge).into();
    }
    let lost = |reason: String| OpenError::Lost {
        address: address.clone(),
        reason,
    };
    send(&mut socket, IDENTIFY, identify)
        .await
        .map_err(|error| lost(error.to_string()))?;
    match receive(&mut socket).await {
        Ok(Envelope { op: IDENTIFIED, .. }) => Ok(socket),
        Ok(_) => Err(foreign("it does not let us in".to_owned())),
        Err(End { code, .. }) if code == Some(AUTHENTICATION_FAILED) => {
            Err(OpenError::PasswordWrong {
                address: address.clone(),
            })
        }
        Err(End { reason, .. }) => Err(lost(reason)),
    }
}

/// Owns the socket until one of its ends has had enough.
async fn run(
    mut socket: Socket,
    mut requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<Event>,
) {
    let mut waiting: HashMap<String, oneshot::Sender<Status>> = HashMap::new();
    let mut number = 0_u64;
    loop {
        tokio::select! {
            request = requests.recv() => {
                let Some(request) = request else { break };
                number += 1;
                let id = number.to_string();
                // Those who have stopped waiting are not answered.
                waiting.retain(|_, answer| !answer.is_closed());
                waiting.insert(id.clone(), request.answer);
                let body = json!({"requestType": request.kind, "requestId": id, "requestData": request.data});
                let sent = timeout(REQUEST_TIME, send(&mut socket, REQUEST, body)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
            message = receive(&mut socket) => match message {
                Ok(Envelope { op: RESPONSE, d }) => {
                    let Ok(status) = serde_json::from_value::<Status>(d) else { continue };
                    if let Some(answer) = waiting.remove(&status.request_id) {
                        // It may have stopped waiting just now.
                        let _ = answer.send(status);
                    }
                }
                Ok(Envelope { op: EVENT, d }) => {
                    let Ok(event) = serde_json::from_value(d) else { continue };
                    if let Err(mpsc::error::TrySendError::Full(_)) = events.try_send(event) {
                        tracing::warn!("events of OBS are not taken: the connection is given up");
                        break;
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            },
        }
    }
    // The other end may be gone already.
    let _ = timeout(OPEN_TIME, socket.close(None)).await;
}

async fn send(socket: &mut Socket, op: u8, d: Value) -> Result<(), tungstenite::Error> {
    socket
        .send(Message::text(json!({"op": op, "d": d}).to_string()))
        .await
}

/// How a connection ends.
struct End {
    code: Option<u16>,
    reason: String,
}

impl End {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            code: None,
            reason: reason.into(),
        }
    }
}

/// The next message. Those that are none of the protocol's end the connection.
async fn receive(socket: &mut Socket) -> Result<Envelope, End> {
    loop {
        return match socket.next().await {
            None => Err(End::new("without a word")),
            Some(Err(error)) => Err(End::new(error.to_string())),
            Some(Ok(Message::Close(frame))) => Err(frame.map_or_else(
                || End::new("without a word"),
                |CloseFrame { code, reason }| End {
                    reason: match reason.is_empty() {
                        true => format!("code {code}"),
                        false => reason.to_string(),
                    },
                    code: Some(CloseCode::into(code)),
                },
            )),
            Some(Ok(Message::Text(text))) => {
                serde_json::from_str(&text).map_err(|error| End::new(error.to_string()))
            }
            // Pings are answered below us.
            Some(Ok(_)) => continue,
        };
    }
}

#[cfg(test)]
mod tests;
