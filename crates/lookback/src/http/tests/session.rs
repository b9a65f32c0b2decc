//! How a browser shows the token once, and what it may do then.

use super::*;

const TOKEN: &str = "0123456789abcdef";
const VIEW: &str = "fedcba9876543210";

fn closed() -> Server {
    let token = |text: &str| text.parse().expect("a token");
    let guard = Guard::new(Vec::new(), true, Some(token(TOKEN)));
    guarded(guard.with_view_token(Some(token(VIEW))))
}

async fn shown(server: &Server, token: &str) -> Response<Body> {
    server
        .post("/api/v1/session", &json!({"token": token}))
        .await
}

#[tokio::test]
async fn the_page_is_there_for_whoever_has_no_token_yet() {
    let server = closed();
    assert_eq!(server.get("/").await.status(), StatusCode::OK);
    let session = json_of(server.get("/api/v1/session").await).await;
    assert_eq!(session, json!({"access": "none", "token": true}));
    assert_eq!(
        server.get("/api/v1/status").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_right_token_becomes_a_cookie_that_opens_everything() {
    let server = closed();
    let wrong = shown(&server, "0123456789abcdeX").await;
    assert_eq!(header(&wrong, "set-cookie"), None);
    assert_eq!(problem_of(wrong).await, (401, "token_required".to_owned()));

    for (token, access, may_save) in [(TOKEN, "full", true), (VIEW, "view", false)] {
        let answer = shown(&server, token).await;
        let cookie = header(&answer, "set-cookie").expect("a cookie").to_owned();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert_eq!(json_of(answer).await["access"], access);
        let cookie = cookie.split(';').next().expect("its value");
        let status = server
            .ask("GET", "/api/v1/status", &[("cookie", cookie)])
            .await;
        assert_eq!(status.status(), StatusCode::OK);
        let session = server
            .ask("GET", "/api/v1/session", &[("cookie", cookie)])
            .await;
        assert_eq!(json_of(session).await["access"], access);
        let cleared = server
            .ask("POST", "/api/v1/channels/main/clear", &[("cookie", cookie)])
            .await;
        assert_eq!(cleared.status() == StatusCode::OK, may_save, "{access}");
    }
    let gone = server.ask("DELETE", "/api/v1/session", &[]).await;
    assert!(header(&gone, "set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
}

#[tokio::test]
async fn a_server_without_a_token_keeps_none() {
    let server = server();
    let session = json_of(server.get("/api/v1/session").await).await;
    assert_eq!(session, json!({"access": "full", "token": false}));
    let answer = shown(&server, "anything").await;
    assert_eq!(header(&answer, "set-cookie"), None);
    assert_eq!(json_of(answer).await["access"], "full");
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere() {
    let page = server().get("/").await;
    let policy = header(&page, "content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("http"), "{policy}");
    assert!(!policy.contains("unsafe-eval"), "{policy}");
}
