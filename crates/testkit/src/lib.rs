//! A stage for tests: network, clock, clients. Never part of a release build.
