//! A bad link between a client and the server: slow, standing still, or cut off, whenever a test says so.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What becomes of the bytes from the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Free,
    /// All connections together get so many bytes a second.
    Slow(u32),
    /// Nothing comes, and nobody is told why.
    Stalled,
    /// All connections break off, and new ones too.
    Cut,
}

/// Listens in the place of a server, and passes everything on.
pub(crate) struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    way: Way,
    /// When the next bytes may go over a slow link.
    free_at: Instant,
    is_over: bool,
}

/// Bytes that go at a time.
const PIECE: usize = 4 << 10;

impl Link {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has one");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                way: Way::Free,
                free_at: Instant::now(),
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.lock().is_over {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.pass_on(client, server));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn becomes(&self, way: Way) {
        self.shared.lock().way = way;
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.becomes(Way::Cut);
        // Who accepts looks up.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, client: TcpStream, server: SocketAddr) {
        if self.lock().way == Way::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(server) else {
            return;
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = io::copy(&mut &client, &mut &server);
                let _ = server.shutdown(Shutdown::Write);
            });
            let _ = self.bring(&server, &client);
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        });
    }

    /// Brings what the server says, as the link is at the time.
    fn bring(&self, mut server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
        // So that a link that is cut is noticed while nothing comes.
        server.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut piece = [0; PIECE];
        loop {
            let len = match server.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(len) => len,
                Err(error) if is_time_out(&error) => 0,
                Err(error) => return Err(error),
            };
            if !self.may_go(len) {
                return Ok(());
            }
            client.write_all(&piece[..len])?;
        }
    }

    /// Waits until so many bytes may go; not if the link is cut.
    fn may_go(&self, len: usize) -> bool {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state = match state.way {
                Way::Cut => return false,
                Way::Free => return true,
                _ if len == 0 => return true,
                Way::Stalled => self.wait(state, Duration::from_secs(1)),
                Way::Slow(_) if state.free_at > now => {
                    let pause = state.free_at - now;
                    self.wait(state, pause)
                }
                Way::Slow(rate) => {
                    state.free_at = now + Duration::from_secs_f64(len as f64 / f64::from(rate));
                    return true;
                }
            };
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, pause: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, pause);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn is_time_out(error: &io::Error) -> bool {
    use io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
