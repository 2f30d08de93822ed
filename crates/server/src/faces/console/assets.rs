//! The built pages, embedded: `/` and `/r/{room_id}` are one page that finds out by its address what it is.

use axum::{
    Router,
    http::{HeaderValue, header},
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

/// Returns `/`, `/r/{room_id}`, `/assets/…` and the other files beside the page.
pub fn routes() -> Router {
    Router::new().route("/", get(page)).route("/r/{room_id}", get(page)).merge(files())
}

/// Returns `/assets/…` and the other files beside the page.
pub fn files() -> Router {
    Router::new()
        .route(
            "/assets/{*file}",
            get(async |Named(file): Named<String>| asset(&format!("assets/{file}"), FOR_EVER)),
        )
        .route("/{file}", get(async |Named(file): Named<String>| asset(&file, ASK_EACH_TIME)))
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
