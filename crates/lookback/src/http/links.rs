//! `GET links`: what opens the page on another device, such as a tablet that is held to the screen.
//!
//! A [`pass`](super::pass) stands behind the `#` of a link: a browser sends that to nobody, so no log has it. Only who has shown
//! the full token is answered, which the [`guard`](super::guard) sees to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use fast_qr::{ECL, QRBuilder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use super::api::FRESH;
use super::guard::{Access, Guard};
use super::pass;
use super::problem::Problem;
use crate::addresses;

pub(super) fn router(guard: Arc<Guard>) -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/links", get(list))
        .with_state(guard)
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
struct Asked {
    origin: Option<String>,
}

/// `GET links`
async fn list(State(guard): State<Arc<Guard>>, uri: Uri) -> Result<impl IntoResponse, Problem> {
    let asked = Query::try_from_uri(&uri);
    let Query(Asked { origin }) = asked.map_err(|wrong| Problem::bad_request(wrong.body_text()))?;
    let known = origin.as_deref().map(leading_here).transpose()?;
    let origins = origins(guard.listen(), known.flatten());
    let passes: Vec<_> = [Access::Full, Access::View]
        .into_iter()
        .filter_map(|access| Some((access, guard.pass(access, Instant::now())?)))
        .collect();
    let links: Vec<Link> = origins
        .iter()
        .flat_map(|origin| {
            passes
                .iter()
                .map(move |(access, pass)| link(origin, *access, pass))
        })
        .collect::<Result<_, _>>()?;
    let answer = json!({"links": links, "valid_s": pass::VALID.as_secs()});
    Ok((FRESH, Json(answer)))
}

/// The way that is known to lead here, if there is one, and all addresses.
fn origins(listen: Option<SocketAddr>, known: Option<String>) -> Vec<String> {
    let mut origins: Vec<String> = known.into_iter().collect();
    if let Some(listen) = listen {
        for address in addresses::reaching(listen) {
            let origin = format!("http://{}", SocketAddr::new(address, listen.port()));
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
    }
    origins
}

/// An origin that others can come by, too.
fn leading_here(origin: &str) -> Result<Option<String>, Problem> {
    let wrong = || Problem::bad_request("an origin is written as http://192.168.1.5:1688");
    let uri: Uri = origin.parse().map_err(|_| wrong())?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    if rest != "/" || origin.ends_with('/') || authority.as_str().contains('@') {
        return Err(wrong());
    }
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    Ok((!is_loopback).then(|| origin.to_owned()))
}

fn link(origin: &str, access: Access, pass: &str) -> Result<Link, Problem> {
    let url = format!("{origin}/#token={pass}");
    let code = QRBuilder::new(url.as_str()).ecl(ECL::M).build();
    let code = code.map_err(|_| Problem::bad_request("this origin is too long for a QR code"))?;
    let square = |row: usize, column: usize| match code[row][column].value() {
        true => '1',
        false => '0',
    };
    let row = |row| (0..code.size).map(|column| square(row, column)).collect();
    Ok(Link {
        origin: origin.to_owned(),
        access: access.word(),
        qr: (0..code.size).map(row).collect(),
        url,
    })
}
