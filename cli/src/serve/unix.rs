//! Listening on a Unix socket: the permissions of its file, and when the file is removed.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

/// How many connections can wait to be accepted.
const BACKLOG: i32 = 1024;

/// The permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Mode(u32);

impl Mode {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
            .map(Self)
            .ok_or("expected permissions in octal, such as 600 or 660")
    }
}

impl Default for Mode {
    fn default() -> Self {
        Self(0o600)
    }
}

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|expected| format!("{text:?}: {expected}"))
    }
}

/// The file of a socket that this process listens on. Dropping this removes the file, unless another file has replaced it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

/// Listens on a Unix socket. Its file has these permissions before anybody can connect.
///
/// Replaces the file of a socket that nobody listens on, which a killed program leaves behind.
pub(crate) fn listen(path: &Path, mode: Mode) -> Result<(UnixListener, SocketFile), String> {
    let shown = path.display();
    let address = SockAddr::unix(path).map_err(|_| {
        format!("the path {shown:?} is too long for a Unix socket: expected at most 107 bytes")
    })?;
    let socket = stream_socket().map_err(|error| format!("cannot create a Unix socket: {error}"))?;
    // Before another server that starts now calls `listen`, its new file looks like one that nobody listens on.
    let _alone = lock_directory(path);
    let bound = match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path, &address)?;
            socket.bind(&address)
        }
        bound => bound,
    };
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("the directory of {shown:?} does not exist"),
        io::ErrorKind::PermissionDenied => format!("cannot create {shown:?}: {error}"),
        io::ErrorKind::AddrInUse => format!("cannot listen on {shown:?}: another program uses it"),
        _ => format!("cannot listen on {shown:?}: {error}"),
    };
    bound.map_err(cannot)?;
    let identity = fs::symlink_metadata(path).map(|file| identity(&file)).map_err(cannot)?;
    let file = SocketFile { path: path.to_owned(), identity };
    // Nobody can connect before `listen`.
    fs::set_permissions(path, Permissions::from_mode(mode.0)).map_err(cannot)?;
    socket.listen(BACKLOG).map_err(cannot)?;
    let listener = UnixListener::from_std(socket.into()).map_err(cannot)?;
    Ok((listener, file))
}

/// Locks the directory against other starting servers until the returned file is dropped. Returns `None` if the directory
/// cannot be read or locked.
fn lock_directory(path: &Path) -> Option<File> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = File::open(directory.unwrap_or(Path::new("."))).ok()?;
    directory.lock().ok()?;
    Some(directory)
}

fn stream_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Removes the file of a socket that nobody listens on.
fn remove_stale(path: &Path, address: &SockAddr) -> Result<(), String> {
    let shown = path.display();
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        return Err(format!(
            "cannot listen on {shown:?}: the file exists and is not a socket; choose another path"
        ));
    }
    let refused = stream_socket().and_then(|socket| socket.connect(address));
    if !refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        return Err(format!("cannot listen on {shown:?}: another program uses it; choose another path"));
    }
    fs::remove_file(path)
        .map_err(|error| format!("cannot remove {shown:?}, the socket of a program that has ended: {error}"))
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.identity) {
            // If this fails, the next server replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}
