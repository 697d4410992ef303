//! Nothing here: the tests are in `tests/`. Run them with `cargo test -p sandgate-tests`.
