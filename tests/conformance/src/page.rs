//! The page that shows the lists.

use crate::data::{Binds, Clause, Level, Section, Specification, Standing, Words};

const HEAD: &str = "\
# Conformance

This page lists what the specifications demand of eio, each demand once, with the tests that hold it. The sentences are
shorter than the text that they stand for: to implement a protocol, read the text.

`cargo run --package eio-conformance` writes this page from the lists in `tests/conformance/data/`, and a test of that
package fails when

- the page is not what the lists give,
- a clause has neither a test nor a reason, or a test that it names does not exist,
- a clause or a sentence stands twice,
- the clauses of a section do not account for each of its words that demand something, such as MUST and SHOULD.

So a demand that nobody has claimed is noticed. How many such words a section has is a number that the lists state.
`cargo xtask prove specifications` fetches the texts and counts again, without reading what they say. To count in a text that
you have:

```sh
cargo run --package eio-conformance -- compare rfc-6455 rfc6455.txt
```

In the tables, a clause is *plain* if the text says it without such a word. Its standing is either the tests, which fail
if it is not kept; or *untested*, with the reason why it is kept although no test can show it; or *differs*, with what eio
does instead and why; or *does not apply*, because nothing in eio could keep or break it; or the clause that says the same. `cargo xtask test real-peers` runs the tests of `tests/tests/real_peers/`,
which need other people's programs. `cargo xtask check` runs all others.
";

const GLANCE: &str = "
## At a glance

| | words | clauses | held | untested | differ | do not apply | tests |
|---|---|---|---|---|---|---|---|
";

const TABLE: &str = "
| clause | level | binds | what | standing |
|---|---|---|---|---|
";

/// Writes the page.
#[must_use]
pub fn page(specifications: &[Specification]) -> String {
    let head = [HEAD, GLANCE].into_iter().map(str::to_owned);
    let summaries = specifications.iter().map(summary).chain([together(specifications)]);
    head.chain(summaries).chain(specifications.iter().map(chapter)).collect()
}

/// How many clauses there are, in the protocols and in the suites of tests.
fn together(specifications: &[Specification]) -> String {
    let is_suite = |specification: &&Specification| specification.words == Words::Cases;
    let (suites, protocols): (Vec<_>, Vec<_>) = specifications.iter().partition(is_suite);
    let count =
        |is: fn(&Standing<'_>) -> bool| -> usize { protocols.iter().map(|one| standing(one, is)).sum() };
    format!(
        "\nThe protocols have {} clauses: {} held, {} untested, {} that differ, {} that do not apply. The suites have {} \
         cases.\n",
        protocols.iter().flat_map(|one| own(one)).count(),
        count(|standing| *standing == Standing::Held),
        count(|standing| matches!(standing, Standing::Untested(_))),
        count(|standing| matches!(standing, Standing::Differs(_))),
        count(|standing| matches!(standing, Standing::NotApplicable(_))),
        suites.iter().flat_map(|one| own(one)).count()
    )
}

/// How many clauses have such a standing.
fn standing(specification: &Specification, is: fn(&Standing<'_>) -> bool) -> usize {
    own(specification).filter(|clause| clause.standing().is_some_and(|standing| is(&standing))).count()
}

/// The clauses that say something themselves.
fn own(specification: &Specification) -> impl Iterator<Item = &Clause> {
    let clauses = specification.sections.iter().flat_map(|section| &section.clauses);
    clauses.filter(|clause| clause.repeats.is_none())
}

fn summary(specification: &Specification) -> String {
    let words: usize = specification.sections.iter().map(|section| section.must + section.should).sum();
    let number = |is: fn(&Standing<'_>) -> bool| standing(specification, is);
    let held = number(|standing| *standing == Standing::Held);
    let untested = number(|standing| matches!(standing, Standing::Untested(_)));
    let differ = number(|standing| matches!(standing, Standing::Differs(_)));
    let not = number(|standing| matches!(standing, Standing::NotApplicable(_)));
    let mut tests: Vec<_> = own(specification).flat_map(Clause::tests).collect();
    tests.sort_unstable();
    tests.dedup();
    format!(
        "| [{}](#{}) | {words} | {} | {held} | {untested} | {differ} | {not} | {} |\n",
        specification.title,
        anchor(&specification.title),
        own(specification).count(),
        tests.len(),
    )
}

/// The anchor that a heading gets.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-'));
    kept.map(|sign| if sign == ' ' { '-' } else { sign.to_ascii_lowercase() }).collect()
}

fn chapter(specification: &Specification) -> String {
    let Specification { title, source, edition, words, .. } = specification;
    let counted = match words {
        Words::Capitals => "Words are counted in capital letters.",
        Words::AnyCase => "\"must\" and \"should\" are counted, in capital letters or not.",
        Words::Cases => "The cases are counted.",
    };
    let remark = specification.remark.trim();
    let remark = if remark.is_empty() { String::new() } else { format!("\n{remark}\n") };
    let head = format!("\n## {title}\n\nText: <{source}>, {edition}. {counted}\n{remark}");
    let sections = specification.sections.iter().flat_map(|section| {
        let Section { number, title, must, should, .. } = section;
        let heading = if *words == Words::Cases {
            format!("\n### {title}: {must} cases\n{TABLE}")
        } else {
            format!("\n### {number} {title}: {must} MUST, {should} SHOULD\n{TABLE}")
        };
        [heading].into_iter().chain(section.clauses.iter().map(row))
    });
    [head].into_iter().chain(sections).collect()
}

fn row(clause: &Clause) -> String {
    let level = match clause.level {
        Level::Must => "must",
        Level::Should => "should",
        Level::Plain => "plain",
    };
    let times = if clause.words() > 1 { format!(", {} words", clause.words()) } else { String::new() };
    let binds = match clause.binds {
        Some(Binds::Client) => "client",
        Some(Binds::Server) => "server",
        Some(Binds::Both) => "both",
        Some(Binds::Others) => "others",
        None => "",
    };
    let standing = match clause.standing() {
        Some(Standing::Held) => tests(clause),
        Some(Standing::Differs(reason)) if clause.held.is_empty() => format!("differs: {reason}"),
        Some(Standing::Differs(reason)) => format!("differs: {reason}<br>{}", tests(clause)),
        Some(Standing::Untested(reason)) => format!("untested: {reason}"),
        Some(Standing::NotApplicable(reason)) => format!("does not apply: {reason}"),
        Some(Standing::Repeats(other)) => format!("as {other}"),
        None => String::new(),
    };
    format!("| {} | {level}{times} | {binds} | {} | {standing} |\n", clause.id, clause.says)
}

/// The tests of a clause, file by file.
fn tests(clause: &Clause) -> String {
    let files = clause.held.iter().filter_map(|line| line.split_once(": ")).map(|(path, names)| {
        let names: Vec<_> = names.split(", ").map(|name| format!("`{name}`")).collect();
        format!("[`{path}`](../{path}): {}", names.join(", "))
    });
    files.collect::<Vec<_>>().join("<br>")
}
