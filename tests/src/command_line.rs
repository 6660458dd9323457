//! What the test runner's command line says to test programs that have no standard harness.

/// The names to keep: what is left when the flags, and the values of those that have one, are taken out.
#[must_use]
pub fn filters(arguments: &[String]) -> Vec<&String> {
    let valued = ["--color", "--format", "--logfile", "--skip", "--test-threads", "-Z", "--shuffle-seed"];
    let mut filters = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        if !is_value && !argument.starts_with('-') {
            filters.push(argument);
        }
        is_value = valued.contains(&argument.as_str());
    }
    filters
}
