//! Who may ask. A port on loopback is no protection by itself: any web page that the user has open can
//! reach it.
//!
//! - `Host` must name this server. A page whose own name was made to resolve to 127.0.0.1 (DNS
//!   rebinding) gives itself away there.
//! - A request that a browser sends for another site is refused: it says so in `Origin` or in
//!   `Sec-Fetch-Site`. Reading is refused as well as acting, since `GET /play` acts.
//! - With a token set, it must be shown: in `Authorization`, in the cookie that the page has got for it
//!   ([`session`](super::session)), or as `?token=` by players that can do neither. It is taken out of the
//!   URL here, so that nothing behind this ever sees or logs it. The page itself, in which nothing is
//!   secret, is there for everybody: it asks for the token.
//! - Whoever shows the token for viewing may look at everything and change nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::pass::Passes;
use super::problem::Problem;
use super::token::Token;

/// What a request must show.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Names of this server besides those of the loopback interface, in lower case.
    hosts: Vec<String>,
    /// Whether other machines may ask, who know this one by an address of which it knows nothing.
    any_address: bool,
    token: Option<Token>,
    view_token: Option<Token>,
    passes: Passes,
    listen: Option<SocketAddr>,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Access {
    /// Look at everything, and change nothing.
    View,
    /// Everything.
    Full,
}

/// Where a browser keeps the token that it has shown.
pub(super) const COOKIE: &str = "lookback_token";

/// What is not for who may only look, though it is asked for with `GET`.
const FULL_ONLY: [&str; 2] = ["/play", "/api/v1/links"];

/// The token that a request has shown in its URL, for the URLs that it is sent on to.
#[derive(Clone, Debug)]
pub(super) struct QueryToken(pub(super) String);

impl Guard {
    /// `loopback`: whether the server listens on the loopback interface only.
    pub(crate) fn new(hosts: Vec<String>, loopback: bool, token: Option<Token>) -> Self {
        let hosts = hosts
            .into_iter()
            .map(|host| host.to_ascii_lowercase())
            .collect();
        Self {
            hosts,
            any_address: !loopback,
            token,
            view_token: None,
            passes: Passes::default(),
            listen: None,
        }
    }

    /// A second token, with which one may look but change nothing.
    pub(crate) fn with_view_token(self, view_token: Option<Token>) -> Self {
        Self { view_token, ..self }
    }

    /// Where clients are listened for, which links to the page are made of.
    pub(crate) fn listening_at(self, listen: SocketAddr) -> Self {
        Self {
            listen: Some(listen),
            ..self
        }
    }

    pub(super) fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// A pass for somebody who then may do so much, where there is a token for that.
    pub(super) fn pass(&self, access: Access, now: Instant) -> Option<String> {
        self.token_for(access)?;
        Some(self.passes.issue(access, now))
    }

    /// What somebody may do who shows a token or a pass, and the token to be kept of it, if there is one.
    pub(super) fn admit(&self, shown: &str, now: Instant) -> Option<(Access, Option<&Token>)> {
        let access = self.passes.access(shown, now);
        let access = access.or_else(|| self.access_with(shown))?;
        Some((access, self.token_for(access)))
    }

    fn token_for(&self, access: Access) -> Option<&Token> {
        match access {
            Access::Full => self.token.as_ref(),
            Access::View => self.view_token.as_ref(),
        }
    }

    /// Whether a token has to be shown.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What somebody may do who shows this.
    pub(super) fn access_with(&self, shown: &str) -> Option<Access> {
        let is = |token: &Option<Token>| token.as_ref().is_some_and(|token| token.is(shown));
        match (
            self.token.is_none() || is(&self.token),
            is(&self.view_token),
        ) {
            (true, _) => Some(Access::Full),
            (false, true) => Some(Access::View),
            (false, false) => None,
        }
    }

