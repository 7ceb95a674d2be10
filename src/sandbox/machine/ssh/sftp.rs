//! The SFTP subsystem, version 3 as OpenSSH speaks it.
//!
//! Each session has a thread of its own that has taken on the user's rights
//! (Linux keeps them per thread), so the kernel decides what the user may do,
//! and slow disks do not hold up other sessions.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use russh::ChannelWriteHalf;
use russh::server::{Handle as Connection, Msg};
use russh_sftp::protocol::{
    Attrs, Data, File as Listed, FileAttributes, Handle, Name, OpenFlags, Packet, Status,
    StatusCode, Version,
};
use russh_sftp::server::{Config, Handler, StatusReply};
use tokio::sync::oneshot;
use tokio_util::io::StreamReader;

use super::identity::Identity;
use super::input::Input;

/// Directory entries in one answer.
const ENTRIES: usize = 100;
/// The longest request; OpenSSH's clients send up to 255 KiB of data.
const REQUEST: u32 = 1 << 20;
/// The most bytes one read returns, so that the answer fits OpenSSH's 256 KiB.
const READ: u32 = 255 << 10;
/// Open files and directories of one session.
const HANDLES: usize = 1024;

/// The connection's hold on a file session.
#[derive(Debug)]
pub(super) struct FileSession {
    pub(super) input: Arc<Input>,
    /// Runs until the channel is closed from this side.
    work: tokio::task::JoinHandle<()>,
}

impl FileSession {
    /// Whether the channel is closed from this side.
    pub(super) fn is_over(&self) -> bool {
        self.work.is_finished()
    }
}

impl Drop for FileSession {
    fn drop(&mut self) {
        self.input.end();
    }
}

/// Serves the channel until the client ends it.
pub(super) fn start(
    identity: Identity,
    channel: ChannelWriteHalf<Msg>,
    connection: Connection,
) -> FileSession {
    let id = channel.id();
    let input = Arc::new(Input::default());
    let requests = Arc::clone(&input);
    let (ended, wait) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("sftp".into()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        let home = identity.user.home.clone();
        if identity.assume().is_err() {
            return;
        }
        let (handler_ended, handler_gone) = oneshot::channel();
        let handler = Files { home, open: HashMap::new(), next: 0, _ended: handler_ended };
        runtime.block_on(async {
            let config = Config { max_client_packet_len: REQUEST };
            let requests = futures::stream::try_unfold(requests, |requests| async move {
                Ok::<_, io::Error>(requests.next().await?.map(|b| (io::Cursor::new(b), requests)))
            });
            let stream =
                tokio::io::join(StreamReader::new(Box::pin(requests)), channel.make_writer());
            russh_sftp::server::run_with_config(stream, handler, config).await;
            // The handler lives in a task that ends with the stream.
            drop(handler_gone.await);
        });
        drop(ended);
    });
    let read = Arc::clone(&input);
    let work = tokio::spawn(async move {
        let status = match spawned {
            Ok(_thread) => {
                // The sender is only ever dropped.
                let _: Result<(), _> = wait.await;
                0
            }
            Err(_) => 1,
        };
        read.close();
        let _: Result<_, _> = connection.eof(id).await;
        let _: Result<_, _> = connection.exit_status_request(id, status).await;
        let _: Result<_, _> = connection.close(id).await;
    });
    FileSession { input, work }
}

enum Opened {
    File { file: File, append: bool },
    Directory { entries: fs::ReadDir },
}

/// One session's open files.
struct Files {
    home: PathBuf,
    open: HashMap<String, Opened>,
    next: u64,
    _ended: oneshot::Sender<()>,
}

fn reply(error: io::Error) -> StatusReply {
    let code = match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NoSuchFile,
        io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        io::ErrorKind::UnexpectedEof => StatusCode::Eof,
        io::ErrorKind::Unsupported => StatusCode::OpUnsupported,
        _ => StatusCode::Failure,
    };
    code.with_message(error.to_string())
}

fn done(id: u32, result: io::Result<()>) -> Result<Status, StatusReply> {
    result.map_err(reply)?;
    Ok(Status {
        id,
        status_code: StatusCode::Ok,
        error_message: "Ok".to_owned(),
        language_tag: "en-US".to_owned(),
    })
}

fn bad_handle() -> StatusReply {
    StatusCode::Failure.with_message("no such handle")
}

