//! Texts. Manual page: "String functions". Positions count characters from 1.

use std::borrow::Cow;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::Int64Type;

use super::call::{Call, Definition, Gives, Kind, function, known, variadic};
use super::encoding::Charset;
use super::format::NumberFormat;
use crate::error::{Error, Result};

use Kind::{Any, Int, Number, Plain, Text, Whole};

/// Most digits behind the point that FORMAT_NUMBER writes.
const DIGITS_MAX: usize = 340;
/// Longest text a function makes, in bytes.
const TEXT_MAX: usize = 8 << 20;

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("ascii", "ascii(string str)", "Returns the code of the first character.", &[Text], 0, Gives::Int, ascii),
    function("char_matchcount", "char_matchcount(string str1, string str2)", "Returns how many characters of str1 are in str2.", &[Text, Text], 0, Gives::Int, char_matchcount),
    function("chr", "chr(bigint code)", "Returns the character with a code from 0 to 127.", &[Int], 0, Gives::Text, chr),
    variadic("concat", "concat(string a[, string b, ...]) | concat(array a[, array b, ...])", "Joins texts or arrays; NULL where any of them is NULL.", &[Plain], 1, Gives::Of(super::array::concat_type), concat),
    variadic("concat_ws", "concat_ws(string separator, string a[, string b, ...]) | concat_ws(string separator, array<string> a)", "Joins texts with a separator; NULL where any of them is NULL.", &[Text, Plain], 2, Gives::Text, concat_ws),
    function("find_in_set", "find_in_set(string str, string list[, string separator])", "Returns the position of str in a list with commas or another separator, 0 where it is not there.", &[Text, Text, Text], 1, Gives::Int, find_in_set),
    function("format_number", "format_number(double number, int digits|string pattern)", "Writes a number with thousands separators and so many decimal digits, or by a pattern such as #,##0.00.", &[Number, Any], 0, Gives::Text, format_number),
    function("initcap", "initcap(string str)", "Turns the first letter of each word into upper case, the others into lower case.", &[Text], 0, Gives::Text, initcap),
    function("instr", "instr(string str, string part[, bigint start[, bigint nth]])", "Returns where the nth part begins, 0 where it is not there.", &[Text, Text, Whole, Whole], 2, Gives::Int, instr),
    function("is_encoding", "is_encoding(string str, string from, string to)", "Returns whether a text can be converted from one character set to another.", &[Text, Text, Text], 0, Gives::Boolean, is_encoding),
    function("keyvalue", "keyvalue(string str[, string split1, string split2], string key)", "Splits a text into pairs and returns the value of key.", &[Text, Text, Text, Text], 2, Gives::Text, keyvalue),
    function("length", "length(string str)", "Returns the number of characters.", &[Text], 0, Gives::Int, length),
    function("lengthb", "lengthb(string str)", "Returns the number of bytes.", &[Text], 0, Gives::Int, lengthb),
    function("locate", "locate(string part, string str[, bigint start])", "Returns where part begins in str, 0 where it is not there.", &[Text, Text, Int], 1, Gives::Int, locate),
    function("lower", "lower(string str)", "Turns a text into lower case.", &[Text], 0, Gives::Text, lower),
    function("lpad", "lpad(string str, bigint length, string pad)", "Fills a text up on its left, or cuts it, to a length.", &[Text, Int, Text], 0, Gives::Text, lpad),
    function("ltrim", "ltrim(string str[, string characters])", "Removes characters, blanks by default, from the left.", &[Text, Text], 1, Gives::Text, ltrim),
    function("repeat", "repeat(string str, bigint n)", "Repeats a text n times.", &[Text, Int], 0, Gives::Text, repeat),
    function("replace", "replace(string str, string old, string new)", "Replaces every old by new.", &[Text, Text, Text], 0, Gives::Text, replace),
    function("reverse", "reverse(string str) | reverse(array a)", "Turns a text or an array round.", &[Plain], 0, Gives::Of(super::array::same_or_text), reverse),
    function("rpad", "rpad(string str, bigint length, string pad)", "Fills a text up on its right, or cuts it, to a length.", &[Text, Int, Text], 0, Gives::Text, rpad),
    function("rtrim", "rtrim(string str[, string characters])", "Removes characters, blanks by default, from the right.", &[Text, Text], 1, Gives::Text, rtrim),
    function("space", "space(bigint n)", "Returns n blanks.", &[Int], 0, Gives::Text, space),
    function("split_part", "split_part(string str, string separator, bigint start[, bigint end])", "Returns the parts from start to end, counted from 1.", &[Text, Text, Whole, Whole], 1, Gives::Text, split_part),
    function("substr", "substr(string str, bigint start[, bigint length])", "Returns a part of a text; a negative start counts from the end.", &[Text, Whole, Whole], 1, Gives::Text, substr),
    function("substring", "substring(string str, bigint start[, bigint length])", "Returns a part of a text; a negative start counts from the end.", &[Kind::Bytes, Whole, Whole], 1, Gives::Text, substr),
    function("substring_index", "substring_index(string str, string separator, int count)", "Returns what stands before the count-th separator; a negative count counts from the end.", &[Text, Text, Int], 0, Gives::Text, substring_index),
    function("tolower", "tolower(string str)", "Turns a text into lower case.", &[Text], 0, Gives::Text, lower),
    function("toupper", "toupper(string str)", "Turns a text into upper case.", &[Text], 0, Gives::Text, upper),
    function("translate", "translate(string str, string from, string to)", "Replaces each character of from by the one at its place in to.", &[Text, Text, Text], 0, Gives::Text, translate),
    function("trim", "trim(string str[, string characters])", "Removes characters, blanks by default, from both sides.", &[Text, Text], 1, Gives::Text, trim),
    function("upper", "upper(string str)", "Turns a text into upper case.", &[Text], 0, Gives::Text, upper),
];

