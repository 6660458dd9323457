//! The public API of each published crate is the one that is committed.

use std::process::Command;

#[test]
fn each_published_crate_has_the_public_api_that_is_committed_and_re_exports_what_it_shows() {
    let compared = Command::new(env!("CARGO_BIN_EXE_eio-public-api")).arg("check").output().unwrap();
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
}