    /// The most that somebody may do by what these show.
    pub(super) fn access(
        &self,
        headers: &HeaderMap,
        in_query: Option<&QueryToken>,
    ) -> Option<Access> {
        let header = text(headers, &header::AUTHORIZATION).unwrap_or_default();
        let in_header = header
            .split_once(' ')
            .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let shown = [
            in_header.map(|(_, shown)| shown.trim()),
            in_query.map(|shown| shown.0.as_str()),
            in_cookie(headers),
        ];
        let best = shown
            .into_iter()
            .flatten()
            .filter_map(|shown| self.access_with(shown));
        best.max().or_else(|| self.access_with(""))
    }

    /// Lets the request through, without the token in its URL, or says why not.
    fn check(&self, request: &mut Request) -> Result<(), Problem> {
        let host = self.check_host(request.uri(), request.headers())?;
        check_site(request.headers(), &host)?;
        let shown = take_token(request);
        self.check_token(request, shown.as_ref())?;
        check_content(request.method(), request.headers())?;
        if let Some(token) = shown {
            request.extensions_mut().insert(token);
        }
        Ok(())
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host
                .to_str()
                .ok()
                .and_then(|host| host.parse::<Authority>().ok()),
            _ => None,
        };
        let known = |authority: &Authority| self.knows(authority.host());
        match host {
            Some(host) if known(&host) && uri.authority().is_none_or(known) => Ok(host),
            _ => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "bad_host",
                "the Host header does not name this server; other names are allowed with --allow-host",
            )),
        }
    }

    fn knows(&self, host: &str) -> bool {
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            // Rebinding needs a name: an address in `Host` is one that the browser was told.
            Ok(address) if self.any_address => !address.is_unspecified(),
            Ok(address)
                if ["127.0.0.1", "::1"]
                    .iter()
                    .any(|known| *known == address.to_string()) =>
            {
                true
            }
            _ => host == "localhost" || self.hosts.contains(&host),
        }
    }

    fn check_token(&self, request: &Request, in_query: Option<&QueryToken>) -> Result<(), Problem> {
        let path = request.uri().path();
        if path == "/" || path == "/api/v1/session" || path.starts_with("/assets/") {
            return Ok(());
        }
        match self.access(request.headers(), in_query) {
            Some(Access::Full) => Ok(()),
            // What a GET of `/play` does is heard by everybody, and links have the other token in them.
            Some(Access::View) if request.method().is_safe() && !FULL_ONLY.contains(&path) => {
                Ok(())
            }
            Some(Access::View) => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "view_only",
                "this token is for viewing: it changes nothing",
            )),
            None => Err(Problem::token_required(
                "show the server's token: Authorization: Bearer TOKEN, or ?token=TOKEN",
            )),
        }
    }
}

impl Access {
    /// The word of the API for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Full => "full",
        }
    }
}

/// The guard as a layer around all routes.
pub(super) async fn layer(
    State(guard): State<std::sync::Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    match guard.check(&mut request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The token in the cookie.
fn in_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// Refuses what a page of another site makes a browser send.
fn check_site(headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
    let refuse = |code, detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let site = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        if !site.is_some_and(|site| site.eq_ignore_ascii_case(host.as_str())) {
            return refuse("bad_origin", "a page of another site may not ask");
        }
    }
    match text(headers, &HeaderName::from_static("sec-fetch-site")) {
        None | Some("same-origin" | "none") => {}
        Some(_) => return refuse("bad_origin", "a page of another site may not ask"),
    }
    // A browser that thinks ahead has not been told to do anything yet.
    match text(headers, &HeaderName::from_static("sec-purpose")) {
        Some(purpose) if purpose.contains("prefetch") => {
            refuse("prefetch", "nothing is done before somebody asks for it")
        }
        _ => Ok(()),
    }
}

/// What changes something has a body of JSON, or none: of all that a page can send to another site
/// unasked, nothing is JSON.
fn check_content(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || text(headers, &header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    let kind = text(headers, &header::CONTENT_TYPE);
    let is_json = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    };
    let fine = method.is_safe() || kind.map_or(!has_body, is_json);
    if fine {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "send JSON, with Content-Type: application/json",
    ))
}