/// What a file is, with its type in the mode bits.
fn attributes(metadata: &Metadata) -> FileAttributes {
    let seconds = |time: i64| u32::try_from(time).unwrap_or(0);
    FileAttributes {
        size: Some(metadata.size()),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
        permissions: Some(metadata.mode()),
        atime: Some(seconds(metadata.atime())),
        mtime: Some(seconds(metadata.mtime())),
        user: None,
        group: None,
    }
}

fn set_times(file: &File, attributes: &FileAttributes) -> io::Result<()> {
    let (Some(atime), Some(mtime)) = (attributes.atime, attributes.mtime) else { return Ok(()) };
    let at = |seconds: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
    file.set_times(fs::FileTimes::new().set_accessed(at(atime)).set_modified(at(mtime)))
}

fn set_attributes(path: &Path, attributes: &FileAttributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        OpenOptions::new().write(true).open(path)?.set_len(size)?;
    }
    if attributes.uid.is_some() || attributes.gid.is_some() {
        std::os::unix::fs::chown(path, attributes.uid, attributes.gid)?;
    }
    if let Some(mode) = attributes.permissions {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))?;
    }
    if attributes.atime.is_some() {
        set_times(&File::open(path)?, attributes)?;
    }
    Ok(())
}

fn set_file_attributes(file: &File, attributes: &FileAttributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        file.set_len(size)?;
    }
    if attributes.uid.is_some() || attributes.gid.is_some() {
        std::os::unix::fs::fchown(file, attributes.uid, attributes.gid)?;
    }
    if let Some(mode) = attributes.permissions {
        file.set_permissions(Permissions::from_mode(mode & 0o7777))?;
    }
    set_times(file, attributes)
}

/// The absolute path without `.` and `..`, for what does not exist yet.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::Normal(name) => normal.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    normal
}

impl Files {
    fn path(&self, path: &str) -> PathBuf {
        // Relative to the user's home, and `~` as some clients write it.
        self.home.join(path)
    }

    fn keep(&mut self, id: u32, opened: Opened) -> Result<Handle, StatusReply> {
        if self.open.len() >= HANDLES {
            return Err(StatusCode::Failure.with_message("too many open handles"));
        }
        self.next += 1;
        let handle = self.next.to_string();
        self.open.insert(handle.clone(), opened);
        Ok(Handle { id, handle })
    }

    fn file(&self, handle: &str) -> Result<(&File, bool), StatusReply> {
        match self.open.get(handle) {
            Some(Opened::File { file, append }) => Ok((file, *append)),
            _ => Err(bad_handle()),
        }
    }

    fn real_path(&self, path: &str) -> PathBuf {
        let path = if path.is_empty() { self.home.clone() } else { self.path(path) };
        fs::canonicalize(&path).unwrap_or_else(|_| normal(&path))
    }
}

fn one_name(id: u32, path: &Path) -> Name {
    Name { id, files: vec![Listed::dummy(path.to_string_lossy())] }
}

impl Handler for Files {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, StatusReply> {
        let mut version = Version::new();
        for name in ["posix-rename@openssh.com", "hardlink@openssh.com", "fsync@openssh.com"] {
            version.extensions.insert(name.to_owned(), "1".to_owned());
        }
        Ok(version)
    }

