//! Programs for PowerShell that files go through. They read lines and write lines, all of them
//! ASCII: whatever a console does to characters, these stay.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Bytes of a file in one line.
pub(super) const PIECE: usize = 96 << 10;
/// The longest line: a piece in base64, and a little.
pub(super) const LINE: usize = PIECE / 3 * 4 + 1024;

/// What both need: texts from base64; paths, in which `~` and `$env:NAME` stand for something;
/// digests.
const COMMON: &str = r"
$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$o=[Console]::Out
function T($b){[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($b))}
function B($t){[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($t))}
function P($p){
$p=[regex]::Replace($p,'(?i)\$(?:env:(\w+)|\{env:([^}]+)\})',{param($m)[Environment]::GetEnvironmentVariable($m.Groups[1].Value+$m.Groups[2].Value)})
$ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($p)}
function N{New-Object Security.Cryptography.SHA256CryptoServiceProvider}
function X($h){[void]$h.TransformFinalBlock([byte[]]@(),0,0);[BitConverter]::ToString($h.Hash).Replace('-','').ToLower()}
";

/// Receives files. A line is a word and its arguments: `F` the destination and name of a file, `D`
/// those of a directory (an empty name is not appended), then below that `d` a directory, `f` a
/// file, `l` a link and its target; `+` bytes of the file, `.` its digest; `E` the end of it all,
/// which is answered.
const RECEIVE: &str = r"
begin{COMMON
function O($p){
if([IO.Directory]::Exists($p)){throw $p+': Is a directory'}
[void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($p))
$script:n=$p
$script:f=[IO.File]::Create($p)
$script:h=N}
}
process{try{
$w=([string]$_).Trim().Split(' ')
switch -CaseSensitive($w[0]){
'F'{$t=T $w[1];$p=P $t;if($t -match '[\\/]$'){$p=[IO.Path]::Combine($p,(T $w[2]))};O $p}
'D'{$r=P(T $w[1]);if($w[2] -and [IO.Directory]::Exists($r)){$r=[IO.Path]::Combine($r,(T $w[2]))};[void][IO.Directory]::CreateDirectory($r)}
'd'{[void][IO.Directory]::CreateDirectory([IO.Path]::Combine($r,(T $w[1])))}
'f'{O([IO.Path]::Combine($r,(T $w[1]).Replace('/','\')))}
'l'{$p=[IO.Path]::Combine($r,(T $w[1]));if(Test-Path -LiteralPath $p){Remove-Item -Force -LiteralPath $p};[void](New-Item -ItemType SymbolicLink -Path $p -Value (T $w[2]).Replace('/','\'))}
'+'{$b=[Convert]::FromBase64String($w[1]);$f.Write($b,0,$b.Length);[void]$h.TransformBlock($b,0,$b.Length,$b,0)}
'.'{$f.Close();if((X $h) -ne $w[1]){[IO.File]::Delete($n);throw $n+': the digest of what arrived differs'}}
'E'{$o.WriteLine('done')}
}}catch{[Console]::Error.WriteLine($_.Exception.GetBaseException().Message);[Environment]::Exit(1)}}
";

/// Sends what the pattern in the line that it reads stands for. A line is a word and its argument:
/// first `K` and whether it is one `file`; then `d` a directory, `f` a file, `+` bytes of it, `.`
/// its digest; `E` the end of it all. Links to directories are not followed.
const SEND: &str = r"
begin{COMMON
function W($i,$r){
if($i.PSIsContainer){
$o.WriteLine('d '+(B $r))
if(-not($i.Attributes -band [IO.FileAttributes]::ReparsePoint)){foreach($c in @(Get-ChildItem -Force -LiteralPath $i.FullName)){W $c ($r+'/'+$c.Name)}}
return}
$o.WriteLine('f '+(B $r))
$f=[IO.File]::Open($i.FullName,'Open','Read','ReadWrite')
$h=N
$b=New-Object byte[] PIECE
while(($n=$f.Read($b,0,$b.Length)) -gt 0){[void]$h.TransformBlock($b,0,$n,$b,0);$o.WriteLine('+ '+[Convert]::ToBase64String($b,0,$n))}
$f.Close()
$o.WriteLine('. '+(X $h))}
}
process{try{
$s=P(T ([string]$_).Trim())
if(Test-Path -LiteralPath $s){$a=@(Get-Item -Force -LiteralPath $s)}else{$a=@(Get-Item -Force -Path $s -ErrorAction SilentlyContinue)}
if($a.Count -eq 0){throw $s+': No such file or directory'}
if($a.Count -eq 1 -and -not $a[0].PSIsContainer){$o.WriteLine('K file')}else{$o.WriteLine('K other')}
foreach($i in $a){W $i $i.Name}
$o.WriteLine('E')
}catch{[Console]::Error.WriteLine($_.Exception.GetBaseException().Message);[Environment]::Exit(1)}}
";

/// The command that receives files.
pub(super) fn receive() -> String {
    command(RECEIVE)
}

/// The command that sends files.
pub(super) fn send() -> String {
    command(SEND)
}

/// A program as a command, which `cmd.exe` takes up to 8191 characters of.
fn command(script: &str) -> String {
    let script = script.replace("COMMON", COMMON.trim()).replace("PIECE", &PIECE.to_string());
    let bytes: Vec<u8> = script.trim().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoded = BASE64_STANDARD.encode(bytes);
    format!(
        "powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -OutputFormat Text -EncodedCommand {encoded}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_short_enough_for_cmd() {
        for command in [receive(), send()] {
            assert!(command.len() <= 8000, "{}", command.len());
            assert!(!command.contains(['"', '%', '&', '<', '>', '|', '^']), "{command}");
        }
    }

    #[test]
    fn brackets_are_balanced() {
        for script in [COMMON, RECEIVE, SEND] {
            for (open, close) in [('{', '}'), ('(', ')'), ('[', ']')] {
                let count = |wanted| script.chars().filter(|c| *c == wanted).count();
                // `'[\\/]$'`, `\$(?:…)` and `[^}]` are as balanced as the rest, but for one.
                let extra = usize::from(close == '}' && script == COMMON);
                assert_eq!(count(open) + extra, count(close), "{open} in {script}");
            }
            assert_eq!(script.matches('\'').count() % 2, 0, "{script}");
        }
    }
}
