//! The page is what the lists give, and the lists are whole.

use std::fs;

use eio_conformance::{PAGE, Sources, faults, page, read, root};

#[test]
fn every_demand_of_the_specifications_has_a_test_or_a_reason_and_the_page_shows_it() {
    let lists = read(&root().join("tests/conformance/data")).unwrap();
    assert!(lists.len() >= 4, "{} lists", lists.len());
    let faults = faults(&lists, &mut Sources::new(root()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let committed = fs::read_to_string(root().join(PAGE)).unwrap();
    let renew = "run `cargo run --package eio-conformance` and commit the page";
    assert!(committed == page(&lists), "{PAGE} is not what the lists give: {renew}");
}
