//! Encodings, hashes and addresses. Manual pages: "String functions", "Encryption and decryption functions".

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray};
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit,
};
use md5::Digest;

use super::call::{Call, Definition, Gives, Kind, function, is_binary, known, variadic};
use crate::error::{Error, Result};

use Kind::{Any, Int, Text};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("base64", "base64(binary value)", "Writes bytes in base 64.", &[Any], 0, Gives::Text, |call| digest(call, |bytes| STANDARD.encode(bytes))),
    function("compress", "compress(string|binary value)", "Compresses bytes by gzip.", &[Any], 0, Gives::Binary, compress),
    function("crc32", "crc32(string|binary value)", "Returns the CRC-32 checksum.", &[Any], 0, Gives::Int, crc32),
    function("decompress", "decompress(binary value)", "Returns the bytes that were compressed by gzip.", &[Any], 0, Gives::Binary, decompress),
    function("encode", "encode(string str, string charset)", "Returns the bytes of a text.", &[Text, Text], 0, Gives::Binary, encode),
    function("from_charset", "from_charset(binary value, string charset[, string mode])", "Reads bytes of a character set as a text.", &[Any, Text, Text], 1, Gives::Text, from_charset),
    variadic("hash", "hash(value[, value, ...])", "Returns a hash of the values.", &[Any], 1, Gives::Of(|_, _| Ok(ArrowType::Int32)), hash),
    function("hex", "hex(number|string|binary value)", "Writes a number or bytes in base 16.", &[Any], 0, Gives::Text, hex),
    function("mask_hash", "mask_hash(string str)", "Returns a hash that hides a text; NULL of anything else.", &[Any], 0, Gives::Text, |call| match call.type_of(0).is_string() || is_binary(call.type_of(0)) {
        false => call.texts(|_| Ok(None::<String>)),
        true => digest(call, |bytes| hex_of(&sha2::Sha256::digest(bytes))),
    }),
    function("md5", "md5(string str)", "Returns the MD5 hash in base 16.", &[Text], 0, Gives::Text, |call| digest(call, |bytes| hex_of(&md5::Md5::digest(bytes)))),
    function("parse_url", "parse_url(string url, string part[, string key])", "Returns a part of an address: HOST, PATH, QUERY, REF, PROTOCOL, AUTHORITY, FILE or USERINFO.", &[Text, Text, Text], 1, Gives::Text, parse_url),
    function("sha", "sha(string|binary value)", "Returns the SHA-1 hash in base 16.", &[Any], 0, Gives::Text, |call| digest(call, |bytes| hex_of(&sha1::Sha1::digest(bytes)))),
    function("sha1", "sha1(string|binary value)", "Returns the SHA-1 hash in base 16.", &[Any], 0, Gives::Text, |call| digest(call, |bytes| hex_of(&sha1::Sha1::digest(bytes)))),
    function("sha2", "sha2(string|binary value, bigint bits)", "Returns the SHA-2 hash of 224, 256, 384 or 512 bits in base 16.", &[Any, Int], 0, Gives::Text, sha2_hash),
    function("unbase64", "unbase64(string str)", "Reads bytes in base 64.", &[Text], 0, Gives::Binary, unbase64),
    function("unhex", "unhex(string str)", "Reads bytes in base 16.", &[Text], 0, Gives::Binary, unhex),
    function("url_decode", "url_decode(string str[, string charset])", "Reads a text as addresses have it.", &[Text, Text], 1, Gives::Text, url_decode),
    function("url_encode", "url_encode(string str[, string charset])", "Writes a text as addresses have it.", &[Text, Text], 1, Gives::Text, url_encode),
];

/// DECODE of two arguments.
#[rustfmt::skip]
pub(super) const DECODE: Definition = function("__decode", "__decode", "the text of bytes of a character set", &[Any, Text], 0, Gives::Text, decode);

