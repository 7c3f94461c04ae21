//! The envelope around every record: kind, version, length, checksum, bincode payload.
//!
//! The checksum covers the key, so that a good value at the wrong key is caught too. See format.md,
//! "Envelope".

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::keys;

/// A frozen struct that is stored under one kind and one version number.
///
/// A released struct is never edited: a changed shape is a new struct with the next version.
pub trait Record: Serialize + DeserializeOwned {
    /// One byte that names the kind of record.
    const KIND: u8;
    /// The version this struct is.
    const VERSION: u16;

    /// Reads the payload of an older version; `None` where that version was never written.
    fn from_older(_version: u16, _payload: &[u8]) -> Option<Self> {
        None
    }

    /// What is wrong with a record under `key` that decodes: a number that cannot be, a pointer that leads forward.
    /// A checksum says nothing of that.
    fn flaw(&self, _key: &[u8]) -> Option<&'static str> {
        None
    }
}

/// Reads the payload of an older version of a record.
pub fn decode_payload<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    let decoded = bincode::serde::decode_from_slice(payload, bincode_config()).ok()?;
    (decoded.1 == payload.len()).then_some(decoded.0)
}

const MAGIC: u8 = 0xD5;
/// Bytes before the payload.
pub(crate) const HEADER: usize = 12;
/// No record is larger; a length beyond it is damage.
const PAYLOAD_MAX: usize = 256 << 20;

/// The bincode settings of every payload.
pub(crate) const fn bincode_config() -> Configuration<LittleEndian, Varint, Limit<PAYLOAD_MAX>> {
    bincode::config::standard().with_limit::<PAYLOAD_MAX>()
}

/// Encodes `record` for `key`.
pub(crate) fn encode<R: Record>(key: &[u8], record: &R) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bincode::serde::encode_into_std_write(record, &mut bytes, bincode_config())
        .expect("writing a plain struct into memory does not fail");
    bytes[0] = MAGIC;
    bytes[1] = R::KIND;
    bytes[2..4].copy_from_slice(&R::VERSION.to_le_bytes());
    let length = u32::try_from(bytes.len() - HEADER).expect("a record is below the payload limit");
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(key, &bytes);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Decodes the record stored at `key`.
pub(crate) fn decode<R: Record>(key: &[u8], bytes: &[u8]) -> Result<R, StoreError> {
    let corrupt = |reason: &str| StoreError::CorruptRecord {
        key: keys::describe(key),
        reason: reason.into(),
    };
    let stored = stored_checksum(bytes).ok_or_else(|| corrupt("it is too short"))?;
    if bytes[0] != MAGIC || bytes[1] != R::KIND {
        return Err(corrupt("it is of another kind"));
    }
    if checksum(key, bytes) != stored {
        return Err(corrupt("its checksum does not match"));
    }
    let version = u16::from_le_bytes([bytes[2], bytes[3]]);
    if version != R::VERSION {
        if let Some(record) = R::from_older(version, &bytes[HEADER..]) {
            return match record.flaw(key) {
                None => Ok(record),
                Some(flaw) => Err(corrupt(flaw)),
            };
        }
        return Err(StoreError::UnknownRecord {
            key: keys::describe(key),
            found: version,
            known: R::VERSION,
        });
    }
    let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
    if length != bytes.len() - HEADER {
        return Err(corrupt("its length does not match"));
    }
    let (record, consumed): (R, usize) =
        bincode::serde::decode_from_slice(&bytes[HEADER..], bincode_config())
            .map_err(|error| corrupt(&error.to_string()))?;
    if consumed != length {
        return Err(corrupt("bytes are left over"));
    }
    match record.flaw(key) {
        None => Ok(record),
        Some(flaw) => Err(corrupt(flaw)),
    }
}

/// The checksum an envelope carries; `None` where the bytes are too short to be one.
pub(crate) fn stored_checksum(bytes: &[u8]) -> Option<u32> {
    let field = bytes.get(8..HEADER)?;
    Some(u32::from_le_bytes(field.try_into().expect("four bytes")))
}

/// Whether `bytes` is an undamaged envelope for `key`, whatever its kind.
pub(crate) fn is_sound(key: &[u8], bytes: &[u8]) -> bool {
    stored_checksum(bytes).is_some_and(|stored| bytes[0] == MAGIC && checksum(key, bytes) == stored)
}

fn checksum(key: &[u8], bytes: &[u8]) -> u32 {
    let sum = crc32c::crc32c(key);
    let sum = crc32c::crc32c_append(sum, &bytes[..8]);
    crc32c::crc32c_append(sum, &bytes[HEADER..])
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        name: String,
        count: u64,
    }

    impl Record for Sample {
        const KIND: u8 = 0x7F;
        const VERSION: u16 = 1;
    }

    fn sample() -> Sample {
        Sample {
            name: "t1".into(),
            count: 300,
        }
    }

    #[test]
    fn golden_bytes_of_the_envelope() {
        let bytes = encode(b"k", &sample());
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "d57f010006000000".to_owned() + &hex[16..24] + "027431fb2c01"
        );
        assert_eq!(decode::<Sample>(b"k", &bytes).expect("sound"), sample());
    }

    #[test]
    fn any_flipped_bit_is_caught() {
        let bytes = encode(b"k", &sample());
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<Sample>(b"k", &damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_value_at_the_wrong_key_is_caught() {
        let bytes = encode(b"k", &sample());
        assert!(decode::<Sample>(b"j", &bytes).is_err());
        assert!(decode::<Sample>(b"k", &bytes[..5]).is_err());
    }
}
