//! The three messages ([MS-NLMP] section 2.2).

use super::crypto::{Key, Rc4, hmac_md5, md4, utf16};
use super::seal::Session;
use crate::template::schema::Secret;

/// What all messages begin with.
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

const UNICODE: u32 = 0x0000_0001;
const REQUEST_TARGET: u32 = 0x0000_0004;
const SIGN: u32 = 0x0000_0010;
const SEAL: u32 = 0x0000_0020;
const NTLM: u32 = 0x0000_0200;
const ALWAYS_SIGN: u32 = 0x0000_8000;
const EXTENDED_SECURITY: u32 = 0x0008_0000;
const TARGET_INFO: u32 = 0x0080_0000;
const VERSION: u32 = 0x0200_0000;
const BITS_128: u32 = 0x2000_0000;
const KEY_EXCHANGE: u32 = 0x4000_0000;
const BITS_56: u32 = 0x8000_0000;

/// What we want.
const WANTED: u32 = UNICODE
    | REQUEST_TARGET
    | SIGN
    | SEAL
    | NTLM
    | ALWAYS_SIGN
    | EXTENDED_SECURITY
    | TARGET_INFO
    | VERSION
    | BITS_128
    | KEY_EXCHANGE
    | BITS_56;

/// What we cannot do without.
const NEEDED: [(u32, &str); 5] = [
    (UNICODE, "Unicode"),
    (EXTENDED_SECURITY, "extended session security"),
    (KEY_EXCHANGE, "a key exchange"),
    (BITS_128, "keys of 128 bits"),
    (SEAL, "sealed messages"),
];

/// Revision 15 of the protocol, of no Windows.
const OWN_VERSION: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 15];

/// Ids in the target's information.
const AV_END: u16 = 0;
const AV_FLAGS: u16 = 6;
const AV_TIMESTAMP: u16 = 7;

/// In the flags of the target's information: the third message has a check sum of all three.
const HAS_CHECK_SUM: u32 = 2;

/// Bytes of the third message before the texts; the check sum is the last of them.
const HEADER: usize = 88;
const CHECK_SUM: std::ops::Range<usize> = 72..HEADER;

/// Who logs in.
#[derive(Clone, Debug)]
pub(in super::super) struct Credentials {
    user: String,
    domain: String,
    password: Secret,
}

impl Credentials {
    /// A user written `user`, `DOMAIN\user` or `user@domain`.
    pub(in super::super) fn new(username: &str, password: Secret) -> Self {
        // The name of an account elsewhere stays whole.
        let (domain, user) = username.split_once('\\').unwrap_or(("", username));
        let domain = if domain == "." { "" } else { domain };
        Self { user: user.to_owned(), domain: domain.to_owned(), password }
    }

    /// The key that the password is (`NTOWFv2`).
    fn key(&self) -> Key {
        let of_password = md4(&utf16(self.password.reveal()));
        let name = utf16(&(self.user.to_uppercase() + &self.domain));
        hmac_md5(&of_password, &[&name])
    }
}

/// What differs each time.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Chosen {
    /// At random.
    pub(in super::super) challenge: [u8; 8],
    /// At random; the key of the session.
    pub(in super::super) session: Key,
    /// In units of 100 ns since 1601.
    pub(in super::super) time: u64,
}

/// The first message.
pub(in super::super) fn negotiate() -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(1_u32.to_le_bytes());
    message.extend(WANTED.to_le_bytes());
    // No domain and no machine.
    message.extend([0; 16]);
    message.extend(OWN_VERSION);
    message
}

/// The second message.
#[derive(Clone, Debug)]
pub(in super::super) struct Challenge {
    bytes: Vec<u8>,
    flags: u32,
    challenge: [u8; 8],
    target: Vec<(u16, Vec<u8>)>,
}

impl Challenge {
    /// Reads the message.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(in super::super) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.get(..8) != Some(SIGNATURE) || number(bytes, 8) != Some(2) {
            return Err("it is no NTLM challenge".to_owned());
        }
        let short = || "the NTLM challenge is too short".to_owned();
        let flags = number(bytes, 20).ok_or_else(short)?;
        let challenge = bytes.get(24..32).and_then(|eight| eight.try_into().ok());
        let challenge = challenge.ok_or_else(short)?;
        let length = bytes.get(40..42).and_then(|two| two.try_into().ok());
        let length = length.map(u16::from_le_bytes).map_or(0, usize::from);
        let start = number(bytes, 44).and_then(|start| usize::try_from(start).ok()).unwrap_or(0);
        let target = bytes.get(start..start.saturating_add(length)).ok_or_else(short)?;
        let target = pairs(target).ok_or("the NTLM challenge holds no target information")?;
        Ok(Self { bytes: bytes.to_vec(), flags, challenge, target })
    }

    fn find(&self, id: u16) -> Option<&[u8]> {
        self.target.iter().find(|(known, _)| *known == id).map(|(_, value)| value.as_slice())
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// The target's information, up to its end.
fn pairs(mut bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut pairs = Vec::new();
    loop {
        let (head, rest) = bytes.split_at_checked(4)?;
        let [a, b, c, d] = head else { return None };
        let (id, length) = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        if id == AV_END {
            return Some(pairs);
        }
        let (value, rest) = rest.split_at_checked(length.into())?;
        pairs.push((id, value.to_vec()));
        bytes = rest;
    }
}

fn written(pairs: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, value) in pairs {
        bytes.extend(id.to_le_bytes());
        bytes.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(value);
    }
    bytes.extend([0; 4]);
    bytes
}