fn hex_of(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// The bytes of a text or binary argument.
fn bytes_of(call: &Call, position: usize) -> Result<impl Fn(usize) -> Option<Vec<u8>>> {
    let is_binary = is_binary(call.type_of(position));
    let column = call.any(position);
    let binary = if is_binary {
        let array = datafusion::arrow::compute::cast(
            column.array(),
            &datafusion::arrow::datatypes::DataType::BinaryView,
        );
        Some(array.map_err(|error| Error::internal(error.to_string()))?)
    } else {
        None
    };
    let text = if is_binary {
        None
    } else {
        Some(call.text(position)?)
    };
    Ok(move |row| match (&binary, &text) {
        (Some(array), _) => {
            let row = column.row(row);
            array
                .is_valid(row)
                .then(|| array.as_binary_view().value(row).to_vec())
        }
        (None, Some(text)) => text.get(row).map(|text| text.as_bytes().to_vec()),
        (None, None) => None,
    })
}

fn digest(call: &Call, of: impl Fn(&[u8]) -> String) -> Result<ArrayRef> {
    let bytes = bytes_of(call, 0)?;
    call.texts(|row| Ok(bytes(row).map(|bytes| of(&bytes))))
}

fn crc32(call: &Call) -> Result<ArrayRef> {
    let bytes = bytes_of(call, 0)?;
    call.values::<Int64Type>(|row| Ok(bytes(row).map(|bytes| i64::from(crc32fast::hash(&bytes)))))
}

fn binaries(call: &Call, mut of: impl FnMut(usize) -> Result<Option<Vec<u8>>>) -> Result<ArrayRef> {
    let values: Vec<Option<Vec<u8>>> = (0..call.rows).map(&mut of).collect::<Result<_>>()?;
    Ok(std::sync::Arc::new(
        values.into_iter().collect::<BinaryViewArray>(),
    ))
}

/// A character set by its name: what the libraries of the original know it by, in any case.
pub(super) enum Charset {
    Utf16 { is_big: bool },
    Latin1,
    Ascii,
    Gb2312,
    Other(&'static encoding_rs::Encoding),
}

impl Charset {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "utf-16" | "utf-16be" => Self::Utf16 { is_big: true },
            "utf-16le" => Self::Utf16 { is_big: false },
            "iso-8859-1" | "latin1" => Self::Latin1,
            "us-ascii" | "ascii" => Self::Ascii,
            "gb2312" | "euc-cn" => Self::Gb2312,
            name => Self::Other(encoding_rs::Encoding::for_label(name.as_bytes())?),
        })
    }

    /// The bytes of a text; what the character set has not is a question mark.
    fn bytes(&self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf16 { is_big: true } => {
                text.encode_utf16().flat_map(u16::to_be_bytes).collect()
            }
            Self::Utf16 { is_big: false } => {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            Self::Latin1 => {
                let byte = |c| u8::try_from(u32::from(c)).unwrap_or(b'?');
                text.chars().map(byte).collect()
            }
            Self::Ascii => {
                let byte = |c: char| if c.is_ascii() { c as u8 } else { b'?' };
                text.chars().map(byte).collect()
            }
            Self::Gb2312 => Self::Other(encoding_rs::GBK).bytes(text),
            Self::Other(charset) => {
                let mut bytes = Vec::with_capacity(text.len());
                let mut buffer = [0; 8];
                for c in text.chars() {
                    let (encoded, _, is_unknown) = charset.encode(c.encode_utf8(&mut buffer));
                    match is_unknown {
                        true => bytes.push(b'?'),
                        false => bytes.extend_from_slice(&encoded),
                    }
                }
                bytes
            }
        }
    }

    /// Whether the character set has every character of a text.
    pub(super) fn has_all_of(&self, text: &str) -> bool {
        match self {
            Self::Utf16 { .. } => true,
            Self::Latin1 => text.chars().all(|c| u32::from(c) < 256),
            Self::Ascii => text.is_ascii(),
            // GB 2312 is the part of GBK that has both bytes from A1 on.
            Self::Gb2312 => {
                let (bytes, _, is_unknown) = encoding_rs::GBK.encode(text);
                let mut rest = bytes.iter();
                while let Some(first) = rest.next() {
                    if *first >= 0x80
                        && (*first < 0xa1 || rest.next().is_none_or(|second| *second < 0xa1))
                    {
                        return false;
                    }
                }
                !is_unknown
            }
            Self::Other(charset) => !charset.encode(text).2,
        }
    }

    /// The text of bytes, and whether some of them are none.
    fn text(&self, bytes: &[u8]) -> (String, bool) {
        let units = |unit: fn([u8; 2]) -> u16| {
            let pairs = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
            let units = pairs.collect::<Vec<_>>();
            let is_broken = !bytes.len().is_multiple_of(2) || String::from_utf16(&units).is_err();
            (String::from_utf16_lossy(&units), is_broken)
        };
        match self {
            Self::Utf16 { is_big: true } => units(u16::from_be_bytes),
            Self::Utf16 { is_big: false } => units(u16::from_le_bytes),
            Self::Latin1 => (bytes.iter().map(|byte| char::from(*byte)).collect(), false),
            Self::Ascii => (
                String::from_utf8_lossy(bytes).into_owned(),
                !bytes.is_ascii(),
            ),
            Self::Gb2312 => Self::Other(encoding_rs::GBK).text(bytes),
            Self::Other(charset) => {
                let (text, is_broken) = charset.decode_without_bom_handling(bytes);
                (text.into_owned(), is_broken)
            }
        }
    }
}

