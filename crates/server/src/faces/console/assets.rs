//! The built pages, embedded: `/` and `/r/{room_id}` are one page that finds out by its address what it is.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::{path::Named, problem::Problem};

#[derive(RustEmbed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
struct Built;

/// Stands in for the pages when they were not built before the server.
const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>countersign</title>\n\
     <h1>countersign</h1>\n<p>This binary was built without its pages. Run <code>make build</code>, then start it again.</p>\n";

/// File names below `/assets/` contain a hash of their content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// Returns `/`, `/r/{room_id}`, `/assets/…`, the other files beside the page, and what is said where there is nothing.
pub fn routes() -> Router {
    Router::new().route("/", get(page)).route("/r/{room_id}", get(page)).merge(files())
}

/// Returns `/assets/…` and the other files beside the page; and what is said where there is nothing.
pub fn files() -> Router {
    Router::new()
        .route(
            "/assets/{*file}",
            get(async |Named(file): Named<String>| asset(&format!("assets/{file}"), FOR_EVER)),
        )
        .route("/{*file}", get(file).fallback(async || Problem::NOT_FOUND))
}

/// Returns the text of the page.
pub fn page_text() -> String {
    let built = Built::get("index.html").map(|file| String::from_utf8_lossy(&file.data).into_owned());
    built.unwrap_or_else(|| NOT_BUILT.to_owned())
}

async fn page() -> Response {
    match Built::get("index.html") {
        Some(file) => answer("index.html", file, ASK_EACH_TIME),
        None => Html(NOT_BUILT).into_response(),
    }
}

async fn file(named: Result<Named<String>, Problem>, headers: HeaderMap) -> Response {
    match named {
        Ok(Named(path)) if Built::get(&path).is_some() => asset(&path, ASK_EACH_TIME),
        Ok(_) | Err(_) => nothing(&headers),
    }
}

/// Says that there is nothing: to a person by the page, which finds that out by its address, to everybody else by a problem.
fn nothing(headers: &HeaderMap) -> Response {
    let problem = Problem::NOT_FOUND.into_response();
    if !prefers_page(headers) {
        return problem;
    }
    let (mut parts, _) = problem.into_parts();
    // So that nobody outside writes the problem over the page.
    parts.extensions.remove::<Problem>();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type("index.html")));
    Response::from_parts(parts, page_text().into())
}

/// Whether a page is what this client would have first: browsers name it before anything else, programs name JSON or nothing in
/// particular (RFC 9110 §12.5.1).
fn prefers_page(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let wanted = lines.flat_map(|line| line.split(',')).map(|range| {
        let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
        (kind.trim().to_ascii_lowercase(), weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0)))
    });
    let (mut page, mut problem) = (0.0_f32, 0.0_f32);
    for (kind, weight) in wanted {
        match kind.as_str() {
            "text/html" => page = page.max(weight),
            "application/json" | "application/problem+json" => problem = problem.max(weight),
            _ => (),
        }
    }
    page > problem
}

fn asset(path: &str, caching: HeaderValue) -> Response {
    match Built::get(path) {
        Some(file) => answer(path, file, caching),
        None => Problem::NOT_FOUND.into_response(),
    }
}

fn answer(path: &str, file: EmbeddedFile, caching: HeaderValue) -> Response {
    let kind = HeaderValue::from_static(content_type(path));
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, caching)], file.data).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_whoever_prefers_it() {
        let rows = [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("TEXT/HTML", true),
            ("application/json;q=0.5, text/html", true),
            ("text/html;q=0.5, application/json", false),
            ("application/problem+json, text/html", false),
            ("text/html;q=0", false),
            ("text/html;q=x", false),
            ("application/json", false),
            ("*/*", false),
            ("", false),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(prefers_page(&headers), expected, "{accept}");
        }
        assert!(!prefers_page(&HeaderMap::new()));
    }
}