fn ascii(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.values::<Int64Type>(|row| {
        let first = known!(text.get(row)).bytes().next();
        Ok(Some(first.map_or(0, i64::from)))
    })
}

fn char_matchcount(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (call.text(0)?, call.text(1)?);
    call.values::<Int64Type>(|row| {
        let (a, b) = (known!(a.get(row)), known!(b.get(row)));
        Ok(Some(a.chars().filter(|c| b.contains(*c)).count() as i64))
    })
}

fn chr(call: &Call) -> Result<ArrayRef> {
    let code = call.int(0)?;
    call.texts(|row| match u8::try_from(known!(code.get(row))) {
        Ok(code) if code.is_ascii() => Ok(Some(char::from(code).to_string())),
        _ => call.unfit("a code is from 0 to 127"),
    })
}

fn concat(call: &Call) -> Result<ArrayRef> {
    if !matches!(call.gives, datafusion::arrow::datatypes::DataType::Utf8View) {
        return super::array::concat(call);
    }
    let parts = (0..call.count())
        .map(|n| call.text(n))
        .collect::<Result<Vec<_>>>()?;
    let mut joined = String::new();
    let mut builder = datafusion::arrow::array::StringViewBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        joined.clear();
        let is_known = parts.iter().all(|part| match part.get(row) {
            Some(text) => {
                joined.push_str(text);
                true
            }
            None => false,
        });
        builder.append_option(is_known.then_some(joined.as_str()));
    }
    Ok(std::sync::Arc::new(builder.finish()))
}

fn concat_ws(call: &Call) -> Result<ArrayRef> {
    use super::call::is_list;
    let separator = call.text(0)?;
    let mut parts = Vec::new();
    for position in 1..call.count() {
        parts.push(if is_list(call.type_of(position)) {
            (None, Some(call.list(position)?))
        } else {
            (Some(call.text(position)?), None)
        });
    }
    call.texts(|row| {
        let separator = known!(separator.get(row));
        let mut all: Vec<String> = Vec::new();
        for part in &parts {
            match part {
                // The Hive-compatible edition passes over NULL.
                (Some(text), _) if call.casting.is_hive && text.get(row).is_none() => {}
                (Some(text), _) => all.push(known!(text.get(row)).to_owned()),
                (None, Some(list)) if call.casting.is_hive && list.get(row).is_none() => {}
                (None, Some(list)) => {
                    let items = known!(list.get(row));
                    for item in 0..items.len() {
                        match crate::engine::text::text(&items, item) {
                            None if call.casting.is_hive => {}
                            text => all.push(known!(text)),
                        }
                    }
                }
                (None, None) => {}
            }
        }
        Ok(Some(all.join(separator)))
    })
}

