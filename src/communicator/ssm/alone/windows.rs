//! Files to and from Windows: one compressed stream of entries, each file with its digest.
//!
//! | entry | followed by |
//! |---|---|
//! | `D path` | nothing: a directory |
//! | `F size sha256 path` | the file's bytes |
//! | `L path target` | nothing: a symbolic link |
//! | `E` | nothing: that was all |
//!
//! Each is a line; paths have slashes between their parts and are in base64, that of a single file
//! is empty. What goes up begins with a line about the whole: JSON in base64.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::way::{Alone, LARGEST, Request};
use crate::communicator::plain_landing::{PlainLanding, odd};
use crate::communicator::ssm::depot::{self, Depot};
use crate::communicator::stream::archive::write_planned;
use crate::communicator::stream::receive::told;
use crate::communicator::stream::{Mishap, failed};
use crate::communicator::{
    Chunk, CommunicatorError, Download, DownloadReport, Exit, Stdin, Upload, UploadReport,
};
use crate::event::Stream;
use crate::plan::{Digest, Entry, Tree};

/// More than this goes through a bucket, where there is one.
const THRESHOLD: u64 = 1 << 20;
/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

/// Receives files as the contract of `Communicator::upload` says.
pub(super) const RECEIVE: &str = r#"$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
function Read-Line($stream) {
  $line = New-Object IO.MemoryStream
  while (($byte = $stream.ReadByte()) -ge 0 -and $byte -ne 10) { $line.WriteByte($byte) }
  [Text.Encoding]::ASCII.GetString($line.ToArray())
}
function Read-Text($word) { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($word)) }
$fetched = $null
try {
  $in = [Console]::OpenStandardInput()
  $head = Read-Text (Read-Line $in) | ConvertFrom-Json
  if ($head.url) {
    $fetched = "$PSScriptRoot\$([Guid]::NewGuid())"
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor 3072
    (New-Object Net.WebClient).DownloadFile($head.url, $fetched)
    if ((Get-FileHash -LiteralPath $fetched -Algorithm SHA256).Hash -ne $head.sha256) { throw 'what was fetched from the bucket is not what was put there' }
    $in = [IO.File]::OpenRead($fetched)
  }
  $in = New-Object IO.Compression.GzipStream($in, [IO.Compression.CompressionMode]::Decompress)
  $target = $head.destination
  $slash = $target.EndsWith('/') -or $target.EndsWith('\')
  if ($head.file) {
    if ($slash) { $target = Join-Path $target $head.name }
    if (Test-Path -LiteralPath $target -PathType Container) { throw "$($target): Is a directory" }
  } elseif (-not $head.contents -and (Test-Path -LiteralPath $target -PathType Container)) {
    $target = Join-Path $target $head.name
  }
  $target = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($target)
  if (-not $head.file) { $null = [IO.Directory]::CreateDirectory($target) }
  $buffer = New-Object byte[] 65536
  for (;;) {
    $word = (Read-Line $in).Split(' ')
    if ($word[0] -eq 'E') { break }
    if ($word[0] -eq 'D') {
      $null = [IO.Directory]::CreateDirectory((Join-Path $target (Read-Text $word[1])))
    } elseif ($word[0] -eq 'L') {
      $path = Join-Path $target (Read-Text $word[1])
      $null = [IO.Directory]::CreateDirectory((Split-Path -Parent $path))
      $null = New-Item -Force -ItemType SymbolicLink -Path $path -Value (Read-Text $word[2])
    } elseif ($word[0] -eq 'F') {
      $path = $target
      if ($word[3]) { $path = Join-Path $target (Read-Text $word[3]) }
      $parent = Split-Path -Parent $path
      if ($parent) { $null = [IO.Directory]::CreateDirectory($parent) }
      $left = [long]$word[1]
      $hasher = [Security.Cryptography.SHA256]::Create()
      $out = [IO.File]::Create("$path.bake-new")
      try {
        while ($left -gt 0) {
          $got = $in.Read($buffer, 0, [Math]::Min($buffer.Length, $left))
          if ($got -eq 0) { throw "$($path): not all of it arrived" }
          $out.Write($buffer, 0, $got)
          $null = $hasher.TransformBlock($buffer, 0, $got, $null, 0)
          $left -= $got
        }
      } finally { $out.Dispose() }
      $null = $hasher.TransformFinalBlock($buffer, 0, 0)
      $digest = [BitConverter]::ToString($hasher.Hash).Replace('-', '').ToLowerInvariant()
      if ($digest -ne $word[2]) { Remove-Item -Force -LiteralPath "$path.bake-new"; throw "$($path): the digest of what arrived differs" }
      Move-Item -Force -LiteralPath "$path.bake-new" -Destination $path
    } else { throw 'the files did not arrive whole' }
  }
} catch {
  [Console]::Error.WriteLine("$_")
  exit 1
} finally {
  if ($fetched) { if ($in) { $in.Dispose() }; Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath $fetched }
}
exit 0
"#;

/// Sends what a pattern names. Its input is the line about the whole.
pub(super) const SEND: &str = r#"$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
function Text($text) { [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($text)) }
function Say($stream, $line) { $bytes = [Text.Encoding]::ASCII.GetBytes("$line`n"); $stream.Write($bytes, 0, $bytes.Length) }
function Send($zip, $item, $path) {
  if ($item.PSIsContainer) {
    Say $zip "D $(Text $path)"
    foreach ($one in Get-ChildItem -Force -LiteralPath $item.FullName) {
      if (-not ($one.Attributes -band [IO.FileAttributes]::ReparsePoint)) { Send $zip $one "$path/$($one.Name)" }
    }
  } else {
    $digest = (Get-FileHash -LiteralPath $item.FullName -Algorithm SHA256).Hash.ToLowerInvariant()
    $file = [IO.File]::Open($item.FullName, 'Open', 'Read', 'ReadWrite')
    try {
      Say $zip "F $($file.Length) $digest $(Text $path)"
      $file.CopyTo($zip)
    } finally { $file.Dispose() }
  }
}
$kept = $null
try {
  $head = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String([Console]::In.ReadLine())) | ConvertFrom-Json
  if (Test-Path -LiteralPath $head.source) { $items = @(Get-Item -Force -LiteralPath $head.source) } else { $items = @(Get-Item -Force -Path $head.source) }
  if ($items.Count -eq 0) { throw "$($head.source): there is no such file" }
  $kind = if ($items[0].PSIsContainer) { 'other' } else { 'file' }
  $out = [Console]::OpenStandardOutput()
  $to = $out
  if ($head.url) { $kept = "$PSScriptRoot\$([Guid]::NewGuid())"; $to = [IO.File]::Create($kept) } else { Say $out "$($items.Count) $kind" }
  $zip = New-Object IO.Compression.GzipStream($to, [IO.Compression.CompressionMode]::Compress, $true)
  foreach ($item in $items) { Send $zip $item $item.Name }
  Say $zip 'E'
  $zip.Dispose()
  if ($head.url) {
    $to.Dispose()
    $digest = (Get-FileHash -LiteralPath $kept -Algorithm SHA256).Hash.ToLowerInvariant()
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor 3072
    $null = Invoke-WebRequest -UseBasicParsing -Method Put -Uri $head.url -InFile $kept -ContentType 'application/octet-stream'
    Say $out "$($items.Count) $kind $digest"
  }
} catch {
  [Console]::Error.WriteLine("$_")
  exit 1
} finally {
  if ($kept) { Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath $kept }
}
exit 0
"#;