/// Takes `token=` out of the query.
fn take_token(request: &mut Request) -> Option<QueryToken> {
    let uri = request.uri();
    let query = uri.query()?;
    let mut token = None;
    let others: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.strip_prefix("token=") {
            Some(shown) => {
                token = Some(QueryToken(shown.to_owned()));
                false
            }
            None => true,
        })
        .collect();
    let token = token?;
    let path = match others.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), others.join("&")),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query =
        Some(PathAndQuery::try_from(path).expect("less of what was a valid path"));
    *request.uri_mut() = Uri::from_parts(parts).expect("only the query has changed");
    Some(token)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // A header that is no text says nothing that could be allowed.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn local() -> Guard {
        Guard::new(vec!["obs-pc.local".into()], true, None)
    }

    fn open_to_others() -> Guard {
        Guard::new(Vec::new(), false, Some(TOKEN.parse().expect("a token")))
    }

    /// What the guard says to a request with these headers: the code of its refusal, or nothing.
    fn ask(
        guard: &Guard,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Option<&'static str> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        guard
            .check(&mut request)
            .err()
            .map(|problem| problem.code())
    }

    fn get(guard: &Guard, headers: &[(&str, &str)]) -> Option<&'static str> {
        ask(guard, Method::GET, "/video", headers)
    }

    #[test]
    fn host_must_name_this_server() {
        for host in [
            "127.0.0.1:1688",
            "localhost",
            "LOCALHOST:80",
            "[::1]:1688",
            "obs-pc.local:1688",
        ] {
            assert_eq!(get(&local(), &[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1688",
            "192.168.1.5",
            "0.0.0.0:1688",
            "",
            "a b",
        ] {
            assert_eq!(get(&local(), &[("host", host)]), Some("bad_host"), "{host}");
        }
        assert_eq!(get(&local(), &[]), Some("bad_host"));
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(get(&local(), &twice), Some("bad_host"));
        let absolute = ask(
            &local(),
            Method::GET,
            "http://evil.example/video",
            &[("host", "localhost")],
        );
        assert_eq!(absolute, Some("bad_host"));
    }

    #[test]
    fn wider_servers_are_known_by_any_address_but_by_no_name() {
        let shown = ("authorization", "Bearer 0123456789abcdef");
        assert_eq!(
            get(&open_to_others(), &[("host", "192.168.1.5:1688"), shown]),
            None
        );
        assert_eq!(
            get(&open_to_others(), &[("host", "evil.example"), shown]),
            Some("bad_host")
        );
    }

    #[test]
    fn pages_of_other_sites_may_not_ask() {
        let host = ("host", "127.0.0.1:1688");
        let own = [
            host,
            ("origin", "http://127.0.0.1:1688"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(get(&local(), &own), None);
        assert_eq!(get(&local(), &[host, ("sec-fetch-site", "none")]), None);
        for foreign in [
            ("origin", "http://evil.example"),
            ("origin", "http://127.0.0.1:3000"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(
                get(&local(), &[host, foreign]),
                Some("bad_origin"),
                "{foreign:?}"
            );
        }
        let ahead = ("sec-purpose", "prefetch;prerender");
        assert_eq!(get(&local(), &[host, ahead]), Some("prefetch"));
    }

    #[test]
    fn what_changes_something_is_json() {
        let post = |headers: &[(&str, &str)]| {
            let headers = [&[("host", "localhost")], headers].concat();
            ask(&local(), Method::POST, "/api/v1/clips", &headers)
        };
        assert_eq!(post(&[]), None);
        assert_eq!(post(&[("content-length", "0")]), None);
        assert_eq!(
            post(&[
                ("content-length", "2"),
                ("content-type", "application/json")
            ]),
            None
        );
        let charset = ("content-type", "Application/JSON; charset=utf-8");
        assert_eq!(post(&[("content-length", "2"), charset]), None);
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ] {
            assert_eq!(
                post(&[("content-length", "0"), ("content-type", kind)]),
                Some("not_json")
            );
        }
        assert_eq!(post(&[("content-length", "2")]), Some("not_json"));
        assert_eq!(post(&[("transfer-encoding", "chunked")]), Some("not_json"));
    }

    #[test]
    fn a_token_is_shown_in_a_header_or_in_the_url() {
        let guard = open_to_others();
        let host = ("host", "192.168.1.5");
        assert_eq!(get(&guard, &[host]), Some("token_required"));
        assert_eq!(
            get(
                &guard,
                &[host, ("authorization", "Bearer 0123456789abcdef")]
            ),
            None
        );
        assert_eq!(
            get(
                &guard,
                &[host, ("authorization", "bearer  0123456789abcdef")]
            ),
            None
        );
        for wrong in [
            "Bearer",
            "Bearer 0123456789abcdeX",
            "Basic 0123456789abcdef",
            "",
        ] {
            assert_eq!(
                get(&guard, &[host, ("authorization", wrong)]),
                Some("token_required")
            );
        }
        let in_url = |uri: &str| ask(&guard, Method::GET, uri, &[host]);
        assert_eq!(in_url("/video?token=0123456789abcdef"), None);
        assert_eq!(in_url("/video?last=5s&token=0123456789abcdef"), None);
        assert_eq!(
            in_url("/video?token=0123456789abcdeX"),
            Some("token_required")
        );
        assert_eq!(
            in_url("/video?mytoken=0123456789abcdef"),
            Some("token_required")
        );
    }

    #[test]
    fn nobody_behind_the_guard_sees_the_token_in_the_url() {
        for (uri, left) in [
            ("/video?token=0123456789abcdef", "/video"),
            (
                "/video?last=5s&token=0123456789abcdef&channel=a",
                "/video?last=5s&channel=a",
            ),
            ("/video?last=5s", "/video?last=5s"),
        ] {
            let mut request = Request::builder()
                .uri(uri)
                .header("host", "127.0.0.1")
                .body(Body::empty())
                .expect("a request");
            local().check(&mut request).expect("allowed");
            assert_eq!(request.uri().to_string(), left);
            let kept = request
                .extensions()
                .get::<QueryToken>()
                .map(|token| token.0.as_str());
            assert_eq!(kept, uri.contains("token").then_some(TOKEN));
        }
    }

    #[test]
    fn a_browser_shows_its_cookie_and_loads_the_page_without() {
        let guard = open_to_others();
        let host = ("host", "192.168.1.5");
        for (cookies, refused) in [
            ("lookback_token=0123456789abcdef", None),
            ("a=b; lookback_token=0123456789abcdef; c=d", None),
            ("lookback_token=0123456789abcdeX", Some("token_required")),
            ("xlookback_token=0123456789abcdef", Some("token_required")),
        ] {
            assert_eq!(
                get(&guard, &[host, ("cookie", cookies)]),
                refused,
                "{cookies}"
            );
        }
        let elsewhere = [
            host,
            ("cookie", "lookback_token=0123456789abcdef"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert_eq!(get(&guard, &elsewhere), Some("bad_origin"));
        for path in ["/", "/assets/page-1.js", "/api/v1/session"] {
            assert_eq!(ask(&guard, Method::GET, path, &[host]), None, "{path}");
        }
        for path in ["/api/v1/status", "/assetsx", "/api/v1/session/x"] {
            let refused = ask(&guard, Method::GET, path, &[host]);
            assert_eq!(refused, Some("token_required"), "{path}");
        }
    }

    #[test]
    fn who_may_view_changes_nothing() {
        let view = "view-0123456789abcdef".parse().expect("a token");
        let guard = open_to_others().with_view_token(Some(view));
        let shown = [
            ("host", "192.168.1.5"),
            ("authorization", "Bearer view-0123456789abcdef"),
        ];
        let asked = |method, path: &str| ask(&guard, method, path, &shown);
        assert_eq!(asked(Method::GET, "/video"), None);
        assert_eq!(asked(Method::GET, "/api/v1/events"), None);
        assert_eq!(asked(Method::GET, "/play"), Some("view_only"));
        assert_eq!(asked(Method::GET, "/api/v1/links"), Some("view_only"));
        for method in [Method::POST, Method::PATCH, Method::DELETE] {
            assert_eq!(asked(method, "/api/v1/replays/a"), Some("view_only"));
        }
        let both = [
            shown[0],
            shown[1],
            ("cookie", "lookback_token=0123456789abcdef"),
        ];
        assert_eq!(ask(&guard, Method::POST, "/api/v1/clips", &both), None);
    }
}
