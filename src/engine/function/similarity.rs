//! How alike texts are, and how they sound. Manual page: "String functions".

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{Float64Type, Int64Type};

use super::call::{Call, Definition, Gives, Kind, function, known};
use crate::error::Result;

use Kind::Text;

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("jaccard_similarity", "jaccard_similarity(string a, string b)", "Returns the share of characters that two texts have in common.", &[Text, Text], 0, Gives::Double, jaccard_similarity),
    function("levenshtein", "levenshtein(string a, string b)", "Returns how many characters have to change to turn one text into the other.", &[Text, Text], 0, Gives::Int, levenshtein),
    function("soundex", "soundex(string str)", "Returns the Soundex code of a word.", &[Text], 0, Gives::Text, soundex),
];

fn jaccard_similarity(call: &Call) -> Result<ArrayRef> {
    use std::collections::BTreeSet;
    let (a, b) = (call.text(0)?, call.text(1)?);
    call.values::<Float64Type>(|row| {
        let a: BTreeSet<char> = known!(a.get(row)).chars().collect();
        let b: BTreeSet<char> = known!(b.get(row)).chars().collect();
        let all = a.union(&b).count();
        Ok(Some(if all == 0 {
            1.0
        } else {
            a.intersection(&b).count() as f64 / all as f64
        }))
    })
}

fn levenshtein(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (call.text(0)?, call.text(1)?);
    call.values::<Int64Type>(|row| {
        let a: Vec<char> = known!(a.get(row)).chars().collect();
        let b: Vec<char> = known!(b.get(row)).chars().collect();
        let mut costs: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut diagonal = costs[0];
            costs[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let substituted = diagonal + usize::from(x != y);
                diagonal = costs[j + 1];
                costs[j + 1] = substituted.min(costs[j] + 1).min(costs[j + 1] + 1);
            }
        }
        Ok(Some(costs[b.len()] as i64))
    })
}

fn soundex(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|row| {
        let text = known!(text.get(row)).to_ascii_uppercase();
        let digit = |c: char| match c {
            'B' | 'F' | 'P' | 'V' => Some('1'),
            'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
            'D' | 'T' => Some('3'),
            'L' => Some('4'),
            'M' | 'N' => Some('5'),
            'R' => Some('6'),
            _ => None,
        };
        let mut letters = text.chars();
        let Some(first) = letters.next().filter(char::is_ascii_alphabetic) else {
            return Ok(Some(text));
        };
        let mut out = first.to_string();
        let mut last = digit(first);
        for c in letters.filter(char::is_ascii_alphabetic) {
            let code = digit(c);
            if let Some(code) = code
                && last != Some(code)
            {
                out.push(code);
            }
            if !matches!(c, 'H' | 'W') {
                last = code;
            }
        }
        out.extend(std::iter::repeat_n('0', 4));
        out.truncate(4);
        Ok(Some(out))
    })
}