fn encode(call: &Call) -> Result<ArrayRef> {
    let (text, charset) = (call.text(0)?, call.text(1)?);
    binaries(call, |row| {
        let (text, charset) = (known!(text.get(row)), known!(charset.get(row)));
        match Charset::named(charset) {
            Some(charset) => Ok(Some(charset.bytes(text))),
            None => call.unfit(format!("unknown character set {charset}")),
        }
    })
}

fn decode(call: &Call) -> Result<ArrayRef> {
    let (bytes, charset) = (bytes_of(call, 0)?, call.text_or(1, "utf-8")?);
    call.texts(|row| {
        let (bytes, charset) = (known!(bytes(row)), known!(charset.get(row)));
        match Charset::named(charset) {
            Some(charset) => Ok(Some(charset.text(&bytes).0)),
            None => call.unfit(format!("unknown character set {charset}")),
        }
    })
}

/// Manual page: "FROM_CHARSET".
fn from_charset(call: &Call) -> Result<ArrayRef> {
    let (bytes, charset, mode) = (bytes_of(call, 0)?, call.text(1)?, call.text_or(2, "NONE")?);
    call.texts(|row| {
        let (bytes, name) = (known!(bytes(row)), known!(charset.get(row)));
        let Some(charset) = Charset::named(name) else {
            return Err(Error::argument_value(format!(
                "function from_charset: unknown character set {name}"
            )));
        };
        let (text, is_broken) = charset.text(&bytes);
        let mode = known!(mode.get(row)).to_ascii_uppercase();
        match mode.as_str() {
            "NONE" if is_broken => Err(Error::argument_value(format!(
                "function from_charset: the value is not in {name}"
            ))),
            "NONE" => Ok(Some(text)),
            "TRANSLIT" => Ok(Some(text.replace(char::REPLACEMENT_CHARACTER, "?"))),
            "IGNORE" => Ok(Some(text.replace(char::REPLACEMENT_CHARACTER, ""))),
            _ => Err(Error::argument_value(
                "function from_charset: the mode is NONE, TRANSLIT or IGNORE",
            )),
        }
    })
}

fn compress(call: &Call) -> Result<ArrayRef> {
    let bytes = bytes_of(call, 0)?;
    binaries(call, |row| {
        let bytes = known!(bytes(row));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let written =
            std::io::Write::write_all(&mut encoder, &bytes).and_then(|()| encoder.finish());
        written
            .map(Some)
            .map_err(|error| Error::internal(error.to_string()))
    })
}

fn decompress(call: &Call) -> Result<ArrayRef> {
    /// Largest value of a column, in bytes.
    const SIZE_MAX: u64 = 8 << 20;
    let bytes = bytes_of(call, 0)?;
    binaries(call, |row| {
        let bytes = known!(bytes(row));
        let mut out = Vec::new();
        let decoder = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        let read =
            std::io::Read::read_to_end(&mut std::io::Read::take(decoder, SIZE_MAX + 1), &mut out);
        match read {
            Ok(length) if length as u64 > SIZE_MAX => Err(Error::overflow(
                "function decompress: the result is larger than 8 MiB",
            )),
            Ok(_) => Ok(Some(out)),
            Err(_) => call.unfit("the value is not compressed by gzip"),
        }
    })
}

/// Hive's hash: of several values 31 times what came before plus the next. Manual page: "HASH".
fn hash(call: &Call) -> Result<ArrayRef> {
    let columns: Vec<_> = (0..call.count())
        .map(|position| call.any(position))
        .collect();
    call.values::<Int32Type>(|row| {
        let mut hash = 0i32;
        for column in &columns {
            let next = hash_of(column.array(), column.row(row));
            hash = hash.wrapping_mul(31).wrapping_add(next);
        }
        Ok(Some(hash))
    })
}

