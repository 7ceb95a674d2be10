//! Pseudo-terminals.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use russh::Pty as Mode_;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pty::OpenptFlags;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Winsize,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a client asked for with `pty-req`.
#[derive(Clone, Debug)]
pub(super) struct PtyRequest {
    pub(super) term: String,
    pub(super) size: Winsize,
    pub(super) modes: Vec<(Mode_, u32)>,
}

/// The server's end of a terminal.
#[derive(Debug)]
pub(super) struct Master {
    fd: AsyncFd<OwnedFd>,
}

/// A size in characters and pixels as the wire has it.
pub(super) fn window_size(columns: u32, rows: u32, width: u32, height: u32) -> Winsize {
    let short = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    Winsize {
        ws_col: short(columns),
        ws_row: short(rows),
        ws_xpixel: short(width),
        ws_ypixel: short(height),
    }
}

/// Opens a terminal that belongs to the user; returns both ends and the name of the program's one.
pub(super) fn open(request: &PtyRequest, uid: u32) -> io::Result<(Master, OwnedFd, String)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&master)?;
    let name = rustix::pty::ptsname(&master, Vec::new())?.to_string_lossy().into_owned();
    let terminal = rustix::fs::open(
        name.as_str(),
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    rustix::fs::fchown(&terminal, Some(Uid::from_raw(uid)), None::<Gid>)?;
    rustix::termios::tcsetwinsize(&terminal, request.size)?;
    apply_modes(&terminal, &request.modes)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    Ok((Master { fd: register(master)? }, terminal, name))
}

#[expect(
    deprecated,
    reason = "its successor is unsafe for types that may change their descriptor; OwnedFd does not"
)]
fn register(master: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(master)
}

impl Master {
    /// A second handle, by which the window size can be changed.
    pub(super) fn control(&self) -> io::Result<OwnedFd> {
        Ok(rustix::io::fcntl_dupfd_cloexec(self.fd.as_fd(), 3)?)
    }
}

/// Applies the encoded terminal modes (RFC 4254, 8) that Linux has.
fn apply_modes(terminal: &OwnedFd, modes: &[(Mode_, u32)]) -> io::Result<()> {
    let mut termios = rustix::termios::tcgetattr(terminal)?;
    for &(mode, value) in modes {
        let on = value != 0;
        let byte = u8::try_from(value & 0xff).unwrap_or(0);
        match mode {
            Mode_::VINTR => termios.special_codes[SpecialCodeIndex::VINTR] = byte,
            Mode_::VQUIT => termios.special_codes[SpecialCodeIndex::VQUIT] = byte,
            Mode_::VERASE => termios.special_codes[SpecialCodeIndex::VERASE] = byte,
            Mode_::VKILL => termios.special_codes[SpecialCodeIndex::VKILL] = byte,
            Mode_::VEOF => termios.special_codes[SpecialCodeIndex::VEOF] = byte,
            Mode_::VSTART => termios.special_codes[SpecialCodeIndex::VSTART] = byte,
            Mode_::VSTOP => termios.special_codes[SpecialCodeIndex::VSTOP] = byte,
            Mode_::VSUSP => termios.special_codes[SpecialCodeIndex::VSUSP] = byte,
            Mode_::IGNPAR => termios.input_modes.set(InputModes::IGNPAR, on),
            Mode_::INLCR => termios.input_modes.set(InputModes::INLCR, on),
            Mode_::IGNCR => termios.input_modes.set(InputModes::IGNCR, on),
            Mode_::ICRNL => termios.input_modes.set(InputModes::ICRNL, on),
            Mode_::IXON => termios.input_modes.set(InputModes::IXON, on),
            Mode_::IXANY => termios.input_modes.set(InputModes::IXANY, on),
            Mode_::IXOFF => termios.input_modes.set(InputModes::IXOFF, on),
            Mode_::IUTF8 => termios.input_modes.set(InputModes::IUTF8, on),
            Mode_::ISIG => termios.local_modes.set(LocalModes::ISIG, on),
            Mode_::ICANON => termios.local_modes.set(LocalModes::ICANON, on),
            Mode_::ECHO => termios.local_modes.set(LocalModes::ECHO, on),
            Mode_::ECHOE => termios.local_modes.set(LocalModes::ECHOE, on),
            Mode_::ECHOK => termios.local_modes.set(LocalModes::ECHOK, on),
            Mode_::ECHONL => termios.local_modes.set(LocalModes::ECHONL, on),
            Mode_::ECHOCTL => termios.local_modes.set(LocalModes::ECHOCTL, on),
            Mode_::ECHOKE => termios.local_modes.set(LocalModes::ECHOKE, on),
            Mode_::NOFLSH => termios.local_modes.set(LocalModes::NOFLSH, on),
            Mode_::TOSTOP => termios.local_modes.set(LocalModes::TOSTOP, on),
            Mode_::IEXTEN => termios.local_modes.set(LocalModes::IEXTEN, on),
            Mode_::OPOST => termios.output_modes.set(OutputModes::OPOST, on),
            Mode_::ONLCR => termios.output_modes.set(OutputModes::ONLCR, on),
            Mode_::OCRNL => termios.output_modes.set(OutputModes::OCRNL, on),
            Mode_::ONOCR => termios.output_modes.set(OutputModes::ONOCR, on),
            Mode_::ONLRET => termios.output_modes.set(OutputModes::ONLRET, on),
            Mode_::PARENB => termios.control_modes.set(ControlModes::PARENB, on),
            Mode_::PARODD => termios.control_modes.set(ControlModes::PARODD, on),
            // Speeds and what Linux does not have mean nothing here.
            _ => {}
        }
    }
    Ok(rustix::termios::tcsetattr(terminal, OptionalActions::Now, &termios)?)
}

impl AsyncRead for Master {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(context))?;
            let target = buffer.initialize_unfilled();
            match guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), target)?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // Linux says EIO when no program has the terminal open any more: the end.
                Ok(Err(error)) if error.raw_os_error() == Some(5) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Master {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.fd.poll_write_ready(context))?;
            match guard.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