fn find_in_set(call: &Call) -> Result<ArrayRef> {
    let (text, list, separator) = (call.text(0)?, call.text(1)?, call.text_or(2, ",")?);
    call.values::<Int64Type>(|row| {
        let (text, list) = (known!(text.get(row)), known!(list.get(row)));
        let separator = known!(separator.get(row));
        let place = match separator {
            "" => (list == text).then_some(0),
            separator => list.split(separator).position(|item| item == text),
        };
        Ok(Some(place.map_or(0, |place| place as i64 + 1)))
    })
}

fn format_number(call: &Call) -> Result<ArrayRef> {
    if call.type_of(1).is_string() {
        let (number, pattern) = (call.text(0)?, call.text(1)?);
        return call.texts(|row| {
            let (number, pattern) = (known!(number.get(row)), known!(pattern.get(row)));
            let format = match pattern.trim().parse::<usize>() {
                Ok(digits) if digits <= DIGITS_MAX => Some(NumberFormat::with_digits(digits)),
                _ => NumberFormat::new(pattern),
            };
            let Some(format) = format else {
                return call.unfit(format!("'{pattern}' is no pattern for numbers"));
            };
            if number.is_empty() {
                return Ok(None);
            }
            // Digits without an exponent, rounded as a decimal number.
            let plain = match number.contains(['E', 'e']) {
                true => number.parse::<f64>().map(|number| format!("{number}")),
                false => Ok(number.to_owned()),
            };
            match plain {
                Ok(plain)
                    if plain
                        .trim_start_matches('-')
                        .starts_with(|c: char| c.is_ascii_digit()) =>
                {
                    Ok(Some(format.write(|digits| with_digits(&plain, digits))))
                }
                _ => call.unfit(format!("'{number}' is no number")),
            }
        });
    }
    let digits = call.int(1)?;
    let digits_of = |row| {
        digits.get(row).map(|digits| {
            let digits = usize::try_from(digits).ok();
            digits.filter(|digits| *digits <= DIGITS_MAX)
        })
    };
    let given = call.type_of(0);
    if given.is_decimal() || given.is_integer() {
        // All their digits count.
        let number = call.text(0)?;
        return call.texts(|row| {
            let (number, digits) = (known!(number.get(row)), known!(digits_of(row)));
            match digits {
                Some(digits) => Ok(Some(
                    NumberFormat::with_digits(digits).write(|digits| with_digits(number, digits)),
                )),
                None => call.unfit("the number of digits is from 0 to 340"),
            }
        });
    }
    let texts = given.is_string().then(|| call.text(0)).transpose()?;
    if texts
        .as_ref()
        .is_some_and(|texts| texts.constant() == Some(""))
    {
        return call.texts(|_| Ok(None::<String>));
    }
    let number = call.double(0)?;
    call.texts(|row| {
        let (number, digits) = (known!(number.get(row)), known!(digits_of(row)));
        match digits {
            Some(digits) => Ok(Some(
                NumberFormat::with_digits(digits).write(|digits| format!("{number:.digits$}")),
            )),
            None => call.unfit("the number of digits is from 0 to 340"),
        }
    })
}

