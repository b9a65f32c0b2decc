//! `GET /api/v1/openapi.yaml`: what can be asked for, in the words of OpenAPI 3.1.
//!
//! It is written by hand. The test here holds it to the routes, and an end-to-end test to what the server answers.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header, response};
use axum::response::Response;

use super::media::{Finish, MAY_CHANGE};
use super::problem::Problem;
use super::range::none_match_names;

const DOCUMENT: &str = include_str!("../../../../docs/reference/openapi.yaml");

/// `GET openapi.yaml`
pub(super) async fn document(headers: HeaderMap) -> Result<Response, Problem> {
    let tag = tag();
    let known = headers.get(header::IF_NONE_MATCH);
    let known = known.and_then(|known| known.to_str().ok());
    let head = response::Builder::new()
        .header(header::CONTENT_TYPE, "application/yaml")
        .header(header::CACHE_CONTROL, MAY_CHANGE)
        .header(header::ETAG, &tag);
    match none_match_names(known, &tag) {
        true => head.status(StatusCode::NOT_MODIFIED).finish(Body::empty()),
        false => head.finish(DOCUMENT.into()),
    }
}

fn tag() -> String {
    let mut hasher = DefaultHasher::new();
    DOCUMENT.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A method and a path. `HEAD` goes with `GET`.
    type Operation = (&'static str, String);

    const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

    #[test]
    fn document_has_each_route_and_nothing_else() {
        let served = served();
        let routes: Vec<&Operation> = served.iter().collect();
        let mut left: BTreeSet<&Operation> = served.iter().collect();
        for operation in described() {
            let route = routed(&operation, &routes);
            let route = route.unwrap_or_else(|| panic!("{operation:?} is not served"));
            left.remove(route);
        }
        assert!(left.is_empty(), "not in the document: {left:?}");
    }

    #[test]
    fn routes_are_found_whatever_they_look_like() {
        let found = routes_of(
            "x.route(\"/a\", get(one)).route(\n \"/b/{c}\",\n get(two(1))\n.patch(edit)\n.delete(gone),\n)\n\
             // .route(\"/not\", get(this))\n#[cfg(test)]\nmod tests {\n.route(\"/nor\", get(that))",
        );
        let expected = [
            ("get", "/a"),
            ("get", "/b/{c}"),
            ("patch", "/b/{c}"),
            ("delete", "/b/{c}"),
        ];
        assert_eq!(
            found,
            expected.map(|(method, path)| (method, path.to_owned()))
        );
    }

    /// The route that answers: what it says literally goes before what it takes as it comes.
    fn routed<'a>((method, path): &Operation, routes: &[&'a Operation]) -> Option<&'a Operation> {
        let fits = |route: &&&Operation| {
            let (theirs, ours) = (route.1.split('/'), path.split('/'));
            let same = |(their, our): (&str, &str)| their == our || their.starts_with('{');
            theirs.clone().count() == ours.clone().count() && theirs.zip(ours).all(same)
        };
        let literal = |route: &&&Operation| {
            let parts = route.1.split('/').map(|part| !part.starts_with('{'));
            parts.collect::<Vec<bool>>()
        };
        let best = routes.iter().filter(fits).max_by_key(literal)?;
        routes
            .iter()
            .find(|route| route.0 == *method && route.1 == best.1)
            .copied()
    }

    /// What the sources beside this one route.
    fn served() -> BTreeSet<Operation> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        let files = fs::read_dir(folder).expect("the sources are there");
        let files = files.map(|file| file.expect("readable").path());
        files
            .filter(|file| file.extension().is_some_and(|ending| ending == "rs"))
            .flat_map(|file| routes_of(&fs::read_to_string(file).expect("text")))
            .collect()
    }

    fn routes_of(source: &str) -> Vec<Operation> {
        let code = source.split("#[cfg(test)]\nmod tests {").next();
        let code = code.expect("a split has a first part");
        let code: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.join("\n");
        let calls = code.split(".route(").skip(1).map(arguments);
        calls
            .flat_map(|call| {
                let path = call.split('"').nth(1).expect("a path").to_owned();
                let names = |method: &&str| {
                    call.contains(&format!(" {method}(")) || call.contains(&format!(".{method}("))
                };
                METHODS
                    .into_iter()
                    .filter(names)
                    .map(move |method| (method, path.clone()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// What comes before the parenthesis that ends a call.
    fn arguments(call: &str) -> &str {
        let mut depth = 1;
        let end = call.find(|c| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        &call[..end.expect("each call ends")]
    }

    /// The operations of the document, by how far its lines are indented.
    fn described() -> BTreeSet<Operation> {
        let paths = DOCUMENT.split_once("\npaths:\n").expect("paths").1;
        let paths = paths.split_once("\ncomponents:\n").expect("components").0;
        let mut path = "";
        let mut operations = BTreeSet::new();
        for line in paths.lines() {
            let key = line.split(':').next().unwrap_or_default();
            if let Some(method) = key.strip_prefix("    ") {
                let known = METHODS.into_iter().find(|known| *known == method);
                operations.extend(known.map(|method| (method, path.to_owned())));
            } else if let Some(key) = key.strip_prefix("  ") {
                path = key;
            }
        }
        operations
    }
}
