//! The primitives.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};

/// A key or digest.
pub(super) type Key = [u8; 16];

/// MD4, of passwords.
pub(super) fn md4(bytes: &[u8]) -> Key {
    Md4::digest(bytes).into()
}

/// MD5 of several pieces.
pub(super) fn md5(pieces: &[&[u8]]) -> Key {
    let mut hasher = Md5::new();
    for piece in pieces {
        hasher.update(piece);
    }
    hasher.finalize().into()
}

/// HMAC-MD5 of several pieces.
pub(super) fn hmac_md5(key: &Key, pieces: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes keys of any length");
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// A text in UTF-16.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// RC4 with its state.
#[derive(Clone)]
pub(super) struct Rc4 {
    table: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// The cipher for a key.
    pub(super) fn new(key: &Key) -> Self {
        let mut table = std::array::from_fn(|index| u8::try_from(index).unwrap_or_default());
        let mut j = 0_u8;
        for i in 0..=255_u8 {
            let of_key = key.get(usize::from(i) % key.len()).copied().unwrap_or_default();
            j = j.wrapping_add(at(&table, i)).wrapping_add(of_key);
            table.swap(usize::from(i), usize::from(j));
        }
        Self { table, i: 0, j: 0 }
    }

    /// Encrypts or decrypts the next bytes.
    pub(super) fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        let next = |byte: &u8| {
            self.i = self.i.wrapping_add(1);
            self.j = self.j.wrapping_add(at(&self.table, self.i));
            self.table.swap(usize::from(self.i), usize::from(self.j));
            let sum = at(&self.table, self.i).wrapping_add(at(&self.table, self.j));
            byte ^ at(&self.table, sum)
        };
        bytes.iter().map(next).collect()
    }
}

/// An entry of a table that has one for each byte.
fn at(table: &[u8; 256], index: u8) -> u8 {
    table.get(usize::from(index)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_their_specifications() {
        // RFC 1320 and RFC 2202.
        let hex = |bytes: &[u8]| bytes.iter().map(|one| format!("{one:02x}")).collect::<String>();
        assert_eq!(hex(&md4(b"abc")), "a448017aaf21d8525fc10ae87aa6729d");
        assert_eq!(hex(&md5(&[b"a", b"bc"])), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            hex(&hmac_md5(&[0x0b; 16], &[b"Hi ", b"There"])),
            "9294727a3638bb1c13f48ef8158bfc9d"
        );
    }

    #[test]
    fn rc4_goes_on_where_it_was() {
        // RFC 6229, the key of 128 bits.
        let key: Key = std::array::from_fn(|index| u8::try_from(index + 1).unwrap());
        let mut rc4 = Rc4::new(&key);
        let first = [0x9a, 0xc7, 0xcc, 0x9a, 0x60, 0x9d, 0x1e, 0xf7];
        let second = [0xb2, 0x93, 0x28, 0x99, 0xcd, 0xe4, 0x1b, 0x97];
        assert_eq!(rc4.apply(&[0; 8]), first);
        assert_eq!(rc4.apply(&[0; 8]), second);
    }
}