/// A decimal number with so many digits behind the point, rounded half away from zero.
fn with_digits(number: &str, digits: usize) -> String {
    let (sign, unsigned) = match number.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", number),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let padded = format!("{fraction:0<digits$}");
    let (kept, rest) = padded.split_at(digits);
    let mut all: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    if rest.bytes().next().is_some_and(|next| next >= b'5') {
        let mut carries = true;
        for digit in all.iter_mut().rev() {
            if !carries {
                break;
            }
            carries = *digit == b'9';
            *digit = if carries { b'0' } else { *digit + 1 };
        }
        if carries {
            all.insert(0, b'1');
        }
    }
    let (whole, fraction) = all.split_at(all.len() - digits);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let is_zero = all.iter().all(|digit| *digit == b'0');
    let sign = if is_zero { "" } else { sign };
    match digits {
        0 => format!("{sign}{}", text(whole)),
        _ => format!("{sign}{}.{}", text(whole), text(fraction)),
    }
}

fn initcap(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|row| {
        let text = known!(text.get(row));
        let mut begins = true;
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if begins {
                out.extend(c.to_uppercase());
            } else {
                out.extend(c.to_lowercase());
            }
            begins = c.is_whitespace();
        }
        Ok(Some(out))
    })
}

/// The byte where the character at `position`, from 0, begins; the end of the text behind its last.
fn byte_of(text: &str, position: usize) -> usize {
    if text.is_ascii() {
        return position.min(text.len());
    }
    text.char_indices()
        .nth(position)
        .map_or(text.len(), |(byte, _)| byte)
}

/// Where the nth `part` begins in `text` from character `start`, counted from 1; 0 where it is not.
fn find_nth(text: &str, part: &str, start: usize, nth: usize) -> i64 {
    let mut from = byte_of(text, start - 1);
    for count in 1..=nth {
        let Some(found) = text[from..].find(part) else {
            return 0;
        };
        let at = from + found;
        if count == nth {
            return text[..at].chars().count() as i64 + 1;
        }
        let step = text[at..].chars().next().map_or(1, char::len_utf8);
        from = (at + step).min(text.len());
        if at == text.len() {
            return 0;
        }
    }
    0
}

fn instr(call: &Call) -> Result<ArrayRef> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    let (start, nth) = (call.int_or(2, 1)?, call.int_or(3, 1)?);
    call.values::<Int64Type>(|row| {
        let (text, part) = (known!(text.get(row)), known!(part.get(row)));
        let (start, nth) = (known!(start.get(row)), known!(nth.get(row)));
        if start == 0 || nth < 1 {
            return call.unfit("start is not 0, nth at least 1");
        }
        Ok(Some(match usize::try_from(start) {
            Ok(start) => find_nth(text, part, start, nth as usize),
            Err(_) => find_nth_from_end(text, part, start.unsigned_abs() as usize, nth as usize),
        }))
    })
}

/// Where the nth part begins, searched backwards from the character `start` from the end, at which it may begin.
fn find_nth_from_end(text: &str, part: &str, start: usize, nth: usize) -> i64 {
    let chars: Vec<char> = text.chars().collect();
    let part: Vec<char> = part.chars().collect();
    let Some(last) = chars.len().checked_sub(start) else {
        return 0;
    };
    let mut places = (0..=last)
        .rev()
        .filter(|at| chars[*at..].starts_with(&part));
    places.nth(nth - 1).map_or(0, |at| at as i64 + 1)
}

fn locate(call: &Call) -> Result<ArrayRef> {
    let (part, text, start) = (call.text(0)?, call.text(1)?, call.int_or(2, 1)?);
    call.values::<Int64Type>(|row| {
        let (text, part) = (known!(text.get(row)), known!(part.get(row)));
        Ok(Some(match start.get(row) {
            Some(start) if start >= 1 => find_nth(text, part, start as usize, 1),
            _ => 0,
        }))
    })
}

fn is_encoding(call: &Call) -> Result<ArrayRef> {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.booleans(|row| {
        let text = known!(text.get(row));
        let fits = |name: &str| match Charset::named(name) {
            Some(charset) => Ok(charset.has_all_of(text)),
            None => Err(Error::argument_value(format!(
                "function is_encoding: unknown character set {name}"
            ))),
        };
        Ok(Some(
            fits(known!(from.get(row)))? && fits(known!(to.get(row)))?,
        ))
    })
}

