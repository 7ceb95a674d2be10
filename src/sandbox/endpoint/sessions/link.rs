//! One socket of a data channel, between the client and the session, with faults on purpose.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::sandbox::endpoint::fault::{ChannelFault, Share};

/// Frames that wait for the session; then the client has to wait.
const WAITING: usize = 256;

/// What the session gives a socket.
#[derive(Debug)]
pub(super) enum ToClient {
    /// A frame.
    Frame(Vec<u8>),
    /// The end, in an orderly way.
    Close(String),
}

/// The session's end of a socket.
#[derive(Debug)]
pub(super) struct Link {
    /// Frames from the client. Ends when the socket is gone.
    pub(super) frames: mpsc::Receiver<Vec<u8>>,
    /// Frames to the client. Unbounded: the session bounds what it has in flight.
    pub(super) client: mpsc::UnboundedSender<ToClient>,
}

/// The socket's end of a link.
pub(super) struct Plug {
    frames: mpsc::Sender<Vec<u8>>,
    client: mpsc::UnboundedReceiver<ToClient>,
}

/// A link whose two ends are not yet apart.
pub(super) fn link() -> (Link, Plug) {
    let (to_session, frames) = mpsc::channel(WAITING);
    let (client, from_session) = mpsc::unbounded_channel();
    (Link { frames, client }, Plug { frames: to_session, client: from_session })
}

