//! Messages that are sealed by the session of the log-in ([MS-WSMV] section 2.2.9.1): what Windows
//! wants over plain HTTP.

use super::ntlm::Session;

/// The media type of a sealed message.
pub(super) const CONTENT_TYPE: &str = "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"";

const BOUNDARY: &[u8] = b"--Encrypted Boundary";
const OCTETS: &[u8] = b"application/octet-stream\r\n";

/// A message as it is sent.
pub(super) fn seal(session: &mut Session, message: &[u8]) -> Vec<u8> {
    let (signature, sealed) = session.seal(message);
    let head = format!(
        "--Encrypted Boundary\r\n\
         \tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\
         \tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={}\r\n\
         --Encrypted Boundary\r\n\
         \tContent-Type: application/octet-stream\r\n",
        message.len()
    );
    let mut body = head.into_bytes();
    body.extend(u32::try_from(signature.len()).unwrap_or_default().to_le_bytes());
    body.extend(signature);
    body.extend(sealed);
    body.extend(b"--Encrypted Boundary--\r\n");
    body
}

/// The message in an answer.
///
/// # Errors
/// What is wrong with it, in a few words.
pub(super) fn unseal(session: &mut Session, body: &[u8]) -> Result<Vec<u8>, String> {
    let odd = || "it is not sealed as it should be".to_owned();
    let start = find(body, OCTETS).ok_or_else(odd)? + OCTETS.len();
    let (head, rest) = body.split_at_checked(start).ok_or_else(odd)?;
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, length) = head.split_once(";length=").ok_or_else(odd)?;
    let digits: String = length.chars().take_while(char::is_ascii_digit).collect();
    let length: usize = digits.parse().map_err(|_| odd())?;
    let (four, rest) = rest.split_at_checked(4).ok_or_else(odd)?;
    let of_signature = u32::from_le_bytes(four.try_into().map_err(|_| odd())?);
    let of_signature = usize::try_from(of_signature).map_err(|_| odd())?;
    let (signature, rest) = rest.split_at_checked(of_signature).ok_or_else(odd)?;
    let (sealed, rest) = rest.split_at_checked(length).ok_or_else(odd)?;
    if !rest.starts_with(BOUNDARY) {
        return Err(odd());
    }
    session.unseal(signature, sealed)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ntlm::{Challenge, Chosen, Credentials, authenticate, server};
    use super::*;
    use crate::template::schema::Secret;

    fn pair() -> (Session, Session) {
        let user = Credentials::new("User", Secret::new("Password"));
        let theirs = server::challenge([1; 8], None);
        let chosen = Chosen { challenge: [2; 8], session: [3; 16], time: 0 };
        let challenge = Challenge::read(&theirs).unwrap();
        let (message, client) = authenticate(&user, &challenge, chosen).unwrap();
        (client, server::verify(&user, &theirs, &message).unwrap())
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let (mut client, mut server) = pair();
        for message in ["", "<a/>", "--Encrypted Boundary\r\n", "application/octet-stream\r\n"] {
            let sent = seal(&mut client, message.as_bytes());
            assert_eq!(unseal(&mut server, &sent).unwrap(), message.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_was_changed_is_an_error_at_most(at in 0..400_usize, byte: u8, length in 0..400_usize) {
            let (mut client, mut server) = pair();
            let mut sent = seal(&mut client, b"<message/>");
            let whole = sent.clone();
            if let Some(one) = sent.get_mut(at) {
                *one = byte;
            }
            sent.truncate(length);
            let read = unseal(&mut server, &sent);
            prop_assert!(read.is_err() || read.unwrap() == b"<message/>", "{whole:?}");
        }
    }
}
