//! `GET /obs/lookback.lua`: the script of hotkeys for OBS, which knows the server that it came from.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;

use super::api::FRESH;

const SCRIPT: &str = include_str!("../obs/lookback.lua");

/// What stands in the script where the address of the server belongs.
const PLACE: &str = "\"127.0.0.1:1688\"";

/// The port of an address that names none.
const HTTP: u16 = 80;

pub(super) async fn script(headers: HeaderMap) -> impl IntoResponse {
    let script = match host(&headers) {
        // What is an authority has nothing in it that could end a text of Lua.
        Some(host) => SCRIPT.replacen(PLACE, &format!("\"{host}\""), 1),
        None => SCRIPT.to_owned(),
    };
    let kind = [
        (header::CONTENT_TYPE, "text/x-lua; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"lookback.lua\"",
        ),
    ];
    (FRESH, kind, script)
}

/// The name by which the client knows this server, as the guard has let it through.
fn host(headers: &HeaderMap) -> Option<String> {
    let host: Authority = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
    Some(format!(
        "{}:{}",
        host.host(),
        host.port_u16().unwrap_or(HTTP)
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn script_has_one_place_for_the_address() {
        assert_eq!(SCRIPT.matches(PLACE).count(), 1);
    }

    #[test]
    fn host_is_an_address_with_a_port_and_nothing_else() {
        for (told, known) in [
            ("127.0.0.1:1688", Some("127.0.0.1:1688")),
            ("[::1]:1700", Some("[::1]:1700")),
            ("localhost", Some("localhost:80")),
            ("me:secret@localhost:1688", Some("localhost:1688")),
            ("localhost\" .. os.exit() .. \"", None),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(told))]);
            assert_eq!(host(&headers).as_deref(), known, "{told}");
        }
    }
}