/// The hash of one value, as Java has it; of NULL it is 0.
fn hash_of(array: &ArrayRef, row: usize) -> i32 {
    if array.is_null(row) || array.data_type().is_null() {
        return 0;
    }
    let folded = |bits: u64| (bits ^ (bits >> 32)) as i32;
    let of_bytes = |start: i32, bytes: &[u8]| {
        bytes.iter().fold(start, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(i32::from(*byte as i8))
        })
    };
    let of_items = |items: &ArrayRef| {
        (0..items.len()).fold(0i32, |hash, item| {
            hash.wrapping_mul(31).wrapping_add(hash_of(items, item))
        })
    };
    match array.data_type() {
        ArrowType::Boolean => i32::from(array.as_boolean().value(row)),
        ArrowType::Int8 => i32::from(array.as_primitive::<Int8Type>().value(row)),
        ArrowType::Int16 => i32::from(array.as_primitive::<Int16Type>().value(row)),
        ArrowType::Int32 => array.as_primitive::<Int32Type>().value(row),
        ArrowType::Int64 => folded(array.as_primitive::<Int64Type>().value(row) as u64),
        ArrowType::Float32 => {
            // -0.0 and 0.0 are one number.
            let number = array.as_primitive::<Float32Type>().value(row) + 0.0;
            number.to_bits() as i32
        }
        ArrowType::Float64 => {
            let number = array.as_primitive::<Float64Type>().value(row) + 0.0;
            folded(number.to_bits())
        }
        ArrowType::Decimal128(_, scale) => {
            let (mut units, mut scale) = (
                array.as_primitive::<Decimal128Type>().value(row),
                i32::from(*scale),
            );
            while scale > 0 && units % 10 == 0 {
                (units, scale) = (units / 10, scale - 1);
            }
            let magnitude = units.unsigned_abs().to_be_bytes();
            let words = magnitude.chunks(4).map(|word| {
                word.iter()
                    .fold(0u32, |all, byte| (all << 8) | u32::from(*byte))
            });
            let hash = words.fold(0i32, |hash, word| {
                hash.wrapping_mul(31).wrapping_add(word as i32)
            });
            let sign = units.signum() as i32;
            hash.wrapping_mul(sign).wrapping_mul(31).wrapping_add(scale)
        }
        ArrowType::Date32 => array.as_primitive::<Date32Type>().value(row),
        ArrowType::Timestamp(unit, _) => {
            let instant = crate::engine::cast::local_times(array, Tz::UTC)(row);
            let Some(instant) = instant.filter(|_| *unit != TimeUnit::Second) else {
                return 0;
            };
            let utc = instant.and_utc();
            let seconds = (utc.timestamp() << 30) | i64::from(utc.timestamp_subsec_nanos());
            folded(seconds as u64)
        }
        ArrowType::Binary => of_bytes(1, array.as_binary::<i32>().value(row)),
        ArrowType::BinaryView => of_bytes(1, array.as_binary_view().value(row)),
        ArrowType::List(_) => of_items(&array.as_list::<i32>().value(row)),
        ArrowType::Struct(_) => array
            .as_struct()
            .columns()
            .iter()
            .fold(0i32, |hash, field| {
                hash.wrapping_mul(31).wrapping_add(hash_of(field, row))
            }),
        ArrowType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            (0..entries.len()).fold(0i32, |hash, entry| {
                hash.wrapping_add(hash_of(keys, entry) ^ hash_of(values, entry))
            })
        }
        _ => match crate::engine::text::text(array, row) {
            Some(text) => of_bytes(0, text.as_bytes()),
            None => 0,
        },
    }
}

fn hex(call: &Call) -> Result<ArrayRef> {
    if call.type_of(0).is_integer() {
        let number = call.int(0)?;
        return call.texts(|row| Ok(number.get(row).map(|number| format!("{number:X}"))));
    }
    digest(call, |bytes| hex_of(bytes).to_uppercase())
}

fn sha2_hash(call: &Call) -> Result<ArrayRef> {
    let (bytes, bits) = (bytes_of(call, 0)?, call.int(1)?);
    call.texts(|row| {
        let (bytes, bits) = (known!(bytes(row)), known!(bits.get(row)));
        match bits {
            224 => Ok(Some(hex_of(&sha2::Sha224::digest(&bytes)))),
            0 | 256 => Ok(Some(hex_of(&sha2::Sha256::digest(&bytes)))),
            384 => Ok(Some(hex_of(&sha2::Sha384::digest(&bytes)))),
            512 => Ok(Some(hex_of(&sha2::Sha512::digest(&bytes)))),
            _ => call.unfit("the number of bits is 224, 256, 384 or 512"),
        }
    })
}