/// The third message, and what seals everything after it.
///
/// # Errors
/// What the server does not do that has to be done.
pub(in super::super) fn authenticate(
    credentials: &Credentials,
    challenge: &Challenge,
    chosen: Chosen,
) -> Result<(Vec<u8>, Session), String> {
    for (flag, name) in NEEDED {
        if challenge.flags & flag == 0 {
            return Err(format!("the server's NTLM has not {name}"));
        }
    }
    // A server that tells its time wants to know that nobody changed the messages.
    let their_time: Option<[u8; 8]> =
        challenge.find(AV_TIMESTAMP).and_then(|bytes| bytes.try_into().ok());
    let mut target = challenge.target.clone();
    if their_time.is_some() {
        let flags = challenge.find(AV_FLAGS).and_then(|bytes| number(bytes, 0)).unwrap_or_default();
        target.retain(|(id, _)| *id != AV_FLAGS);
        target.push((AV_FLAGS, (flags | HAS_CHECK_SUM).to_le_bytes().to_vec()));
    }
    let time = their_time.unwrap_or_else(|| chosen.time.to_le_bytes());
    let key = credentials.key();

    let mut proven = vec![1, 1, 0, 0, 0, 0, 0, 0];
    proven.extend(time);
    proven.extend(chosen.challenge);
    proven.extend([0; 4]);
    proven.extend(written(&target));
    proven.extend([0; 4]);
    let proof = hmac_md5(&key, &[&challenge.challenge, &proven]);
    let answer = [&proof[..], &proven].concat();
    let old_answer = match their_time {
        Some(_) => vec![0; 24],
        None => {
            let proof = hmac_md5(&key, &[&challenge.challenge, &chosen.challenge]);
            [&proof[..], &chosen.challenge].concat()
        }
    };
    let exchange = hmac_md5(&key, &[&proof]);
    let session = Rc4::new(&exchange).apply(&chosen.session);

    let flags = WANTED & challenge.flags;
    let mut message = SIGNATURE.to_vec();
    message.extend(3_u32.to_le_bytes());
    let mut payload: Vec<u8> = Vec::new();
    let (domain, user) = (utf16(&credentials.domain), utf16(&credentials.user));
    for part in [&old_answer, &answer, &domain, &user, &Vec::new(), &session] {
        let too_long = |_| "a name is too long for NTLM".to_owned();
        let length = u16::try_from(part.len()).map_err(too_long)?.to_le_bytes();
        let start = u32::try_from(HEADER + payload.len()).unwrap_or(u32::MAX);
        message.extend(length);
        message.extend(length);
        message.extend(start.to_le_bytes());
        payload.extend(part);
    }
    message.extend(flags.to_le_bytes());
    message.extend(OWN_VERSION);
    message.extend([0; 16]);
    message.extend(payload);
    if their_time.is_some() {
        let sum = hmac_md5(&chosen.session, &[&negotiate(), &challenge.bytes, &message]);
        for (to, from) in message.get_mut(CHECK_SUM).into_iter().flatten().zip(sum) {
            *to = from;
        }
    }
    Ok((message, Session::of_client(&chosen.session)))
}

#[cfg(test)]
pub(in super::super) mod server {
    //! The other end, for tests.

    use super::*;

    /// A second message.
    pub(in super::super::super) fn challenge(nonce: [u8; 8], time: Option<u64>) -> Vec<u8> {
        let mut target = vec![(2, utf16("Domain")), (1, utf16("Server"))];
        target.extend(time.map(|time| (AV_TIMESTAMP, time.to_le_bytes().to_vec())));
        let target = written(&target);
        let mut message = SIGNATURE.to_vec();
        message.extend(2_u32.to_le_bytes());
        message.extend([0; 8]);
        message.extend(WANTED.to_le_bytes());
        message.extend(nonce);
        message.extend([0; 8]);
        let length = u16::try_from(target.len()).unwrap().to_le_bytes();
        message.extend(length);
        message.extend(length);
        message.extend(56_u32.to_le_bytes());
        message.extend(OWN_VERSION);
        message.extend(target);
        message
    }

