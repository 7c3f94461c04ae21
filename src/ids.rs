//! Newtypes for ids and positions. Bare integers and strings stay at the edges.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Log sequence number: the number of a version within one table incarnation.
///
/// Starts at 1, grows strictly, is never reused; gaps are legal. Printed as 16 decimal digits.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The LSN of the row that creates a table.
    pub const FIRST: Lsn = Lsn(1);

    /// No table comes so far.
    pub const MAX: Lsn = Lsn(1 << 62);

    /// Returns the LSN that follows this one.
    pub fn next(self) -> Lsn {
        Lsn(self.0 + 1)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016}", self.0)
    }
}

impl FromStr for Lsn {
    type Err = ();

    /// Reads a decimal LSN; leading zeros are optional, zero itself is not an LSN.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        match text.parse::<u64>() {
            Ok(n) if n > 0 && Lsn(n) <= Lsn::MAX => Ok(Lsn(n)),
            _ => Err(()),
        }
    }
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                parse_hex_id(text).map($name).ok_or(())
            }
        }
    };
}

hex_id!(
    /// Permanent id of one table incarnation, printed as 32 hex digits (`ObjectId`).
    TableId
);
hex_id!(
    /// Permanent id of one partition incarnation, printed as 32 hex digits (`ObjectId`).
    PartitionId
);

fn parse_hex_id(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }
    };
}

counter_id!(
    /// Number of one immutable batch of rows; unique in a warehouse.
    SegmentId
);
counter_id!(
    /// Number of one node of a long snapshot; unique in a warehouse.
    NodeId
);

/// Number of one atomic change of the warehouse. The first commit is 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct CommitNumber(pub u64);

impl CommitNumber {
    /// Returns the number of the commit that follows.
    pub fn next(self) -> CommitNumber {
        CommitNumber(self.0.saturating_add(1))
    }
}

impl fmt::Display for CommitNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsn_is_decimal_and_padded() {
        assert_eq!("0000000000000010".parse(), Ok(Lsn(10)));
        assert_eq!("10".parse(), Ok(Lsn(10)));
        assert_eq!(Lsn(10).to_string(), "0000000000000010");
        for wrong in ["", "0", "-1", "1a", "99999999999999999999999", " 1"] {
            assert_eq!(wrong.parse::<Lsn>(), Err(()), "{wrong:?}");
        }
    }

    #[test]
    fn object_id_is_32_hex_digits() {
        let text = "d6266b2c49b9418cb999dc65c10ad7ae";
        assert_eq!(
            text.parse::<TableId>().map(|id| id.to_string()).as_deref(),
            Ok(text)
        );
        assert!("d6266b2c".parse::<TableId>().is_err());
        assert!(
            "g6266b2c49b9418cb999dc65c10ad7ae"
                .parse::<TableId>()
                .is_err()
        );
    }
}
