//! Packing what is sent when the link is slower than the processor.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::plan::{Content, Entry, Tree};

/// Bytes a second below which zstd makes a transfer faster.
const SLOW_FOR_ZSTD: f64 = 50e6;

/// The same for gzip, which is slower itself.
const SLOW_FOR_GZIP: f64 = 15e6;

/// The largest window of a stream that is unpacked, as a power of two: it bounds the memory.
const WINDOW: u32 = 23;

/// How much of a transfer is tried out: so many pieces of so many bytes.
const SAMPLES: u64 = 16;
const SAMPLE: u64 = 64 << 10;

/// What packing must save to be worth it.
const WORTH: f64 = 0.85;

/// How a stream is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    #[default]
    None,
    /// With gzip, which is nearly everywhere.
    Gzip,
    /// With zstd.
    Zstd,
}

impl Packing {
    /// From the name of the program that unpacks it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name of the program that unpacks it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What is worth it on a link of so many bytes a second, of what the far side knows. Whether
    /// the bytes can be packed at all is another question, see [`is_packable`].
    pub(crate) fn for_rate(rate: Option<f64>, known: &[Self]) -> Self {
        let worth = Self::all_for_rate(rate).iter().find(|packing| known.contains(packing));
        worth.copied().unwrap_or_default()
    }

    /// All that are worth it on a link of so many bytes a second, the best first.
    pub(crate) fn all_for_rate(rate: Option<f64>) -> &'static [Self] {
        match rate {
            Some(rate) if rate < SLOW_FOR_GZIP => &[Self::Zstd, Self::Gzip],
            Some(rate) if rate < SLOW_FOR_ZSTD => &[Self::Zstd],
            _ => &[],
        }
    }

    /// A reader that unpacks.
    pub(super) fn unpacker<'a>(self, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::None => Box::new(reader),
            Self::Gzip => Box::new(GzDecoder::new(reader)),
            Self::Zstd => {
                let mut unpacker = zstd::Decoder::new(reader)?;
                unpacker.window_log_max(WINDOW)?;
                Box::new(unpacker)
            }
        })
    }
}

/// A writer that packs.
pub(crate) enum Packer<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    /// Packs into `writer`.
    pub(crate) fn new(packing: Packing, writer: W) -> io::Result<Self> {
        Ok(match packing {
            Packing::None => Self::Plain(writer),
            Packing::Gzip => Self::Gzip(GzEncoder::new(writer, flate2::Compression::fast())),
            Packing::Zstd => Self::Zstd(zstd::Encoder::new(writer, 1)?),
        })
    }

    /// Writes what is left and returns the writer.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(writer) => Ok(writer),
            Self::Gzip(packer) => packer.finish(),
            Self::Zstd(packer) => packer.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(packer) => packer.write(bytes),
            Self::Zstd(packer) => packer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Gzip(packer) => packer.flush(),
            Self::Zstd(packer) => packer.flush(),
        }
    }
}

/// Whether packing makes the files of a tree smaller, by samples spread over them. What cannot be
/// read counts as not packable: sending it will tell why.
pub(crate) fn is_packable(tree: &Tree) -> bool {
    let step = (tree.size() / SAMPLES).max(1);
    let (mut taken, mut next, mut at) = (Vec::new(), 0, 0);
    for entry in tree.entries.values() {
        let Entry::File { size, content, .. } = entry else { continue };
        while next < at + size {
            if sample(content, next - at, &mut taken).is_err() {
                return false;
            }
            next += step;
        }
        at += size;
    }
    match zstd::bulk::compress(&taken, 1) {
        Ok(packed) => (packed.len() as f64) < WORTH * taken.len() as f64,
        Err(_) => false,
    }
}

fn sample(content: &Content, start: u64, taken: &mut Vec<u8>) -> io::Result<()> {
    match content {
        Content::Bytes(bytes) => {
            let rest = usize::try_from(start).ok().and_then(|start| bytes.get(start..));
            let rest = rest.unwrap_or_default();
            taken.extend_from_slice(rest.get(..SAMPLE as usize).unwrap_or(rest));
        }
        Content::File(path) => {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            file.take(SAMPLE).read_to_end(taken)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slow_links_are_worth_it() {
        let both = [Packing::Zstd, Packing::Gzip];
        assert_eq!(Packing::for_rate(None, &both), Packing::None);
        assert_eq!(Packing::for_rate(Some(90e6), &both), Packing::None);
        assert_eq!(Packing::for_rate(Some(20e6), &both), Packing::Zstd);
        assert_eq!(Packing::for_rate(Some(20e6), &both[1..]), Packing::None);
        assert_eq!(Packing::for_rate(Some(2e6), &both[1..]), Packing::Gzip);
        assert_eq!(Packing::for_rate(Some(2e6), &[]), Packing::None);
    }

    #[test]
    fn noise_is_not_packed_and_text_is() {
        let text = Tree::of_bytes(b"the same line again\n".repeat(100_000), 0o644);
        assert!(is_packable(&text));
        let noise: Vec<u8> = (0..2_000_000).map(|_| rand::random()).collect();
        assert!(!is_packable(&Tree::of_bytes(noise, 0o644)));
        assert!(!is_packable(&Tree::default()));
    }

    #[test]
    fn what_is_packed_can_be_unpacked() {
        let bytes = b"some bytes ".repeat(10_000);
        for packing in [Packing::None, Packing::Gzip, Packing::Zstd] {
            let mut packer = Packer::new(packing, Vec::new()).unwrap();
            packer.write_all(&bytes).unwrap();
            let packed = packer.finish().unwrap();
            let unpacked = |packed: &[u8]| {
                let mut back = Vec::new();
                packing.unpacker(packed).unwrap().read_to_end(&mut back).map(|_| back)
            };
            assert_eq!(unpacked(&packed).unwrap(), bytes);
            let broken = unpacked(packed.get(..packed.len() / 2).unwrap());
            assert!(packing == Packing::None || broken.is_err(), "{packing:?}");
        }
    }
}
