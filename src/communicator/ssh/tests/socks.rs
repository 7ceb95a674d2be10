//! A small SOCKS 5 proxy that does what a test wants.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// How a proxy behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Behaviour {
    /// Whom it lets in; anybody when `None`.
    pub(super) login: Option<(&'static str, &'static str)>,
    /// What it answers instead of connecting.
    pub(super) answer: Option<u8>,
    /// Whether it never answers where it should connect.
    pub(super) hangs: bool,
}

/// A running proxy.
pub(super) struct Socks {
    pub(super) port: u16,
    _task: AbortOnDropHandle<()>,
}

/// Starts a proxy on a free loopback port.
pub(super) async fn start(behaviour: Behaviour) -> Socks {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(tokio::spawn(serve(stream, behaviour)));
        }
    });
    Socks { port, _task: AbortOnDropHandle::new(task) }
}

/// One client. RFC 1928 and RFC 1929, as far as a client that connects needs them.
async fn serve(mut near: TcpStream, behaviour: Behaviour) -> std::io::Result<()> {
    let methods = usize::from(near.read_u16().await? as u8);
    let offered = bytes(&mut near, methods).await?;
    let wanted = if behaviour.login.is_some() { 2 } else { 0 };
    if !offered.contains(&wanted) {
        return near.write_all(&[5, 0xff]).await;
    }
    near.write_all(&[5, wanted]).await?;
    if let Some((user, password)) = behaviour.login {
        assert_eq!(near.read_u8().await?, 1);
        let length = usize::from(near.read_u8().await?);
        let named = bytes(&mut near, length).await?;
        let length = usize::from(near.read_u8().await?);
        let proof = bytes(&mut near, length).await?;
        let right = named == user.as_bytes() && proof == password.as_bytes();
        near.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return Ok(());
        }
    }
    assert_eq!(bytes(&mut near, 3).await?, [5, 1, 0]);
    let host = match near.read_u8().await? {
        1 => std::net::Ipv4Addr::from(near.read_u32().await?).to_string(),
        3 => {
            let length = usize::from(near.read_u8().await?);
            String::from_utf8(bytes(&mut near, length).await?).unwrap()
        }
        other => panic!("address type {other}"),
    };
    let port = near.read_u16().await?;
    if behaviour.hangs {
        std::future::pending::<()>().await;
    }
    let reply = |code: u8| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    if let Some(code) = behaviour.answer {
        return near.write_all(&reply(code)).await;
    }
    match TcpStream::connect((host, port)).await {
        Ok(mut far) => {
            near.write_all(&reply(0)).await?;
            copy_bidirectional(&mut near, &mut far).await.map(drop)
        }
        Err(_) => near.write_all(&reply(5)).await,
    }
}

async fn bytes(stream: &mut TcpStream, count: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
