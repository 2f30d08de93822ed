//! Bodies of `/register`, `/unregister` and `/login`: flat JSON objects of strings.
