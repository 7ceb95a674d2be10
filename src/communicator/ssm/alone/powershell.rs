//! The same scripts for Windows PowerShell, 5.1 and later. They never ran on Windows: what they do
//! is what the documentation says.
//!
//! A command is for `cmd.exe`, as over WinRM. Its job is started through WMI, as what the agent has
//! started ends with the agent's command.

use super::posix::ROOM;
use super::shell::{Input, Offsets, Output, Part, Scripts, Start};

/// How bytes come in and go out when there is a secret. `secret` is there once it was agreed on.
const CIPHER: &str = r#"function Get-Cipher([byte[]]$salt) {
  $sha = [Security.Cryptography.SHA256]::Create()
  $pass = [IO.File]::ReadAllBytes("$d\secret")
  $key = $sha.ComputeHash([byte[]]($pass + $salt))
  $next = $sha.ComputeHash([byte[]]($key + $pass + $salt))
  $aes = [Security.Cryptography.Aes]::Create()
  $aes.Mode = [Security.Cryptography.CipherMode]::CBC
  $aes.Padding = [Security.Cryptography.PaddingMode]::PKCS7
  $aes.Key = $key
  $aes.IV = [byte[]]$next[0..15]
  $aes
}
function Unprotect-Bytes([byte[]]$bytes) {
  if (-not (Test-Path -LiteralPath "$d\secret")) { return ,$bytes }
  $cipher = (Get-Cipher ([byte[]]$bytes[8..15])).CreateDecryptor()
  ,$cipher.TransformFinalBlock($bytes, 16, $bytes.Length - 16)
}
function Protect-Bytes([byte[]]$bytes) {
  if ($bytes.Length -eq 0 -or -not (Test-Path -LiteralPath "$d\secret")) { return ,$bytes }
  $salt = New-Object byte[] 8
  [Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($salt)
  $sealed = (Get-Cipher $salt).CreateEncryptor().TransformFinalBlock($bytes, 0, $bytes.Length)
  ,[byte[]]([Text.Encoding]::ASCII.GetBytes('Salted__') + $salt + $sealed)
}
"#;

/// A path as PowerShell's own word; nothing in it is a quote, as this machine makes it up.
fn literal(path: &str) -> String {
    format!("'{path}'")
}

/// What all scripts begin with.
fn prelude(scripts: &Scripts) -> String {
    format!(
        "$ErrorActionPreference = 'Stop'\n$ProgressPreference = 'SilentlyContinue'\n$d = {}\n",
        literal(&scripts.directory)
    )
}

/// Runs a job: its directory is the argument. Output goes into the files as the bytes that they
/// are, and the exit code is there in one piece or not at all.
const RUN: &str = r#"param($j)
[IO.File]::WriteAllText("$j\pid.new", "$PID")
Move-Item -LiteralPath "$j\pid.new" -Destination "$j\pid"
$code = 1
try {
  $text = [IO.File]::ReadAllText("$j\command").TrimEnd("`n")
  $start = @{
    FilePath = "$env:SystemRoot\System32\cmd.exe"
    ArgumentList = '/d /s /c "chcp 65001>nul&' + $text + '"'
    WorkingDirectory = $env:USERPROFILE
    RedirectStandardInput = "$j\in"
    RedirectStandardOutput = "$j\out"
    RedirectStandardError = "$j\err"
    NoNewWindow = $true
    PassThru = $true
  }
  $process = Start-Process @start
  $null = $process.Handle
  $process.WaitForExit()
  $code = $process.ExitCode
} catch {
  [IO.File]::AppendAllText("$j\err", "$_`r`n")
}
[IO.File]::WriteAllText("$j\exit.new", "$code")
Move-Item -LiteralPath "$j\exit.new" -Destination "$j\exit"
"#;

pub(super) fn arrange(scripts: &Scripts) -> String {
    let file = |name: &str, text: &str| {
        format!("[IO.File]::WriteAllText(\"$d\\{name}\", @'\n{text}\n'@)\n")
    };
    format!(
        r#"{prelude}$null = New-Item -ItemType Directory -Force -Path "$d\p"
$null = & icacls.exe $d /inheritance:r /grant '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath "$d\secret"
{files}$k = ''
try {{
  $rsa = New-Object Security.Cryptography.RSACryptoServiceProvider 2048
  [IO.File]::WriteAllText("$d\key", $rsa.ToXmlString($true))
  $public = $rsa.ExportParameters($false)
  $k = [Convert]::ToBase64String($public.Modulus) + ',' + [Convert]::ToBase64String($public.Exponent)
}} catch {{ }}
"bake-job encoder=own gzip=yes key=$k""#,
        prelude = prelude(scripts),
        files = [
            file("run.ps1", RUN),
            file("receive.ps1", super::windows::RECEIVE),
            file("send.ps1", super::windows::SEND)
        ]
        .concat(),
    )
}

pub(super) fn unwrap_secret(scripts: &Scripts, wrapped: &str) -> String {
    format!(
        r#"{}$s = 'no'
try {{
  $rsa = New-Object Security.Cryptography.RSACryptoServiceProvider
  $rsa.FromXmlString([IO.File]::ReadAllText("$d\key"))
  $secret = $rsa.Decrypt([Convert]::FromBase64String('{wrapped}'), $true)
  if ($secret.Length -eq 64) {{ [IO.File]::WriteAllBytes("$d\secret", $secret); $s = 'yes' }}
}} catch {{ }}
Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath "$d\key"
"bake-job sealed=$s""#,
        prelude(scripts)
    )
}

pub(super) fn piece(scripts: &Scripts, name: &str, number: usize, piece: &str) -> String {
    format!(
        r#"{}$f = "$d\p\{name}.{number:05}"
[IO.File]::WriteAllBytes("$f.new", [Convert]::FromBase64String('{piece}'))
Move-Item -Force -LiteralPath "$f.new" -Destination $f
"bake-job done=yes""#,
        prelude(scripts)
    )
}

/// Pieces in their order as one array.
const JOINED: &str = r#"function Get-Joined($name, [long]$size, $digest) {
  $whole = New-Object IO.MemoryStream
  foreach ($piece in Get-ChildItem -Path "$d\p\$name.?????" | Sort-Object Name) {
    $bytes = [IO.File]::ReadAllBytes($piece.FullName)
    $whole.Write($bytes, 0, $bytes.Length)
  }
  $bytes = $whole.ToArray()
  $hash = [Security.Cryptography.SHA256]::Create().ComputeHash($bytes)
  $hash = [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
  if ($bytes.Length -ne $size -or $hash -ne $digest) { throw 'incomplete' }
  Remove-Item -Path "$d\p\$name.?????"
  ,$bytes
}
"#;

/// The line that makes a file of a job out of a part.
fn made(part: &Part, file: &str) -> String {
    let bytes = match part {
        Part::Inline(text) => format!("([Convert]::FromBase64String('{text}'))"),
        Part::Joined { name, size, digest } => format!("(Get-Joined {name} {size} {digest})"),
    };
    format!("[IO.File]::WriteAllBytes(\"$n\\{file}\", (Unprotect-Bytes {bytes}))")
}

pub(super) fn start(scripts: &Scripts, start: &Start<'_>) -> String {
    let finished: String = start
        .finished
        .iter()
        .map(|job| {
            format!(
                "Remove-Item -Recurse -Force -ErrorAction SilentlyContinue -LiteralPath \"$d\\{job}\"\n"
            )
        })
        .collect();
    let input = match &start.input {
        Input::Held(part) => made(part, "in"),
        Input::Nothing | Input::Fed => {
            "[IO.File]::WriteAllBytes(\"$n\\in\", (New-Object byte[] 0))".to_owned()
        }
    };
    format!(
        r#"{prelude}{CIPHER}{JOINED}{LOOK}$j = "$d\{job}"
$room = {ROOM}
{finished}if (-not (Test-Path -LiteralPath $j)) {{
  $n = "$j.new"
  Remove-Item -Recurse -Force -ErrorAction SilentlyContinue -LiteralPath $n
  $null = New-Item -ItemType Directory -Path $n
  try {{
    {command}
    {input}
  }} catch {{
    Remove-Item -Recurse -Force -LiteralPath $n
    'bake-job exit=incomplete'
    return
  }}
  [IO.File]::WriteAllText("$n\boot", "$(Get-Boot)")
  foreach ($name in 'out', 'err') {{ [IO.File]::WriteAllBytes("$n\$name", (New-Object byte[] 0)) }}
  Rename-Item -LiteralPath $n -NewName '{job}'
  $line = 'powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{{0}}\run.ps1" "{{1}}"' -f $d, $j
  $made = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{{ CommandLine = $line }}
  if ($made.ReturnValue -ne 0) {{ throw "the job was not started: $($made.ReturnValue)" }}
}}
Show-Job 0 0 10"#,
        prelude = prelude(scripts),
        job = start.job,
        command = made(&start.command, "command"),
    )
}

/// Says how far a job is and what it has printed, once there is news or nobody waits for any. The
/// clock may be set right while Windows runs, and the time of its start moves with it.
const LOOK: &str = r#"function Get-Boot { (Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().Ticks }
function Read-Part($name, [long]$from, [long]$count) {
  $file = [IO.File]::Open("$j\$name", 'Open', 'Read', 'ReadWrite')
  try {
    $bytes = New-Object byte[] $count
    $null = $file.Seek($from, 'Begin')
    $at = 0
    while ($at -lt $count) {
      $got = $file.Read($bytes, $at, $count - $at)
      if ($got -eq 0) { throw 'the output has become shorter' }
      $at += $got
    }
    ,$bytes
  } finally { $file.Dispose() }
}
function Get-Size($name) {
  $file = [IO.File]::Open("$j\$name", 'Open', 'Read', 'ReadWrite')
  try { $file.Length } finally { $file.Dispose() }
}
function Show-Job([long]$o, [long]$e, [int]$limit) {
  $n = $m = $a = $b = [long]0
  $misses = 0
  if (-not (Test-Path -LiteralPath $j)) { "bake-job exit=gone out=0 err=0 got=0,0"; return }
  $done = Test-Path -LiteralPath "$j\exit"
  if (-not $done -and [Math]::Abs((Get-Boot) - [long][IO.File]::ReadAllText("$j\boot")) -gt 50000000) {
    "bake-job exit=restarted out=0 err=0 got=0,0"; return
  }
  for ($i = 0; ; $i++) {
    $x = '-'
    if (Test-Path -LiteralPath "$j\exit") { $x = [IO.File]::ReadAllText("$j\exit").Trim() }
    $m = Get-Size err
    $n = Get-Size out
    if ($x -eq '-' -and (Test-Path -LiteralPath "$j\pid")) {
      $owner = [int][IO.File]::ReadAllText("$j\pid")
      if (-not (Get-Process -Id $owner -ErrorAction SilentlyContinue) -and -not (Test-Path -LiteralPath "$j\exit")) {
        $misses++
        if ($misses -ge 5) { $x = 'killed' }
      }
    }
    if ($x -ne '-' -or $n -gt $o -or $m -gt $e -or $i -ge $limit) { break }
    Start-Sleep -Milliseconds 100
  }
  $b = [Math]::Max(0, [Math]::Min(4500, $m - $e))
  $a = [Math]::Max(0, [Math]::Min($room - $b, $n - $o))
  "bake-job exit=$x out=$n err=$m got=$a,$b"
  if ($a + $b -gt 0) {
    $bytes = [byte[]]@()
    if ($a -gt 0) { $bytes += Read-Part out $o $a }
    if ($b -gt 0) { $bytes += Read-Part err $e $b }
    [Convert]::ToBase64String((Protect-Bytes $bytes))
  }
}
"#;

pub(super) fn look(scripts: &Scripts, job: &str, from: Offsets) -> String {
    let Offsets { out, err } = from;
    format!(
        "{}{CIPHER}{LOOK}$j = \"$d\\{job}\"\n$room = {ROOM}\nShow-Job {out} {err} 40",
        prelude(scripts)
    )
}

pub(super) fn range(scripts: &Scripts, job: &str, output: Output, from: u64, count: u64) -> String {
    let got = match output {
        Output::Out => format!("{count},0"),
        Output::Err => format!("0,{count}"),
    };
    format!(
        r#"{}{CIPHER}{LOOK}$j = "$d\{job}"
"bake-job exit=- got={got}"
[Convert]::ToBase64String((Protect-Bytes (Read-Part {} {from} {count})))"#,
        prelude(scripts),
        output.file(),
    )
}

pub(super) fn kill(scripts: &Scripts, job: &str) -> String {
    format!(
        r#"{}$j = "$d\{job}"
for ($i = 0; $i -lt 10 -and -not (Test-Path -LiteralPath "$j\pid"); $i++) {{ Start-Sleep -Milliseconds 200 }}
if (Test-Path -LiteralPath "$j\pid") {{ $null = & taskkill.exe /F /T /PID ([IO.File]::ReadAllText("$j\pid")) }}
Remove-Item -Recurse -Force -ErrorAction SilentlyContinue -LiteralPath $j
"bake-job done=yes""#,
        prelude(scripts)
    )
}

pub(super) fn remove(scripts: &Scripts) -> String {
    format!(
        "{}Remove-Item -Recurse -Force -ErrorAction SilentlyContinue -LiteralPath $d\n\"bake-job done=yes\"",
        prelude(scripts)
    )
}