fn keyvalue(call: &Call) -> Result<ArrayRef> {
    if call.count() == 3 {
        return Err(Error::argument_count("keyvalue", 3));
    }
    let text = call.text(0)?;
    let (split1, split2, key) = if call.count() == 2 {
        (call.text_or(9, ";")?, call.text_or(9, ":")?, call.text(1)?)
    } else {
        (call.text(1)?, call.text(2)?, call.text(3)?)
    };
    call.texts(|row| {
        let text = known!(text.get(row));
        let (split1, split2) = (known!(split1.get(row)), known!(split2.get(row)));
        let key = known!(key.get(row));
        let mut pairs = text
            .split(split1)
            .filter_map(|pair| pair.split_once(split2));
        Ok(pairs.find(|(name, _)| *name == key).map(|(_, value)| value))
    })
}

fn length(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.values::<Int64Type>(|row| Ok(text.get(row).map(|text| text.chars().count() as i64)))
}

fn lengthb(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.values::<Int64Type>(|row| Ok(text.get(row).map(|text| text.len() as i64)))
}

fn lower(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|row| Ok(text.get(row).map(str::to_lowercase)))
}

fn upper(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|row| Ok(text.get(row).map(str::to_uppercase)))
}

fn lpad(call: &Call) -> Result<ArrayRef> {
    pad(call, true)
}

fn rpad(call: &Call) -> Result<ArrayRef> {
    pad(call, false)
}

fn pad(call: &Call, left: bool) -> Result<ArrayRef> {
    let (text, length, with) = (call.text(0)?, call.int(1)?, call.text(2)?);
    call.texts(|row| {
        let (text, length, with) = (
            known!(text.get(row)),
            known!(length.get(row)),
            known!(with.get(row)),
        );
        let Some(length) = usize::try_from(length)
            .ok()
            .filter(|length| *length <= TEXT_MAX)
        else {
            return call.unfit("the length is from 0 to 8388608");
        };
        let count = text.chars().count();
        if count >= length || with.is_empty() {
            return Ok(Some(text[..byte_of(text, length)].to_owned()));
        }
        let fill: String = with.chars().cycle().take(length - count).collect();
        Ok(Some(if left {
            fill + text
        } else {
            text.to_owned() + &fill
        }))
    })
}

fn trimmed(call: &Call, cut: fn(&str, &[char]) -> (usize, usize)) -> Result<ArrayRef> {
    let (text, characters) = (call.text(0)?, call.text_or(1, " ")?);
    call.texts(|row| {
        let text = known!(text.get(row));
        let characters: Vec<char> = known!(characters.get(row)).chars().collect();
        let (begin, end) = cut(text, &characters);
        Ok(Some(&text[begin..end]))
    })
}

fn trim(call: &Call) -> Result<ArrayRef> {
    trimmed(call, |text, characters| {
        let begin = text.len() - text.trim_start_matches(characters).len();
        (
            begin,
            begin + text[begin..].trim_end_matches(characters).len(),
        )
    })
}

fn ltrim(call: &Call) -> Result<ArrayRef> {
    trimmed(call, |text, characters| {
        (
            text.len() - text.trim_start_matches(characters).len(),
            text.len(),
        )
    })
}

fn rtrim(call: &Call) -> Result<ArrayRef> {
    trimmed(call, |text, characters| {
        (0, text.trim_end_matches(characters).len())
    })
}

fn repeat(call: &Call) -> Result<ArrayRef> {
    let (text, count) = (call.text(0)?, call.int(1)?);
    call.texts(|row| {
        let (text, count) = (
            known!(text.get(row)),
            known!(count.get(row)).max(0) as usize,
        );
        if text.len().saturating_mul(count) > TEXT_MAX {
            return Err(Error::overflow("function repeat: the text is over 8 MB"));
        }
        Ok(Some(text.repeat(count)))
    })
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.texts(|row| {
        let (text, old, new) = (
            known!(text.get(row)),
            known!(old.get(row)),
            known!(new.get(row)),
        );
        Ok(Some(if old.is_empty() || !text.contains(old) {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(text.replace(old, new))
        }))
    })
}

