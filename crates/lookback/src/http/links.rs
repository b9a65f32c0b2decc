//! `GET links`: what opens the page on another device, such as a tablet that is held to the screen.
//!
//! The token stands behind the `#` of a link: a browser sends that to nobody, so no log has it, and the page takes it out of
//! the address at once. Only who has shown the full token is answered, which the [`guard`](super::guard) sees to, and the
//! answer is not kept by anybody.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::IntoResponse;
use fast_qr::{ECL, QRBuilder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use super::api::FRESH;
use super::guard::Access;
use super::problem::Problem;
use super::token::Token;
use crate::addresses;

/// What links are made of.
pub(crate) struct Links {
    listen: SocketAddr,
    token: Option<Token>,
    view_token: Option<Token>,
}

impl Links {
    /// To a server that listens here, for who has these tokens.
    pub(crate) fn new(listen: SocketAddr, token: Option<Token>, view_token: Option<Token>) -> Self {
        Self {
            listen,
            token,
            view_token,
        }
    }

    /// To one that nobody else reaches.
    pub(super) fn nowhere() -> Self {
        Self::new((Ipv4Addr::LOCALHOST, 0).into(), None, None)
    }

    /// By the way that is known to lead here, if there is one, and by all addresses.
    fn all(&self, known: Option<String>) -> Vec<Link> {
        let port = self.listen.port();
        let addresses = addresses::reaching(self.listen).into_iter();
        let addresses =
            addresses.map(|address| format!("http://{}", SocketAddr::new(address, port)));
        let mut origins: Vec<String> = known.into_iter().collect();
        origins.extend(
            addresses
                .filter(|origin| !origins.contains(origin))
                .collect::<Vec<_>>(),
        );
        let links = origins.iter().flat_map(|origin| {
            let full = link(origin, Access::Full, self.token.as_ref());
            let view = self.view_token.as_ref();
            let view = view.and_then(|token| link(origin, Access::View, Some(token)));
            [full, view]
        });
        links.flatten().collect()
    }
}

/// How somebody gets in.
#[derive(Serialize)]
struct Link {
    origin: String,
    access: &'static str,
    url: String,
    /// Rows of dark (1) and light (0) squares, without the margin of four.
    qr: Vec<String>,
}

/// The way by which whoever asks has come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    origin: Option<String>,
}

/// `GET links`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<impl IntoResponse, Problem> {
    let asked = Query::try_from_uri(&uri);
    let Query(Asked { origin }) = asked.map_err(|wrong| Problem::bad_request(wrong.body_text()))?;
    let known = origin.as_deref().map(leading_here).transpose()?;
    Ok((
        FRESH,
        Json(json!({"links": app.links.all(known.flatten())})),
    ))
}

/// An origin that others can come by, too.
fn leading_here(origin: &str) -> Result<Option<String>, Problem> {
    let wrong = || Problem::bad_request("an origin is written as http://192.168.1.5:1688");
    let uri: Uri = origin.parse().map_err(|_| wrong())?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    let is_bare = uri.path_and_query().is_none_or(|path| path == "/") && !origin.ends_with('/');
    if !is_bare || authority.as_str().contains('@') {
        return Err(wrong());
    }
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    Ok((!is_loopback).then(|| origin.to_owned()))
}

/// None where it is too long for a QR code, as only the longest of tokens makes it.
fn link(origin: &str, access: Access, token: Option<&Token>) -> Option<Link> {
    let url = match token {
        Some(token) => format!("{origin}/#token={}", token.in_link()),
        None => format!("{origin}/"),
    };
    let code = QRBuilder::new(url.as_str()).ecl(ECL::M).build().ok()?;
    let square = |row: usize, column: usize| match code[row][column].value() {
        true => '1',
        false => '0',
    };
    let row = |row| (0..code.size).map(|column| square(row, column)).collect();
    Some(Link {
        origin: origin.to_owned(),
        access: access.word(),
        qr: (0..code.size).map(row).collect(),
        url,
    })
}
