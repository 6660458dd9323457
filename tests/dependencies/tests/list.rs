//! Every package that a user of a published crate builds is known, with its keeper and the reason why it is trusted.

use std::process::Command;

#[test]
fn each_package_that_users_build_is_listed_with_its_keeper_and_the_page_has_the_facts_of_today() {
    let compared = Command::new(env!("CARGO_BIN_EXE_eio-dependencies")).arg("check").output().unwrap();
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
}