    async fn open(
        &mut self,
        id: u32,
        name: String,
        flags: OpenFlags,
        attributes: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        let path = self.path(&name);
        let append = flags.contains(OpenFlags::APPEND);
        let file = OpenOptions::new()
            .read(flags.contains(OpenFlags::READ))
            .write(flags.contains(OpenFlags::WRITE))
            .append(append)
            .create(flags.contains(OpenFlags::CREATE))
            .create_new(flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUDE))
            .truncate(flags.contains(OpenFlags::TRUNCATE) && !append)
            .mode(attributes.permissions.unwrap_or(0o666) & 0o7777)
            .open(path)
            .map_err(reply)?;
        self.keep(id, Opened::File { file, append })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        self.open.remove(&handle).ok_or_else(bad_handle)?;
        done(id, Ok(()))
    }

    async fn read(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        length: u32,
    ) -> Result<Data, StatusReply> {
        let (file, _) = self.file(&handle)?;
        let mut data = vec![0; length.min(READ) as usize];
        let count = file.read_at(&mut data, offset).map_err(reply)?;
        if count == 0 && length > 0 {
            return Err(StatusCode::Eof.into());
        }
        data.truncate(count);
        Ok(Data { id, data })
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<Status, StatusReply> {
        let (mut file, append) = self.file(&handle)?;
        let result = if append {
            io::Write::write_all(&mut file, &data)
        } else {
            file.write_all_at(&data, offset)
        };
        done(id, result)
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        let metadata = fs::symlink_metadata(self.path(&path)).map_err(reply)?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        let metadata = fs::metadata(self.path(&path)).map_err(reply)?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let metadata = self.file(&handle)?.0.metadata().map_err(reply)?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn setstat(
        &mut self,
        id: u32,
        path: String,
        attributes: FileAttributes,
    ) -> Result<Status, StatusReply> {
        done(id, set_attributes(&self.path(&path), &attributes))
    }

    async fn fsetstat(
        &mut self,
        id: u32,
        handle: String,
        attributes: FileAttributes,
    ) -> Result<Status, StatusReply> {
        done(id, set_file_attributes(self.file(&handle)?.0, &attributes))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        let entries = fs::read_dir(self.path(&path)).map_err(reply)?;
        self.keep(id, Opened::Directory { entries })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let Some(Opened::Directory { entries }) = self.open.get_mut(&handle) else {
            return Err(bad_handle());
        };
        let mut files = Vec::new();
        for entry in entries.take(ENTRIES) {
            let entry = entry.map_err(reply)?;
            // Gone since it was listed.
            let Ok(metadata) = entry.metadata() else { continue };
            files.push(Listed::new(entry.file_name().to_string_lossy(), attributes(&metadata)));
        }
        if files.is_empty() {
            return Err(StatusCode::Eof.into());
        }
        Ok(Name { id, files })
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        done(id, fs::remove_file(self.path(&path)))
    }

    async fn mkdir(
        &mut self,
        id: u32,
        path: String,
        attributes: FileAttributes,
    ) -> Result<Status, StatusReply> {
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(
            &mut builder,
            attributes.permissions.unwrap_or(0o777) & 0o7777,
        );
        done(id, builder.create(self.path(&path)))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        done(id, fs::remove_dir(self.path(&path)))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        Ok(one_name(id, &self.real_path(&path)))
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, StatusReply> {
        let to = self.path(&to);
        // The plain request of version 3 must not replace a file.
        if fs::symlink_metadata(&to).is_ok() {
            return Err(StatusCode::Failure.with_message("the target exists"));
        }
        done(id, fs::rename(self.path(&from), to))
    }

    async fn readlink(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        Ok(one_name(id, &fs::read_link(self.path(&path)).map_err(reply)?))
    }

    /// OpenSSH's server and every client since send the target first, against the draft's order.
    async fn symlink(
        &mut self,
        id: u32,
        target: String,
        link: String,
    ) -> Result<Status, StatusReply> {
        done(id, std::os::unix::fs::symlink(target, self.path(&link)))
    }

    async fn extended(
        &mut self,
        id: u32,
        request: String,
        data: Vec<u8>,
    ) -> Result<Packet, StatusReply> {
        let mut strings = Strings(&data);
        let bad = || StatusReply::from(StatusCode::BadMessage);
        let result = match request.as_str() {
            "posix-rename@openssh.com" => {
                let (from, to) = strings.two().ok_or_else(bad)?;
                fs::rename(self.path(from), self.path(to))
            }
            "hardlink@openssh.com" => {
                let (from, to) = strings.two().ok_or_else(bad)?;
                fs::hard_link(self.path(from), self.path(to))
            }
            "fsync@openssh.com" => {
                let handle = strings.next().ok_or_else(bad)?;
                self.file(handle)?.0.sync_all()
            }
            _ => return Err(StatusCode::OpUnsupported.into()),
        };
        done(id, result).map(Packet::Status)
    }
}

/// The strings of an extended request: length, bytes.
struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn two(&mut self) -> Option<(&'a str, &'a str)> {
        Some((self.next()?, self.next()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_do_not_exist_are_made_normal() {
        assert_eq!(normal(Path::new("/a/./b/../../c")), Path::new("/c"));
        assert_eq!(normal(Path::new("/../..")), Path::new("/"));
    }

    #[test]
    fn extended_requests_are_split_into_strings() {
        let data = b"\0\0\0\x02ab\0\0\0\x01c";
        assert_eq!(Strings(data).two(), Some(("ab", "c")));
        assert_eq!(Strings(&data[..8]).two(), None);
        assert_eq!(Strings(b"\xff\xff\xff\xffx").next(), None);
    }
}