fn reverse(call: &Call) -> Result<ArrayRef> {
    if !matches!(call.gives, datafusion::arrow::datatypes::DataType::Utf8View) {
        return super::array::reverse(call);
    }
    let text = call.text(0)?;
    call.texts(|row| {
        Ok(text
            .get(row)
            .map(|text| text.chars().rev().collect::<String>()))
    })
}

fn space(call: &Call) -> Result<ArrayRef> {
    let count = call.int(0)?;
    call.texts(|row| {
        let count = known!(count.get(row)).max(0) as usize;
        if count > TEXT_MAX {
            return Err(Error::overflow("function space: the text is over 8 MB"));
        }
        Ok(Some(" ".repeat(count)))
    })
}

fn split_part(call: &Call) -> Result<ArrayRef> {
    let (text, separator, start) = (call.text(0)?, call.text(1)?, call.int(2)?);
    let end = if call.count() > 3 {
        call.int(3)?
    } else {
        call.int(2)?
    };
    separator.expect_constant(call.name, "the separator")?;
    start.expect_constant(call.name, "the start")?;
    end.expect_constant(call.name, "the end")?;
    call.texts(|row| {
        let (text, separator) = (known!(text.get(row)), known!(separator.get(row)));
        let (start, end) = (known!(start.get(row)), known!(end.get(row)));
        if start < 1 {
            return call.unfit("the start is at least 1");
        }
        if separator.is_empty() {
            return Ok(Some(text.to_owned()));
        }
        let wanted = usize::try_from(end - start + 1).unwrap_or(0);
        let parts: Vec<&str> = text
            .split(separator)
            .skip(start as usize - 1)
            .take(wanted)
            .collect();
        Ok(Some(parts.join(separator)))
    })
}

fn substr(call: &Call) -> Result<ArrayRef> {
    let (text, start, length) = (call.text(0)?, call.int(1)?, call.int_or(2, i64::MAX)?);
    call.texts(|row| {
        let (text, start, length) = (
            known!(text.get(row)),
            known!(start.get(row)),
            known!(length.get(row)),
        );
        if length <= 0 {
            return match call.name {
                "substring" => call.unfit("the length is above 0"),
                _ => Ok(Some("")),
            };
        }
        let begin = match start {
            // The Hive-compatible edition begins with the first character.
            0 if call.casting.is_hive => 0,
            0 => return Ok(Some("")),
            start if start > 0 => start as usize - 1,
            start => {
                let count = text.chars().count();
                match count.checked_sub(start.unsigned_abs() as usize) {
                    Some(begin) => begin,
                    None => return Ok(Some("")),
                }
            }
        };
        let from = byte_of(text, begin);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let rest = &text[from..];
        Ok(Some(&rest[..byte_of(rest, length)]))
    })
}

fn substring_index(call: &Call) -> Result<ArrayRef> {
    let (text, separator, count) = (call.text(0)?, call.text(1)?, call.int(2)?);
    call.texts(|row| {
        let (text, separator) = (known!(text.get(row)), known!(separator.get(row)));
        let count = known!(count.get(row));
        if separator.is_empty() || count == 0 {
            return Ok(Some(""));
        }
        let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) - 1;
        Ok(Some(if count > 0 {
            text.match_indices(separator)
                .nth(wanted)
                .map_or(text, |(at, _)| &text[..at])
        } else {
            let found = text.rmatch_indices(separator).nth(wanted);
            found.map_or(text, |(at, _)| &text[at + separator.len()..])
        }))
    })
}

fn translate(call: &Call) -> Result<ArrayRef> {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.texts(|row| {
        let (text, from, to) = (
            known!(text.get(row)),
            known!(from.get(row)),
            known!(to.get(row)),
        );
        let to: Vec<char> = to.chars().collect();
        let mapped = text
            .chars()
            .filter_map(|c| match from.chars().position(|f| f == c) {
                Some(place) => to.get(place).copied(),
                None => Some(c),
            });
        Ok(Some(mapped.collect::<String>()))
    })
}
