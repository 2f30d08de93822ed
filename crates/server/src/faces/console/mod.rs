//! The console: its pages and its own requests.

pub mod assets;
