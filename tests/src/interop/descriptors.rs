//! How many files and connections a process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit on open files and connections of this process, and of those that it starts, to what the system allows.
/// Many systems begin with 1,024.
///
/// # Panics
/// When that is less than `count`.
pub fn need_descriptors(count: u64) {
    let most = getrlimit(Resource::Nofile).maximum;
    let raised = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    let current = getrlimit(Resource::Nofile).current;
    assert!(
        current.is_none_or(|current| current >= count),
        "this needs {count} open files, and the system allows {current:?} ({raised:?}): raise the hard limit, \
         `ulimit -Hn {count}` as root"
    );
}
