//! The control page at `/`, and what it loads.
//!
//! It is built from `web/` by the build script where that can be done, and lies in the program as it is sent: packed and
//! not, with a tag made of its bytes. Where it could not be built there is a small page that says what to ask for. Names
//! of assets have a hash in them, so that a browser asks for each once.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header, response};
use axum::response::Response;

use super::media::Finish;
use super::problem::Problem;
use super::range::none_match_names;

/// A file of the page, as the build script writes it down.
struct File {
    name: &'static str,
    tag: &'static str,
    plain: &'static [u8],
    packed: &'static [u8],
}

// `FILES`: those of the built page, or none.
include!(concat!(env!("OUT_DIR"), "/page.rs"));

const SMALL: &str = include_str!("page.html");

/// Nothing but what comes from here is loaded, run, shown or spoken to. `blob:` is how a player hands pictures to the
/// browser.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The small page brings its own style.
const SMALL_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// `GET /`
pub(super) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    match named("index.html") {
        Some(page) => page.answer(&headers, "no-cache", POLICY),
        None => head("text/html; charset=utf-8", "no-cache", SMALL_POLICY).finish(SMALL.into()),
    }
}

/// `GET /assets/FILE`
pub(super) async fn asset(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = named(&format!("assets/{name}")).ok_or_else(|| {
        let detail = "the page has no such file: load it anew";
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    })?;
    file.answer(&headers, "public, max-age=31536000, immutable", POLICY)
}

fn named(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

impl File {
    fn answer(
        &self,
        headers: &HeaderMap,
        caching: &str,
        policy: &str,
    ) -> Result<Response, Problem> {
        let is_packed = takes_gzip(headers);
        let tag = match is_packed {
            true => format!("\"{}-gz\"", self.tag),
            false => format!("\"{}\"", self.tag),
        };
        let known = text(headers, &header::IF_NONE_MATCH);
        let head = head(kind(self.name), caching, policy)
            .header(header::VARY, "Accept-Encoding")
            .header(header::ETAG, &tag);
        match (none_match_names(known, &tag), is_packed) {
            (true, _) => head.status(StatusCode::NOT_MODIFIED).finish(Body::empty()),
            (false, true) => head
                .header(header::CONTENT_ENCODING, "gzip")
                .finish(self.packed.into()),
            (false, false) => head.finish(self.plain.into()),
        }
    }
}

fn head(kind: &str, caching: &str, policy: &str) -> response::Builder {
    response::Builder::new()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, caching)
        .header(header::CONTENT_SECURITY_POLICY, policy)
        .header(header::REFERRER_POLICY, "no-referrer")
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let names = text(headers, &header::ACCEPT_ENCODING).unwrap_or_default();
    names.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight: String = weight.split_whitespace().collect();
        let is_refused = weight
            .strip_prefix("q=")
            .is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAGE: File = File {
        name: "index.html",
        tag: "abc",
        plain: b"<!doctype html>",
        packed: b"gzip",
    };

    fn ask(fields: &[(HeaderName, &'static str)]) -> Response {
        let fields = fields.iter().map(|(name, value)| {
            let value = value.parse().expect("a header");
            (name.clone(), value)
        });
        let answer = PAGE.answer(&fields.collect(), "no-cache", POLICY);
        answer.unwrap_or_else(|_| panic!("it is there"))
    }

    fn shown(response: &Response, name: HeaderName) -> Option<&str> {
        text(response.headers(), &name)
    }

    #[test]
    fn who_takes_it_packed_gets_it_packed() {
        for (accepted, is_packed) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, br", false),
            ("gzip; q=0", false),
            ("gzip;q=0.000", false),
            ("", false),
        ] {
            let response = ask(&[(header::ACCEPT_ENCODING, accepted)]);
            let coding = shown(&response, header::CONTENT_ENCODING);
            assert_eq!(coding, is_packed.then_some("gzip"), "{accepted}");
            assert_eq!(shown(&response, header::VARY), Some("Accept-Encoding"));
        }
    }

    #[test]
    fn who_has_it_is_told_so_and_each_coding_has_a_tag_of_its_own() {
        let plain = ask(&[(header::IF_NONE_MATCH, "\"abc\"")]);
        assert_eq!(plain.status(), StatusCode::NOT_MODIFIED);
        let packed = [
            (header::ACCEPT_ENCODING, "gzip"),
            (header::IF_NONE_MATCH, "\"abc\""),
        ];
        let packed = ask(&packed);
        assert_eq!(packed.status(), StatusCode::OK);
        assert_eq!(shown(&packed, header::ETAG), Some("\"abc-gz\""));
    }

    #[test]
    fn the_small_page_needs_nothing_else() {
        for outside in ["<script", "src=", "<link", "url(", "@import"] {
            assert!(!SMALL.contains(outside), "{outside}");
        }
    }

    /// Without the player, which is loaded when there is something to play.
    #[test]
    fn the_first_load_is_below_60_kilobytes() {
        let Some(page) = named("index.html") else {
            return;
        };
        let html = std::str::from_utf8(page.plain).expect("text");
        let loaded = |file: &&File| file.name == page.name || html.contains(file.name);
        let first: Vec<&File> = FILES.iter().filter(loaded).collect();
        assert!(first.len() >= 3, "the page has a script and a style");
        let bytes: usize = first.iter().map(|file| file.packed.len()).sum();
        assert!(bytes < 60_000, "{bytes} bytes");
        assert!(first.len() < FILES.len(), "the player is not among them");
    }
}