/// What runs one of the two.
fn command(alone: &Alone, script: &str) -> String {
    format!(
        "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File \"{}\\{script}.ps1\"",
        alone.directory()
    )
}

/// Sends a file or a tree as
/// [`Communicator::upload`](crate::communicator::Communicator::upload) says. Windows has no
/// permission bits.
pub(in super::super) async fn upload(
    alone: &Arc<Alone>,
    depot: Option<&Arc<dyn Depot>>,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<UploadReport, CommunicatorError> {
    let failed = |reason: &str| failed(upload, reason);
    if upload.destination.is_empty() {
        return Err(failed("the destination is empty"));
    }
    let mut head = json!({
        "destination": upload.destination,
        "name": upload.name,
        "file": upload.tree.single_file().is_some(),
        "contents": upload.contents_only,
    });
    let tree = upload.tree.clone();
    let packed = tokio::task::spawn_blocking(move || pack(&tree, tempfile::tempfile()?));
    let packed = packed.await.map_err(|error| failed(&error.to_string()))?;
    let mut file = packed.map_err(|error| match error.downcast::<CommunicatorError>() {
        Ok(error) => error,
        Err(error) => failed(&error.to_string()),
    })?;
    let size = file.metadata().map_or(0, |found| found.len());
    let object = depot::name();
    let depot = depot.filter(|_| size > THRESHOLD);
    let sending = async {
        let mut rest = Vec::new();
        if let Some(depot) = depot {
            let digest = digest(&mut file).map_err(|error| failed(&error.to_string()))?;
            let copy = file.try_clone().map_err(|error| failed(&error.to_string()))?;
            let put = depot.put(object.clone(), copy, size, digest).await;
            put.map_err(|error| alone.trouble(error))?;
            let url = depot.read_url(object.clone()).await;
            let url = url.map_err(|error| alone.trouble(error))?;
            head["url"] = json!(url.reveal());
            head["sha256"] = json!(digest.hex());
        } else if size > LARGEST as u64 {
            return Err(alone.too_large());
        } else {
            file.rewind()
                .and_then(|()| file.read_to_end(&mut rest))
                .map_err(|error| failed(&error.to_string()))?;
        }
        let mut stream = STANDARD.encode(head.to_string()).into_bytes();
        stream.push(b'\n');
        stream.extend(rest);
        let stdin = Stdin::Bytes(stream.into());
        run(alone, &command(alone, "receive"), stdin, None).await
    };
    let sent = sending.await;
    if let Some(depot) = depot {
        depot::delete(depot, object).await;
    }
    let (exit, _, said) = sent?;
    match complaint(exit, &said) {
        None => {
            progress(upload.tree.size());
            Ok(UploadReport { bytes: upload.tree.size(), files: upload.tree.files() })
        }
        Some(reason) => Err(failed(&reason)),
    }
}

/// The digest of a whole file.
fn digest(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut space = vec![0; 64 << 10];
    file.rewind()?;
    loop {
        let count = file.read(&mut space)?;
        if count == 0 {
            return Ok(Digest::from_hasher(hasher));
        }
        hasher.update(space.get(..count).unwrap_or_default());
    }
}

/// Fetches files as
/// [`Communicator::download`](crate::communicator::Communicator::download) says.
pub(in super::super) async fn download(
    alone: &Arc<Alone>,
    depot: Option<&Arc<dyn Depot>>,
    download: &Download,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<DownloadReport, CommunicatorError> {
    let failed = |reason: &str| CommunicatorError::Download {
        remote: download.source.clone(),
        reason: reason.to_owned(),
    };
    let object = depot::name();
    let mut head = json!({ "source": download.source });
    let receiving = async {
        if let Some(depot) = depot {
            let url = depot.write_url(object.clone()).await;
            let url = url.map_err(|error| alone.trouble(error))?;
            head["url"] = json!(url.reveal());
        }
        let stdin = STANDARD.encode(head.to_string()) + "\n";
        let stdin = Stdin::Bytes(stdin.into_bytes().into());
        let (exit, stream, said) =
            run(alone, &command(alone, "send"), stdin, Some(progress)).await?;
        if let Some(reason) = complaint(exit, &said) {
            return Err(failed(&reason));
        }
        let Some(depot) = depot else {
            let mut file = tempfile::tempfile().map_err(|error| failed(&error.to_string()))?;
            let end = stream.iter().position(|byte| *byte == b'\n').unwrap_or(stream.len());
            let (head, rest) = stream.split_at(end);
            file.write_all(rest.get(1..).unwrap_or_default())
                .map_err(|error| failed(&error.to_string()))?;
            return Ok((file, String::from_utf8_lossy(head).into_owned()));
        };
        let head = String::from_utf8_lossy(&stream).trim().to_owned();
        let (head, expected) = head.rsplit_once(' ').unwrap_or((&head, ""));
        let mut file = fetch(alone, depot, object.clone())
            .await?
            .map_err(|error| failed(&error.to_string()))?;
        let found = digest(&mut file).map_err(|error| failed(&error.to_string()))?;
        if found.hex() != expected {
            return Err(failed("what was fetched is not what the instance put there"));
        }
        Ok((file, head.to_owned()))
    };
    // Without success the instance may still put it: then it stays recorded, and goes when nothing
    // can put it any more.
    let (mut file, head) = receiving.await?;
    if let Some(depot) = depot {
        depot::delete(depot, object).await;
    }
    let wanted = download.clone();
    let unpacked = tokio::task::spawn_blocking(move || {
        file.rewind().map_err(|error| Mishap::There(error.to_string()))?;
        unpack(file, &head, &wanted)
    });
    let unpacked = unpacked.await.map_err(|error| failed(&error.to_string()))?;
    let report = unpacked.map_err(|error| told(download, error))?;
    progress(report.bytes);
    Ok(report)
}

/// Fetches an object into a file.
async fn fetch(
    alone: &Alone,
    depot: &Arc<dyn Depot>,
    object: String,
) -> Result<io::Result<File>, CommunicatorError> {
    let (sender, mut pieces) = mpsc::channel::<Vec<u8>>(16);
    let keeping = tokio::task::spawn_blocking(move || {
        let mut file = tempfile::tempfile()?;
        while let Some(bytes) = pieces.blocking_recv() {
            file.write_all(&bytes)?;
        }
        Ok(file)
    });
    depot.get(object, sender).await.map_err(|error| alone.trouble(error))?;
    Ok(keeping.await.map_err(io::Error::other).flatten())
}

/// Why a script has not done it, if so.
fn complaint(exit: Exit, said: &str) -> Option<String> {
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = said.collect::<Vec<_>>().join("; ");
    match exit {
        Exit::Code(0) => None,
        Exit::Code(code) if said.is_empty() => {
            Some(format!("the command ended with status {code}"))
        }
        Exit::Code(_) => Some(said),
        Exit::Signal(signal) => Some(format!("the command was killed by SIG{signal}")),
        Exit::Disconnected { reason } => Some(reason),
    }
}

/// Runs a script; gives what it printed.
async fn run(
    alone: &Arc<Alone>,
    command: &str,
    stdin: Stdin,
    progress: Option<&(dyn Fn(u64) + Send + Sync)>,
) -> Result<(Exit, Vec<u8>, String), CommunicatorError> {
    let (output, mut chunks) = mpsc::channel::<Chunk>(16);
    let listening = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.recv().await {
            match chunk.stream {
                Stream::Stdout => {
                    out.extend(chunk.bytes);
                    if let Some(progress) = progress {
                        progress(out.len() as u64);
                    }
                }
                Stream::Stderr => {
                    let room = COMPLAINTS.saturating_sub(err.len());
                    err.extend(chunk.bytes.into_iter().take(room));
                }
            }
        }
        (out, String::from_utf8_lossy(&err).into_owned())
    };
    let job = format!("{:016x}", rand::random::<u64>());
    let request = Request { job, command, stdin, output, files: true };
    let (exit, (out, err)) = tokio::join!(alone.run(request), listening);
    Ok((exit?, out, err))
}

/// Writes a tree as compressed entries.
fn pack<W: Write>(tree: &Tree, writer: W) -> io::Result<W> {
    let mut zip = GzEncoder::new(writer, Compression::fast());
    let single = tree.single_file().is_some();
    for (path, entry) in &tree.entries {
        let name = STANDARD.encode(if single { "" } else { path });
        match entry {
            Entry::Directory { .. } if path.is_empty() => {}
            Entry::Directory { .. } => writeln!(zip, "D {name}")?,
            Entry::Symlink { target } => writeln!(zip, "L {name} {}", STANDARD.encode(target))?,
            Entry::File { size, digest, .. } => {
                writeln!(zip, "F {size} {digest} {name}")?;
                write_planned(entry, &mut zip)?;
            }
        }
    }
    writeln!(zip, "E")?;
    zip.finish()
}

/// Unpacks what arrived.
fn unpack(stream: impl Read, head: &str, download: &Download) -> Result<DownloadReport, Mishap> {
    let broken = || Mishap::There("the files did not arrive whole".to_owned());
    let unread = |error: io::Error| Mishap::There(error.to_string());
    let mut reader = BufReader::new(GzDecoder::new(BufReader::new(stream)));
    let mut landing = PlainLanding::new(download, head == "1 file")?;
    let name = |encoded: &str| {
        let name = STANDARD.decode(encoded).map_err(|_| odd())?;
        String::from_utf8(name).map_err(|_| odd())
    };
    let mut space = vec![0; 64 << 10];
    loop {
        let mut line = Vec::new();
        (&mut reader).take(128 << 10).read_until(b'\n', &mut line).map_err(unread)?;
        let line = String::from_utf8(line).map_err(|_| broken())?;
        let line = line.strip_suffix('\n').ok_or_else(broken)?;
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["E"] => return landing.finish(),
            ["D", path] => landing.directory(&name(path)?)?,
            ["F", size, digest, path] => {
                let size: u64 = size.parse().map_err(|_| broken())?;
                landing.begin(&name(path)?)?;
                let mut bytes = (&mut reader).take(size);
                loop {
                    let count = bytes.read(&mut space).map_err(unread)?;
                    if count == 0 {
                        break;
                    }
                    landing.write(space.get(..count).unwrap_or_default())?;
                }
                if bytes.limit() > 0 {
                    return Err(broken());
                }
                landing.end(digest)?;
            }
            _ => return Err(broken()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_breaks_off_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        let download =
            Download { source: "c:/x".to_owned(), destination: to.clone(), into_directory: true };
        let lines = |end: &str| {
            let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
            let (directory, file) = (STANDARD.encode("d"), STANDARD.encode("d/a"));
            let digest = Digest::of(b"text").hex();
            write!(zip, "D {directory}\nF 4 {digest} {file}\ntext{end}").unwrap();
            zip.finish().unwrap()
        };
        for end in ["", "F 9 0 eA==\nte", "nonsense\n", "F 1 0 eA==\nxE\n"] {
            let refused = unpack(lines(end).as_slice(), "1 other", &download);
            assert!(matches!(refused, Err(Mishap::There(_))), "{end}");
            assert!(!to.exists(), "{end}");
        }
        let report = unpack(lines("E\n").as_slice(), "1 other", &download).unwrap();
        assert_eq!(report, DownloadReport { bytes: 4, files: 1 });
        assert_eq!(std::fs::read(to.join("d/a")).unwrap(), b"text");
    }
}
