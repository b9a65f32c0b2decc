//! WebKit, the engine of Safari: its MiniBrowser, driven over WebDriver (W3C), on a screen that nobody sees.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::actions;
use super::http::{Request, get, post};
use super::process::Process;
use super::screen::Screen;
use super::window::{Place, Window, decoded};
use super::{eventually, folder, free_port, text};

/// Debian keeps it out of the search path.
const MINI_BROWSER: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

pub(crate) struct WebKit {
    address: SocketAddr,
    /// The path of the session that the driver has with the browser.
    session: String,
    _driver: Process,
    _browser: Process,
    _screen: Screen,
    folder: TempDir,
}

impl WebKit {
    #[track_caller]
    fn ask(&self, request: &Request) -> Value {
        let mut told = request.send(self.address).json();
        assert!(told["value"]["error"].is_null(), "{told}");
        told["value"].take()
    }

    #[track_caller]
    fn command(&self, name: &str, parameters: &Value) -> Value {
        self.ask(&post(&format!("{}/{name}", self.session), parameters))
    }

    /// What a mouse or a keyboard does, one thing after the other.
    fn act(&self, source: &str, actions: Vec<Value>) {
        let source = json!({"type": source, "id": source, "actions": actions});
        self.command("actions", &json!({"actions": [source]}));
    }
}

impl Window for WebKit {
    fn open(url: &str, (width, height): (u32, u32)) -> Self {
        let folder = folder();
        let screen = Screen::start(folder.path());
        let place = format!("127.0.0.1:{}", free_port());
        let browser = Process::start(
            "webkit",
            folder.path(),
            &mut browser(folder.path(), &screen, &place),
        );
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new("WebKitWebDriver");
        command.args([
            format!("--port={}", address.port()),
            format!("--target={place}"),
        ]);
        let driver = Process::start("webkit-driver", folder.path(), &mut command);
        eventually("both listen", || {
            TcpStream::connect(&place).ok()?;
            TcpStream::connect(address).ok()
        });
        let mut webkit = Self {
            address,
            session: "/session".to_owned(),
            _driver: driver,
            _browser: browser,
            _screen: screen,
            folder,
        };
        let begun = webkit.ask(&post(&webkit.session, &json!({"capabilities": {}})));
        let id = begun["sessionId"].as_str().expect("a session");
        webkit.session = format!("/session/{id}");
        webkit.resize(width, height);
        webkit.visit(url);
        webkit
    }

    fn visit(&self, url: &str) {
        // What differs behind the # alone would not load anything.
        for url in ["about:blank", url] {
            self.command("url", &json!({"url": url}));
        }
        self.eval(LISTEN);
    }

    fn resize(&self, width: u32, height: u32) {
        // The window has a bar above the page.
        let bar = self.eval("outerHeight - innerHeight").as_u64();
        let height = u64::from(height) + bar.expect("a height");
        let size = json!({"width": width, "height": height});
        let told = self.command("window/rect", &size);
        // It becomes no narrower than what is in its bar.
        let width = &told["width"];
        self.until(&format!(
            "innerWidth === {width} && outerHeight === {height}"
        ));
    }

    fn eval(&self, expression: &str) -> Value {
        let script = format!(
            "const told = arguments[0];
             (async () => ({expression}))().then(value => told({{value}}), error => told({{failed: String(error)}}))"
        );
        let mut told = self.command("execute/async", &json!({"script": script, "args": []}));
        assert!(told["failed"].is_null(), "{expression}: {}", told["failed"]);
        told["value"].take()
    }

    fn carry(&self, places: &[Place]) {
        let places = places.iter().map(|(x, y)| (x.round(), y.round()));
        self.act("pointer", actions::carry(places));
    }

    fn press(&self, key: &str) {
        self.insert(actions::character(key));
    }

    fn insert(&self, text: &str) {
        self.act("key", actions::write(text));
    }

    fn png(&self) -> Vec<u8> {
        // It waits for the page to be drawn anew, which one where nothing moves is not.
        let style = "document.documentElement.style.outlineOffset";
        self.eval(&format!(
            "void (window.drawn = setInterval(() => {style} = `${{Date.now() % 2}}px`, 20))"
        ));
        let png = self.ask(&get(&format!("{}/screenshot", self.session)));
        self.eval(&format!("clearInterval(window.drawn), {style} = '', null"));
        decoded(png.as_str().expect("a picture"))
    }

    fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    fn complaints(&self) -> Vec<String> {
        let told = self.eval("window.complaints.splice(0)");
        serde_json::from_value(told).expect("a list of texts")
    }
}

/// Notes from now on what the page has to complain of: the browser itself hands on nothing of it.
const LISTEN: &str = "(() => {
    const complaints = window.complaints = [];
    addEventListener('error', ({message}) => complaints.push(message));
    addEventListener('unhandledrejection', ({reason}) => complaints.push(String(reason)));
    const tell = console.error;
    console.error = (...words) => {
        complaints.push(words.join(' '));
        tell(...words);
    };
})()";

/// In a world that ends at `folder`, told what to do at `place`.
fn browser(folder: &Path, screen: &Screen, place: &str) -> Command {
    let downloads = folder.join("downloads");
    let settings = folder.join(".config");
    for folder in [&downloads, &settings] {
        fs::create_dir(folder).expect("the test's folder takes folders");
    }
    let line = format!("XDG_DOWNLOAD_DIR={}\n", json!(text(&downloads)));
    fs::write(settings.join("user-dirs.dirs"), line).expect("the test's folder takes files");
    let mut command = Command::new(MINI_BROWSER);
    command
        .args(["--automation", "--autoplay-policy=allow"])
        .env("DISPLAY", screen.display())
        .env("WEBKIT_INSPECTOR_SERVER", place)
        .envs(["HOME", "TMPDIR"].map(|name| (name, folder)))
        .env("XDG_CONFIG_HOME", &settings)
        // It draws by itself: through the graphics of a screen that is none it crashes.
        .env("WEBKIT_DISABLE_COMPOSITING_MODE", "1")
        // Machines of tests allow no sandboxes within theirs, and have no loudspeaker.
        .env("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1")
        .env("GST_PLUGIN_FEATURE_RANK", "fakeaudiosink:MAX");
    command
}
