//! The path of a server, which ends with a slash.

/// Returns a path with a slash at its end.
pub(crate) fn with_slash(mut path: String) -> String {
    if !path.ends_with('/') {
        path.push('/');
    }
    path
}

/// Returns whether `path` is `root`, with its final slash or without it, or a path below `root`. `root` must end with a
/// slash.
#[cfg(feature = "server")]
pub(crate) fn is_at(root: &str, path: &str) -> bool {
    path.starts_with(root) || root.strip_suffix('/') == Some(path)
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_at_its_root_with_a_slash_at_the_end_or_without() {
        for path in ["/engine.io/", "/engine.io", "/engine.io/x", "/engine.io//"] {
            assert!(is_at("/engine.io/", path), "{path}");
        }
        for path in ["/engine.iox", "/engine", "/", "/x/engine.io/"] {
            assert!(!is_at("/engine.io/", path), "{path}");
        }
        assert!(is_at("/", "/") && is_at("/", "/x"));
    }
}
