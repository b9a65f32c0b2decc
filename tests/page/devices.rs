//! The way in for a tablet: a code on the screen of the host, which a camera reads.
//!
//! The tablet comes by a name, as through a proxy: a link to the loopback interface is none for another device.

use tempfile::TempDir;

use super::{LAPTOP, looks};
use crate::support::chromium::Chromium;
use crate::support::server::{self, Server};
use crate::support::window::Window;
use crate::support::{eventually, folder, qr};

/// With what a link has to take care of that somebody writes: a plus is a space there.
const TOKEN: &str = "correct+horse/battery=staple";
const VIEW: &str = "only-looking-0123456789";
const TABLET: (u32, u32) = (1024, 768);

/// `lookback demo`, which wants a token.
struct Host {
    server: Server,
    folder: TempDir,
}

impl Host {
    fn new() -> Self {
        let folder = folder();
        for (name, token) in [("token", TOKEN), ("view", VIEW)] {
            let path = folder.path().join(name);
            std::fs::write(path, token).expect("the test's folder takes files");
        }
        let arguments = [
            "demo",
            "--listen=127.0.0.1:0",
            "--allow-host=lookback.test",
            "--token-file=token",
            "--view-token-file=view",
        ];
        let mut command = server::command(folder.path(), &arguments);
        let server = Server::spawn(folder.path(), &mut command);
        Self { server, folder }
    }

    fn origin(&self) -> String {
        format!("http://lookback.test:{}", self.server.address().port())
    }

    /// What is on the terminal after `lookback link`, with the exit code.
    fn link(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let server = self.server.url("");
        let origin = self.origin();
        let arguments = [
            &["link", "--server", &server, "--origin", &origin],
            arguments,
        ]
        .concat();
        let output = server::command(self.folder.path(), &arguments).output();
        let output = output.expect("it starts");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(told).expect("text");
        (told, output.status.code())
    }
}

/// The code on the terminal opens the page, and the token itself is nowhere to be seen.
#[test]
fn a_code_on_the_terminal_lets_a_tablet_in() {
    let host = Host::new();
    for (arguments, may_change) in [
        (&["--token-file=token"][..], true),
        (&["--token-file=token", "--view"], false),
    ] {
        let (told, code) = host.link(arguments);
        assert_eq!(code, Some(0), "{told}");
        assert!(!told.contains(TOKEN) && !told.contains(VIEW), "{told}");
        let (link, drawn) = told.split_once("\n\n").expect("a link, and its code");
        let drawn = drawn.split("\n\n").next().expect("the code");
        assert_eq!(qr::read_terminal(drawn).as_deref(), Some(link), "{told}");
        let tablet = Chromium::open(link, TABLET);
        lets_in(&tablet, link, may_change);
    }
    let (told, code) = host.link(&["--token-file=view"]);
    assert_eq!(code, Some(2), "{told}");
    let log = host.server.log();
    assert!(!log.contains(TOKEN) && !log.contains(VIEW), "{log}");
}

/// So does the one on the page, which shows it to nobody who may only look.
#[test]
fn a_code_on_the_page_lets_a_tablet_in() {
    let host = Host::new();
    let page = Chromium::open(&host.origin(), LAPTOP);
    // As somebody does it who is asked for the token, and has the link.
    page.until("document.querySelector('#token')");
    page.eval(&format!("location.hash = 'token={TOKEN}'; 0"));
    page.until("document.querySelector('#link')");
    assert_eq!(page.eval("location.hash"), "");
    page.click("#link");
    let shown = |access: &str| {
        page.until(&format!(
            "document.querySelector('[data-access={access}]')?.getAttribute('aria-pressed') === 'true'"
        ));
        let link = page.eval("document.querySelector('#link-url').value");
        let link = link.as_str().expect("a link").to_owned();
        eventually("the code says the same", || {
            (page.code()? == link).then_some(())
        });
        link
    };
    let full = shown("full");
    looks::judge(&page, "the way in");
    page.picture("laptop-link");
    page.resize(300, 900);
    looks::fits(&page, 300);
    assert_eq!(shown("full"), full);
    page.picture("dock-link");
    page.click("[data-access=view]");
    let view = shown("view");

    lets_in(&Chromium::open(&full, TABLET), &full, true);
    let tablet = Chromium::open(&view, TABLET);
    lets_in(&tablet, &view, false);
    let refused = tablet.eval("fetch('/api/v1/links').then(answer => answer.status)");
    assert_eq!(refused, 403);
    assert_eq!(
        tablet.eval("document.querySelector('#link')"),
        serde_json::Value::Null
    );
    page.press("Escape");
    page.until("!document.querySelector('dialog')");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

/// Where nobody else can come, the page says what to do.
#[test]
fn a_page_that_no_other_device_reaches_says_so() {
    let stage = super::Stage::new(2.0, &[]);
    let browser = &stage.browser;
    browser.click("#link");
    browser.until("document.querySelector('dialog[open]')?.textContent.includes('--listen')");
}

#[track_caller]
fn lets_in(tablet: &Chromium, link: &str, may_change: bool) {
    tablet.until("document.querySelector('#badge')?.textContent === 'Live'");
    let (address, pass) = link.split_once("#token=").expect("it has a pass");
    assert_eq!(tablet.eval("location.href"), address);
    // Browsers write down all the same what they were led to.
    assert!(pass != TOKEN && pass != VIEW, "{link}");
    let saves = tablet.eval("!!document.querySelector('#save')");
    assert_eq!(saves, may_change);
    // Whoever was let in may come back by a link that is no longer valid.
    tablet.visit(&format!("{address}#token=0123456789abcdef"));
    tablet.until("document.querySelector('#badge')?.textContent === 'Live' && !location.hash");
}