    fn part(message: &[u8], index: usize) -> &[u8] {
        let at = 12 + index * 8;
        let length = u16::from_le_bytes(message[at..at + 2].try_into().unwrap());
        let start = usize::try_from(number(message, at + 4).unwrap()).unwrap();
        &message[start..start + usize::from(length)]
    }

    /// Checks a third message, with its check sum; gives the server's end of the session.
    pub(in super::super::super) fn verify(
        credentials: &Credentials,
        challenge: &[u8],
        message: &[u8],
    ) -> Option<Session> {
        let (user, domain) = (part(message, 3), part(message, 2));
        if user != utf16(&credentials.user) || domain != utf16(&credentials.domain) {
            return None;
        }
        let answer = part(message, 1);
        let (proof, proven) = answer.split_at_checked(16)?;
        let key = credentials.key();
        if hmac_md5(&key, &[&challenge[24..32], proven]) != proof {
            return None;
        }
        let exchange = hmac_md5(&key, &[proof]);
        let session: Key = Rc4::new(&exchange).apply(part(message, 5)).try_into().ok()?;
        let target = pairs(&proven[28..])?;
        if target.iter().any(|(id, _)| *id == AV_TIMESTAMP) {
            let mut bare = message.to_vec();
            bare[CHECK_SUM].fill(0);
            let sum = hmac_md5(&session, &[&negotiate(), challenge, &bare]);
            if message[CHECK_SUM] != sum {
                return None;
            }
        }
        Some(Session::of_server(&session))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|one| format!("{one:02x}")).collect()
    }

    fn user() -> Credentials {
        Credentials::new("Domain\\User", Secret::new("Password"))
    }

    const CHOSEN: Chosen = Chosen { challenge: [0xaa; 8], session: [0x55; 16], time: 0 };
    const NONCE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

    #[test]
    fn answers_are_those_of_the_specification() {
        // MS-NLMP 4.2.4.
        assert_eq!(hex(&user().key()), "0c868a403bfd7a93a3001ef22ef02e3f");
        let challenge = Challenge::read(&server::challenge(NONCE, None)).unwrap();
        let (message, _) = authenticate(&user(), &challenge, CHOSEN).unwrap();
        let part = |from: usize, length: usize| hex(&message[from..from + length]);
        assert_eq!(part(HEADER, 24), "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
        assert_eq!(part(HEADER + 24, 16), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(part(message.len() - 16, 16), "c5dad2544fc9799094ce1ce90bc9d03e");
        assert_eq!(part(HEADER - 16, 16), "0".repeat(32));
    }

    #[test]
    fn a_server_that_tells_its_time_gets_a_check_sum() {
        let theirs = server::challenge(NONCE, Some(7));
        let challenge = Challenge::read(&theirs).unwrap();
        let (message, mut client) = authenticate(&user(), &challenge, CHOSEN).unwrap();
        let mut server = server::verify(&user(), &theirs, &message).unwrap();
        let (signature, sealed) = client.seal(b"hello");
        assert_eq!(server.unseal(&signature, &sealed).unwrap(), b"hello");
        let mut changed = message.clone();
        changed[60] ^= 1;
        assert!(server::verify(&user(), &theirs, &changed).is_none());
        let wrong = Credentials::new("Domain\\User", Secret::new("password"));
        assert!(server::verify(&wrong, &theirs, &message).is_none());
    }

    #[test]
    fn names_have_three_forms() {
        let parts = |name: &str| {
            let Credentials { user, domain, .. } = Credentials::new(name, Secret::new(""));
            format!("{user}|{domain}")
        };
        assert_eq!(parts("Administrator"), "Administrator|");
        assert_eq!(parts("CORP\\me"), "me|CORP");
        assert_eq!(parts(".\\me"), "me|");
        assert_eq!(parts("me@corp.example"), "me@corp.example|");
    }

    #[test]
    fn a_server_without_encryption_is_refused() {
        let mut bytes = server::challenge(NONCE, None);
        bytes[20] &= !0x20;
        let error = authenticate(&user(), &Challenge::read(&bytes).unwrap(), CHOSEN).err();
        assert_eq!(error.unwrap(), "the server's NTLM has not sealed messages");
        assert!(Challenge::read(b"NTLMSSP\0\x01\0\0\0").is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_at_most(at in 0..80_usize, byte: u8, length in 0..120_usize) {
            let mut bytes = server::challenge(NONCE, Some(1));
            if let Some(one) = bytes.get_mut(at) {
                *one = byte;
            }
            bytes.truncate(length);
            if let Ok(challenge) = Challenge::read(&bytes) {
                drop(authenticate(&user(), &challenge, CHOSEN));
            }
        }
    }
}