/// Closes a socket with a reason.
pub(super) fn close(code: CloseCode, reason: &str) -> Message {
    // A control frame has room for 125 bytes with the code.
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = reason.get(..end).unwrap_or_default();
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

/// Moves frames between a socket and the session until either ends, or a fault ends it.
pub(super) async fn pump<S>(socket: WebSocketStream<S>, plug: Plug, faults: &[ChannelFault])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Plug { frames, mut client } = plug;
    let (mut sink, mut stream) = socket.split();
    let traffic = Traffic::new(faults);
    let mut up = Mischief::new(faults, 1);
    let mut down = Mischief::new(faults, 2);
    let receive = async {
        while let Some(Ok(message)) = stream.next().await {
            let bytes = match message {
                Message::Binary(bytes) => bytes.to_vec(),
                // Both ends of the reference take these, too.
                Message::Text(text) => text.as_bytes().to_vec(),
                Message::Close(_) => break,
                _ => continue,
            };
            if traffic.add(bytes.len()).await {
                return;
            }
            for frame in up.pass(bytes) {
                // Without a session there is still its last word to be sent.
                drop(frames.send(frame).await);
            }
        }
    };
    let send = async {
        while let Some(message) = client.recv().await {
            match message {
                ToClient::Frame(bytes) => {
                    if traffic.add(bytes.len()).await {
                        return;
                    }
                    for frame in down.pass(bytes) {
                        if sink.send(Message::Binary(frame.into())).await.is_err() {
                            return;
                        }
                    }
                }
                ToClient::Close(reason) => {
                    drop(sink.send(close(CloseCode::Normal, &reason)).await);
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = receive => {}
        () = send => {}
    }
    if traffic.is_bye() {
        drop(sink.send(close(CloseCode::Normal, "Bye")).await);
    }
}

/// Counts the bytes of a socket, for what happens after so many.
struct Traffic {
    count: std::sync::atomic::AtomicU64,
    end: Option<(u64, bool)>,
    stall: Option<(Duration, u64)>,
    stalled: tokio::sync::Mutex<bool>,
}

impl Traffic {
    fn new(faults: &[ChannelFault]) -> Self {
        let end = faults.iter().filter_map(|fault| match fault {
            ChannelFault::Cut(after) => Some((*after, false)),
            ChannelFault::Bye(after) => Some((*after, true)),
            _ => None,
        });
        let stall = faults.iter().find_map(|fault| match fault {
            ChannelFault::Stall { time, after } => Some((*time, *after)),
            _ => None,
        });
        Self { count: 0.into(), end: end.min(), stall, stalled: tokio::sync::Mutex::new(false) }
    }

    fn is_over(&self) -> bool {
        let count = self.count.load(std::sync::atomic::Ordering::SeqCst);
        self.end.is_some_and(|(after, _)| count >= after)
    }

    fn is_bye(&self) -> bool {
        self.is_over() && self.end.is_some_and(|(_, bye)| bye)
    }

    /// Counts a frame, which may take its time; whether the socket ends before it.
    async fn add(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.count.fetch_add(bytes, std::sync::atomic::Ordering::SeqCst);
        if let Some((time, after)) = self.stall
            && before.saturating_add(bytes) >= after
        {
            // Both directions wait for the one that stalls.
            let mut stalled = self.stalled.lock().await;
            if !*stalled {
                tokio::time::sleep(time).await;
                *stalled = true;
            }
        }
        self.is_over()
    }
}

/// Loses, repeats and swaps frames of one direction; the same ones for the same traffic.
struct Mischief {
    lose: u32,
    duplicate: u32,
    reorder: u32,
    held: Option<Vec<u8>>,
    state: u64,
}

impl Mischief {
    fn new(faults: &[ChannelFault], seed: u64) -> Self {
        let share = |of: fn(&ChannelFault) -> Option<Share>| {
            faults.iter().filter_map(of).map(|Share(millionths)| millionths).max().unwrap_or(0)
        };
        Self {
            lose: share(|fault| match fault {
                ChannelFault::Lose(share) => Some(*share),
                _ => None,
            }),
            duplicate: share(|fault| match fault {
                ChannelFault::Duplicate(share) => Some(*share),
                _ => None,
            }),
            reorder: share(|fault| match fault {
                ChannelFault::Reorder(share) => Some(*share),
                _ => None,
            }),
            held: None,
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// Whether something that happens to this share happens now (xorshift).
    fn happens(&mut self, millionths: u32) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % 1_000_000 < u64::from(millionths)
    }

    /// What becomes of a frame: none, one or several frames, now.
    fn pass(&mut self, frame: Vec<u8>) -> Vec<Vec<u8>> {
        let mut frames = Vec::with_capacity(1);
        if !self.happens(self.lose) {
            if self.happens(self.duplicate) {
                frames.push(frame.clone());
            }
            if self.held.is_none() && self.happens(self.reorder) {
                // A frame that nothing follows is lost, until it is sent again.
                self.held = Some(frame);
                return frames;
            }
            frames.push(frame);
        }
        frames.extend(self.held.take());
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(faults: &[ChannelFault], count: u32) -> Vec<u32> {
        let mut mischief = Mischief::new(faults, 1);
        let frames = (0..count).flat_map(|n| mischief.pass(n.to_be_bytes().to_vec()));
        frames.map(|frame| u32::from_be_bytes(frame.try_into().unwrap())).collect()
    }

    #[test]
    fn without_faults_everything_passes() {
        assert_eq!(passed(&[], 100), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn shares_of_frames_are_lost_repeated_and_swapped() {
        let percent = Share(100_000);
        let lost = 10_000 - passed(&[ChannelFault::Lose(percent)], 10_000).len();
        assert!((800..1200).contains(&lost), "{lost}");
        let more = passed(&[ChannelFault::Duplicate(percent)], 10_000).len() - 10_000;
        assert!((800..1200).contains(&more), "{more}");
        let mut swapped = passed(&[ChannelFault::Reorder(percent)], 10_000);
        let behind = swapped.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((700..1200).contains(&behind), "{behind}");
        swapped.sort_unstable();
        assert_eq!(swapped.len(), 10_000);
    }

    #[test]
    fn a_reason_fits_into_a_control_frame() {
        let Message::Close(Some(frame)) = close(CloseCode::Policy, &"é".repeat(100)) else {
            panic!("no close frame")
        };
        assert!(frame.reason.len() <= 123, "{}", frame.reason.len());
        assert!(frame.reason.starts_with("éé"));
    }
}
