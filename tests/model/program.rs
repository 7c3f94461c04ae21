//! Random programs over a few tables.

use proptest::prelude::*;

/// Names of tables: few, so that they meet.
pub const NAMES: [&str; 3] = ["t", "u", "v"];
/// Values of the partition column.
pub const PARTS: [&str; 3] = ["1", "2", "3"];

/// A step. Small numbers pick among what there is when the step is run.
#[derive(Clone, Debug)]
pub enum Step {
    Create {
        name: u8,
        partitioned: bool,
    },
    Insert {
        name: u8,
        part: u8,
        overwrite: bool,
        is_large: bool,
    },
    AddPartition {
        name: u8,
        part: u8,
    },
    DropPartition {
        name: u8,
        part: u8,
        purge: bool,
    },
    RenamePartition {
        name: u8,
        from: u8,
        to: u8,
    },
    MergePartitions {
        name: u8,
        from: u8,
        into: u8,
        purge: bool,
    },
    Truncate {
        name: u8,
        part: u8,
    },
    Drop {
        name: u8,
        purge: bool,
    },
    Rename {
        from: u8,
        to: u8,
    },
    Undrop {
        which: u8,
    },
    UndropPartition {
        name: u8,
        which: u8,
    },
    Restore {
        name: u8,
        lsn: u8,
    },
    RestorePartition {
        name: u8,
        part: u8,
        lsn: u8,
    },
    RestoreAs {
        name: u8,
        lsn: u8,
        to: u8,
    },
    RestorePartitionAs {
        name: u8,
        part: u8,
        lsn: u8,
        to: u8,
    },
    Clone {
        from: u8,
        to: u8,
    },
    CreateAs {
        name: u8,
        lsn: u8,
        to: u8,
    },
    MergeSmallFiles {
        name: u8,
    },
    AddColumn {
        name: u8,
    },
    DropColumn {
        name: u8,
    },
    Lifecycle {
        name: u8,
        days: u8,
    },
    Switch {
        name: u8,
        part: Option<u8>,
        enabled: bool,
    },
    Touch {
        name: u8,
        part: u8,
    },
    /// Makes a view of that name, or drops the one there is.
    View {
        name: u8,
    },
    Retention {
        days: u8,
    },
    TableRetention {
        name: u8,
        days: Option<u8>,
    },
    Purge {
        name: u8,
        hours: Option<u8>,
    },
    PurgeAll,
    Collect,
    Advance {
        hours: u8,
    },
    Reopen,
    DeleteIndex,
}

fn days() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0u8), Just(1), Just(1), Just(2), Just(3), Just(7)]
}

pub fn step() -> impl Strategy<Value = Step> {
    let name = || 0u8..NAMES.len() as u8;
    let part = || 0u8..PARTS.len() as u8;
    let pick = any::<u8>;
    prop_oneof![
        6 => (name(), any::<bool>()).prop_map(|(name, partitioned)| Step::Create { name, partitioned }),
        14 => (name(), part(), any::<bool>(), 0u8..12).prop_map(|(name, part, overwrite, large)| {
            Step::Insert { name, part, overwrite, is_large: large == 0 }
        }),
        1 => (name(), part()).prop_map(|(name, part)| Step::AddPartition { name, part }),
        3 => (name(), part(), 0u8..5).prop_map(|(name, part, purge)| {
            Step::DropPartition { name, part, purge: purge == 0 }
        }),
        1 => (name(), part(), part()).prop_map(|(name, from, to)| Step::RenamePartition { name, from, to }),
        2 => (name(), part(), part(), any::<bool>()).prop_map(|(name, from, into, purge)| {
            Step::MergePartitions { name, from, into, purge }
        }),
        1 => (name(), part()).prop_map(|(name, part)| Step::Truncate { name, part }),
        3 => (name(), 0u8..6).prop_map(|(name, purge)| Step::Drop { name, purge: purge == 0 }),
        1 => (name(), name()).prop_map(|(from, to)| Step::Rename { from, to }),
        4 => pick().prop_map(|which| Step::Undrop { which }),
        3 => (name(), pick()).prop_map(|(name, which)| Step::UndropPartition { name, which }),
        6 => (name(), pick()).prop_map(|(name, lsn)| Step::Restore { name, lsn }),
        4 => (name(), part(), pick()).prop_map(|(name, part, lsn)| Step::RestorePartition { name, part, lsn }),
        5 => (name(), pick(), name()).prop_map(|(name, lsn, to)| Step::RestoreAs { name, lsn, to }),
        3 => (name(), part(), pick(), name()).prop_map(|(name, part, lsn, to)| {
            Step::RestorePartitionAs { name, part, lsn, to }
        }),
        2 => (name(), name()).prop_map(|(from, to)| Step::Clone { from, to }),
        1 => (name(), pick(), name()).prop_map(|(name, lsn, to)| Step::CreateAs { name, lsn, to }),
        1 => name().prop_map(|name| Step::MergeSmallFiles { name }),
        2 => name().prop_map(|name| Step::AddColumn { name }),
        1 => name().prop_map(|name| Step::DropColumn { name }),
        2 => (name(), 1u8..4).prop_map(|(name, days)| Step::Lifecycle { name, days }),
        1 => (name(), prop::option::of(part()), any::<bool>()).prop_map(|(name, part, enabled)| {
            Step::Switch { name, part, enabled }
        }),
        1 => (name(), part()).prop_map(|(name, part)| Step::Touch { name, part }),
        2 => name().prop_map(|name| Step::View { name }),
        2 => days().prop_map(|days| Step::Retention { days }),
        2 => (name(), prop::option::of(days())).prop_map(|(name, days)| Step::TableRetention { name, days }),
        1 => (name(), prop::option::of(0u8..40)).prop_map(|(name, hours)| Step::Purge { name, hours }),
        1 => Just(Step::PurgeAll),
        5 => Just(Step::Collect),
        5 => (1u8..60).prop_map(|hours| Step::Advance { hours }),
        1 => Just(Step::Reopen),
        1 => Just(Step::DeleteIndex),
    ]
}