fn unbase64(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    binaries(call, |row| match STANDARD.decode(known!(text.get(row))) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) => call.unfit("the text is not in base 64"),
    })
}

fn unhex(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    binaries(call, |row| {
        let text = known!(text.get(row));
        let padded = if text.len().is_multiple_of(2) {
            text.to_owned()
        } else {
            format!("0{text}")
        };
        let pairs = padded.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        Ok(pairs.collect())
    })
}

fn url_encode(call: &Call) -> Result<ArrayRef> {
    let (text, charset) = (call.text(0)?, call.text_or(1, "utf-8")?);
    call.texts(|row| {
        let (text, charset) = (known!(text.get(row)), known!(charset.get(row)));
        match Charset::named(charset) {
            Some(charset) => {
                let bytes = charset.bytes(text);
                Ok(Some(
                    url::form_urlencoded::byte_serialize(&bytes).collect::<String>(),
                ))
            }
            None => call.unfit(format!("unknown character set {charset}")),
        }
    })
}

fn url_decode(call: &Call) -> Result<ArrayRef> {
    let (text, charset) = (call.text(0)?, call.text_or(1, "utf-8")?);
    call.texts(|row| {
        let (text, charset) = (known!(text.get(row)), known!(charset.get(row)));
        let Some(charset) = Charset::named(charset) else {
            return call.unfit(format!("unknown character set {charset}"));
        };
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, others)) = rest.split_first() {
            let digits = others.get(..2).filter(|_| *first == b'%');
            let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &others[2..];
                }
                None => {
                    bytes.push(if *first == b'+' { b' ' } else { *first });
                    rest = others;
                }
            }
        }
        Ok(Some(charset.text(&bytes).0))
    })
}

/// A part of an address of PARSE_URL_TUPLE.
#[rustfmt::skip]
pub(super) const URL_PART: Definition = function("__url_part", "__url_part", "a part of an address; QUERY:k is the value of a key", &[Text, Text], 0, Gives::Text, url_part);

fn url_part(call: &Call) -> Result<ArrayRef> {
    let (text, wanted) = (call.text(0)?, call.text(1)?);
    call.texts(|row| {
        let (Some(text), Some(wanted)) = (text.get(row), wanted.get(row)) else {
            return call.unfit("the address and its parts are not NULL");
        };
        match wanted.split_once(':') {
            Some((part, key)) => part_of_url(call, text, part, Some(key)),
            None => part_of_url(call, text, wanted, None),
        }
    })
}

fn parse_url(call: &Call) -> Result<ArrayRef> {
    let (text, wanted) = (call.text(0)?, call.text(1)?);
    let key = (call.count() > 2).then(|| call.text(2)).transpose()?;
    call.texts(|row| {
        let (text, wanted) = (known!(text.get(row)), known!(wanted.get(row)));
        match &key {
            Some(key) => part_of_url(call, text, wanted, Some(known!(key.get(row)))),
            None => part_of_url(call, text, wanted, None),
        }
    })
}

/// Manual page: "PARSE_URL".
fn part_of_url(call: &Call, text: &str, part: &str, key: Option<&str>) -> Result<Option<String>> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return call.unfit(format!("'{text}' is no address"));
    };
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let host = host.split(':').next().unwrap_or(host);
    Ok(match (part.to_ascii_uppercase().as_str(), key) {
        ("HOST", None) => Some(host.to_owned()),
        ("PATH", None) => Some(path.to_owned()),
        ("QUERY", None) => query.map(str::to_owned),
        ("QUERY", Some(key)) => {
            let pairs = query.unwrap_or_default().split('&');
            let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.to_owned())
        }
        ("REF", None) => fragment.map(str::to_owned),
        ("PROTOCOL", None) => Some(scheme.to_owned()),
        ("AUTHORITY", None) => Some(authority.to_owned()),
        ("FILE", None) => Some(match query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }),
        ("USERINFO", None) => user.map(str::to_owned),
        (other, _) => return call.unfit(format!("'{other}' is not a part of an address")),
    })
}
