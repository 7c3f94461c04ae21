//! Key encoding: order-preserving, escaped, in this one file.
//!
//! A key is a tag byte and its parts. Integers are big-endian, ids are 16 raw bytes, text ends with
//! `00 01` and escapes a zero byte as `00 FF`, so that no name can imitate another and order is kept.

use std::fmt;

use crate::ids::{Lsn, NodeId, PartitionId, SegmentId, TableId};

/// Every place in the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The counters of the warehouse.
    Counters,
    /// A project by name.
    Project(String),
    /// Somebody who can log in.
    Account(String),
    /// A user of a project.
    Member { project: String, user: String },
    /// A role of a project.
    Role { project: String, role: String },
    /// That a user of a project has a role.
    RoleMember {
        project: String,
        user: String,
        role: String,
    },
    /// What is granted on an object to somebody.
    Grant {
        project: String,
        object: String,
        grantee: String,
    },
    /// A live table by name.
    TableName { project: String, name: String },
    /// A view by name.
    View { project: String, name: String },
    /// A dropped table, by name and drop time.
    DroppedTable {
        project: String,
        name: String,
        dropped_at_ms: u64,
        table: TableId,
    },
    /// A table incarnation.
    Table(TableId),
    /// One schema of a table.
    Schema { table: TableId, schema: u32 },
    /// A live partition by the values of its partition columns.
    LivePartition { table: TableId, values: Vec<String> },
    /// A partition incarnation.
    Partition {
        table: TableId,
        partition: PartitionId,
    },
    /// A history row.
    Version { table: TableId, lsn: Lsn },
    /// A history row of one object of a partitioned table, to find it by object; the table itself is
    /// [`TABLE_OBJECT`].
    ObjectVersion {
        table: TableId,
        object: PartitionId,
        lsn: Lsn,
    },
    /// A version that was made of another's content, under the version it was made of.
    Derived {
        origin: TableId,
        origin_lsn: Lsn,
        table: TableId,
        lsn: Lsn,
    },
    /// A table that keeps backups, by its retention and the time its oldest backup was superseded.
    Due {
        retention: u8,
        project: String,
        superseded_at_ms: u64,
        table: TableId,
    },
    /// A table with a lifecycle, by the time before which nothing of it ends.
    Lifecycle { at_ms: u64, table: TableId },
    /// A table incarnation that was collected.
    GoneTable(TableId),
    /// Up to which row the primary keys of a table are known to be unique.
    UniqueKeys(TableId),
    /// A partition incarnation that was collected.
    GonePartition {
        table: TableId,
        partition: PartitionId,
    },
    /// Says that holds are counted in this warehouse.
    HoldsCounted,
    /// Which clock the warehouse is made with.
    Clock,
    /// A segment.
    Segment(SegmentId),
    /// A node of a long snapshot.
    Node(NodeId),
    /// A segment whose file is being deleted.
    Doomed(SegmentId),
    /// How many more than one history holds a segment.
    SegmentHolds(SegmentId),
    /// How many more than one history holds a node.
    NodeHolds(NodeId),
}

/// Stands for the table itself where an object id is asked for.
pub const TABLE_OBJECT: PartitionId = PartitionId([0; 16]);

const COUNTERS: u8 = 0x01;
const HOLDS_COUNTED: u8 = 0x06;
const CLOCK: u8 = 0x07;
const PROJECT: u8 = 0x10;
const ACCOUNT: u8 = 0x11;
const MEMBER: u8 = 0x12;
const ROLE: u8 = 0x13;
const ROLE_MEMBER: u8 = 0x14;
const GRANT: u8 = 0x15;
const TABLE_NAME: u8 = 0x20;
const DROPPED_TABLE: u8 = 0x21;
const VIEW: u8 = 0x22;
const TABLE: u8 = 0x30;
const SCHEMA: u8 = 0x31;
const GONE_TABLE: u8 = 0x32;
const UNIQUE_KEYS: u8 = 0x33;
const LIVE_PARTITION: u8 = 0x40;
const PARTITION: u8 = 0x41;
const GONE_PARTITION: u8 = 0x42;
const VERSION: u8 = 0x50;
const OBJECT_VERSION: u8 = 0x51;
const DERIVED: u8 = 0x52;
const DUE: u8 = 0x53;
const LIFECYCLE: u8 = 0x54;
const SEGMENT: u8 = 0x60;
const NODE: u8 = 0x61;
const DOOMED: u8 = 0x62;
const SEGMENT_HOLDS: u8 = 0x63;
const NODE_HOLDS: u8 = 0x64;

impl Key {
    /// The bytes of this key.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        match self {
            Key::Counters => out.push(COUNTERS),
            Key::Project(name) => {
                out.push(PROJECT);
                push_text(&mut out, name);
            }
            Key::Account(name) => {
                out.push(ACCOUNT);
                push_text(&mut out, name);
            }
            Key::Member { project, user } => {
                out.push(MEMBER);
                push_text(&mut out, project);
                push_text(&mut out, user);
            }
            Key::Role { project, role } => {
                out.push(ROLE);
                push_text(&mut out, project);
                push_text(&mut out, role);
            }
            Key::RoleMember {
                project,
                user,
                role,
            } => {
                out.push(ROLE_MEMBER);
                push_text(&mut out, project);
                push_text(&mut out, user);
                push_text(&mut out, role);
            }
            Key::Grant {
                project,
                object,
                grantee,
            } => {
                out.push(GRANT);
                push_text(&mut out, project);
                push_text(&mut out, object);
                push_text(&mut out, grantee);
            }
            Key::TableName { project, name } => {
                out.push(TABLE_NAME);
                push_text(&mut out, project);
                push_text(&mut out, name);
            }
            Key::View { project, name } => {
                out.push(VIEW);
                push_text(&mut out, project);
                push_text(&mut out, name);
            }
            Key::DroppedTable {
                project,
                name,
                dropped_at_ms,
                table,
            } => {
                out.push(DROPPED_TABLE);
                push_text(&mut out, project);
                push_text(&mut out, name);
                out.extend(dropped_at_ms.to_be_bytes());
                out.extend(table.0);
            }
            Key::Table(table) => push_id(&mut out, TABLE, &table.0),
            Key::Schema { table, schema } => {
                push_id(&mut out, SCHEMA, &table.0);
                out.extend(schema.to_be_bytes());
            }
            Key::LivePartition { table, values } => {
                push_id(&mut out, LIVE_PARTITION, &table.0);
                values.iter().for_each(|value| push_text(&mut out, value));
            }
            Key::Partition { table, partition } => {
                push_id(&mut out, PARTITION, &table.0);
                out.extend(partition.0);
            }
            Key::Version { table, lsn } => {
                push_id(&mut out, VERSION, &table.0);
                out.extend(lsn.0.to_be_bytes());
            }
            Key::ObjectVersion { table, object, lsn } => {
                push_id(&mut out, OBJECT_VERSION, &table.0);
                out.extend(object.0);
                out.extend(lsn.0.to_be_bytes());
            }
            Key::Derived {
                origin,
                origin_lsn,
                table,
                lsn,
            } => {
                push_id(&mut out, DERIVED, &origin.0);
                out.extend(origin_lsn.0.to_be_bytes());
                out.extend(table.0);
                out.extend(lsn.0.to_be_bytes());
            }
            Key::Due {
                retention,
                project,
                superseded_at_ms,
                table,
            } => {
                out.extend([DUE, *retention]);
                push_text(&mut out, project);
                out.extend(superseded_at_ms.to_be_bytes());
                out.extend(table.0);
            }
            Key::Lifecycle { at_ms, table } => {
                push_number(&mut out, LIFECYCLE, *at_ms);
                out.extend(table.0);
            }
            Key::GoneTable(table) => push_id(&mut out, GONE_TABLE, &table.0),
            Key::UniqueKeys(table) => push_id(&mut out, UNIQUE_KEYS, &table.0),
            Key::GonePartition { table, partition } => {
                push_id(&mut out, GONE_PARTITION, &table.0);
                out.extend(partition.0);
            }
            Key::HoldsCounted => out.push(HOLDS_COUNTED),
            Key::Clock => out.push(CLOCK),
            Key::Segment(id) => push_number(&mut out, SEGMENT, id.0),
            Key::Node(id) => push_number(&mut out, NODE, id.0),
            Key::Doomed(id) => push_number(&mut out, DOOMED, id.0),
            Key::SegmentHolds(id) => push_number(&mut out, SEGMENT_HOLDS, id.0),
            Key::NodeHolds(id) => push_number(&mut out, NODE_HOLDS, id.0),
        }
        out
    }

    /// Reads a key back; `None` where the bytes are no key of ours.
    pub fn decode(bytes: &[u8]) -> Option<Key> {
        let (tag, mut rest) = bytes.split_first()?;
        let rest = &mut rest;
        let key = match *tag {
            COUNTERS => Key::Counters,
            PROJECT => Key::Project(take_text(rest)?),
            ACCOUNT => Key::Account(take_text(rest)?),
            MEMBER => Key::Member {
                project: take_text(rest)?,
                user: take_text(rest)?,
            },
            ROLE => Key::Role {
                project: take_text(rest)?,
                role: take_text(rest)?,
            },
            ROLE_MEMBER => Key::RoleMember {
                project: take_text(rest)?,
                user: take_text(rest)?,
                role: take_text(rest)?,
            },
            GRANT => Key::Grant {
                project: take_text(rest)?,
                object: take_text(rest)?,
                grantee: take_text(rest)?,
            },
            TABLE_NAME => Key::TableName {
                project: take_text(rest)?,
                name: take_text(rest)?,
            },
            VIEW => Key::View {
                project: take_text(rest)?,
                name: take_text(rest)?,
            },
            DROPPED_TABLE => Key::DroppedTable {
                project: take_text(rest)?,
                name: take_text(rest)?,
                dropped_at_ms: take_number(rest)?,
                table: TableId(take(rest)?),
            },
            TABLE => Key::Table(TableId(take(rest)?)),
            SCHEMA => Key::Schema {
                table: TableId(take(rest)?),
                schema: u32::from_be_bytes(take(rest)?),
            },
            LIVE_PARTITION => {
                let table = TableId(take(rest)?);
                let mut values = Vec::new();
                while !rest.is_empty() {
                    values.push(take_text(rest)?);
                }
                Key::LivePartition { table, values }
            }
            PARTITION => Key::Partition {
                table: TableId(take(rest)?),
                partition: PartitionId(take(rest)?),
            },
            VERSION => Key::Version {
                table: TableId(take(rest)?),
                lsn: take_lsn(rest)?,
            },
            OBJECT_VERSION => Key::ObjectVersion {
                table: TableId(take(rest)?),
                object: PartitionId(take(rest)?),
                lsn: take_lsn(rest)?,
            },
            DERIVED => Key::Derived {
                origin: TableId(take(rest)?),
                origin_lsn: take_lsn(rest)?,
                table: TableId(take(rest)?),
                lsn: take_lsn(rest)?,
            },
            DUE => Key::Due {
                retention: take::<1>(rest)?[0],
                project: take_text(rest)?,
                superseded_at_ms: take_number(rest)?,
                table: TableId(take(rest)?),
            },
            LIFECYCLE => Key::Lifecycle {
                at_ms: take_number(rest)?,
                table: TableId(take(rest)?),
            },
            GONE_TABLE => Key::GoneTable(TableId(take(rest)?)),
            UNIQUE_KEYS => Key::UniqueKeys(TableId(take(rest)?)),
            GONE_PARTITION => Key::GonePartition {
                table: TableId(take(rest)?),
                partition: PartitionId(take(rest)?),
            },
            HOLDS_COUNTED => Key::HoldsCounted,
            CLOCK => Key::Clock,
            SEGMENT_HOLDS => Key::SegmentHolds(SegmentId(take_number(rest)?)),
            NODE_HOLDS => Key::NodeHolds(NodeId(take_number(rest)?)),
            SEGMENT => Key::Segment(SegmentId(take_number(rest)?)),
            NODE => Key::Node(NodeId(take_number(rest)?)),
            DOOMED => Key::Doomed(SegmentId(take_number(rest)?)),
            _ => return None,
        };
        rest.is_empty().then_some(key)
    }
}

/// A half-open range of encoded keys.
#[derive(Clone, Debug)]
pub struct KeyRange {
    pub from: Vec<u8>,
    pub until: Vec<u8>,
}

impl KeyRange {
    /// Whether an encoded key lies in it.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        *self.from <= *key && *key < *self.until
    }

    fn prefix(prefix: Vec<u8>) -> Self {
        let mut until = prefix.clone();
        while let Some(last) = until.pop() {
            if last < 0xFF {
                until.push(last + 1);
                break;
            }
        }
        Self {
            from: prefix,
            until,
        }
    }

    /// The same range, beginning at `key`.
    pub fn starting_at(mut self, key: &Key) -> Self {
        self.from = key.encode();
        self
    }

    /// The same range, ending before `key`.
    pub fn ending_before(mut self, key: &Key) -> Self {
        self.until = key.encode();
        self
    }

    /// All projects, by name.
    pub fn projects() -> Self {
        Self::prefix(vec![PROJECT])
    }

    /// The live tables of a project, by name.
    pub fn table_names(project: &str) -> Self {
        let mut out = vec![TABLE_NAME];
        push_text(&mut out, project);
        Self::prefix(out)
    }

    /// The views of a project, by name.
    pub fn views(project: &str) -> Self {
        let mut out = vec![VIEW];
        push_text(&mut out, project);
        Self::prefix(out)
    }

    /// The dropped tables of a project, by name, then drop time.
    pub fn dropped_tables(project: &str) -> Self {
        let mut out = vec![DROPPED_TABLE];
        push_text(&mut out, project);
        Self::prefix(out)
    }

    /// The dropped tables of one name, by drop time.
    pub fn dropped_tables_named(project: &str, name: &str) -> Self {
        let mut out = vec![DROPPED_TABLE];
        push_text(&mut out, project);
        push_text(&mut out, name);
        Self::prefix(out)
    }

    /// All schemas of a table, by number.
    pub fn schemas(table: TableId) -> Self {
        Self::id_prefix(SCHEMA, table)
    }

    /// The live partitions of a table, by value.
    pub fn live_partitions(table: TableId) -> Self {
        Self::id_prefix(LIVE_PARTITION, table)
    }

    /// All partition incarnations of a table.
    pub fn partitions(table: TableId) -> Self {
        Self::id_prefix(PARTITION, table)
    }

    /// The history rows of a table, by LSN.
    pub fn versions(table: TableId) -> Self {
        Self::id_prefix(VERSION, table)
    }

    /// The history rows of one object of a partitioned table, by LSN.
    pub fn object_versions(table: TableId, object: PartitionId) -> Self {
        let mut out = Vec::with_capacity(33);
        push_id(&mut out, OBJECT_VERSION, &table.0);
        out.extend(object.0);
        Self::prefix(out)
    }

    /// All segments whose file is being deleted.
    pub fn doomed() -> Self {
        Self::prefix(vec![DOOMED])
    }

    /// The users of a project, by name.
    pub fn members(project: &str) -> Self {
        Self::texts(MEMBER, &[project])
    }

    /// The roles of a project, by name.
    pub fn roles(project: &str) -> Self {
        Self::texts(ROLE, &[project])
    }

    /// Who has which role in a project, by user.
    pub fn role_members(project: &str) -> Self {
        Self::texts(ROLE_MEMBER, &[project])
    }

    /// The grants of a project, by object.
    pub fn grants(project: &str) -> Self {
        Self::texts(GRANT, &[project])
    }

    /// The grants on one object of a project.
    pub fn grants_on(project: &str, object: &str) -> Self {
        Self::texts(GRANT, &[project, object])
    }

    fn texts(tag: u8, parts: &[&str]) -> Self {
        let mut out = vec![tag];
        parts.iter().for_each(|part| push_text(&mut out, part));
        Self::prefix(out)
    }

    /// The versions that were made of the content of one.
    pub fn derived(origin: TableId, lsn: Lsn) -> Self {
        let mut out = Vec::with_capacity(25);
        push_id(&mut out, DERIVED, &origin.0);
        out.extend(lsn.0.to_be_bytes());
        Self::prefix(out)
    }

    /// All tables that keep backups, by retention, project and the time of their oldest.
    pub fn due() -> Self {
        Self::prefix(vec![DUE])
    }

    /// The tables of one retention and project that keep backups.
    pub fn due_of(retention: u8, project: &str) -> Self {
        let mut out = vec![DUE, retention];
        push_text(&mut out, project);
        Self::prefix(out)
    }

    /// What of this range comes behind `other`.
    pub fn behind(mut self, other: &Self) -> Self {
        self.from.clone_from(&other.until);
        self
    }

    /// All tables with a lifecycle, by the time before which nothing of them ends.
    pub fn lifecycles() -> Self {
        Self::prefix(vec![LIFECYCLE])
    }

    /// The collected partitions of a table.
    pub fn gone_partitions(table: TableId) -> Self {
        Self::id_prefix(GONE_PARTITION, table)
    }

    /// All table incarnations.
    pub fn tables() -> Self {
        Self::prefix(vec![TABLE])
    }

    /// All segments.
    pub fn segments() -> Self {
        Self::prefix(vec![SEGMENT])
    }

    /// All nodes.
    pub fn nodes() -> Self {
        Self::prefix(vec![NODE])
    }

    fn id_prefix(tag: u8, table: TableId) -> Self {
        let mut out = Vec::with_capacity(17);
        push_id(&mut out, tag, &table.0);
        Self::prefix(out)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Counters => write!(f, "counters"),
            Key::Project(name) => write!(f, "project {name}"),
            Key::Account(name) => write!(f, "account {name}"),
            Key::Member { project, user } => write!(f, "user {user} of project {project}"),
            Key::Role { project, role } => write!(f, "role {role} of project {project}"),
            Key::RoleMember {
                project,
                user,
                role,
            } => write!(f, "role {role} of user {user} in project {project}"),
            Key::Grant {
                project,
                object,
                grantee,
            } => write!(f, "grant on {object} to {grantee} in project {project}"),
            Key::TableName { project, name } => write!(f, "table {project}.{name}"),
            Key::View { project, name } => write!(f, "view {project}.{name}"),
            Key::DroppedTable {
                project,
                name,
                table,
                ..
            } => {
                write!(f, "dropped table {project}.{name} ({table})")
            }
            Key::Table(table) => write!(f, "table {table}"),
            Key::Schema { table, schema } => write!(f, "schema {schema} of table {table}"),
            Key::LivePartition { table, values } => {
                write!(f, "partition {} of table {table}", values.join("/"))
            }
            Key::Partition { table, partition } => {
                write!(f, "partition {partition} of table {table}")
            }
            Key::Version { table, lsn } => write!(f, "version {lsn} of table {table}"),
            Key::ObjectVersion { table, object, lsn } => {
                write!(f, "version {lsn} of partition {object} of table {table}")
            }
            Key::Derived {
                origin,
                origin_lsn,
                table,
                lsn,
            } => write!(
                f,
                "version {lsn} of table {table}, made of version {origin_lsn} of table {origin}"
            ),
            Key::Due { table, .. } => write!(f, "retention of table {table}"),
            Key::Lifecycle { table, .. } => write!(f, "lifecycle of table {table}"),
            Key::GoneTable(table) => write!(f, "collected table {table}"),
            Key::UniqueKeys(table) => write!(f, "unique keys of table {table}"),
            Key::GonePartition { table, partition } => {
                write!(f, "collected partition {partition} of table {table}")
            }
            Key::HoldsCounted => write!(f, "count of holds"),
            Key::Clock => write!(f, "clock of the warehouse"),
            Key::SegmentHolds(id) => write!(f, "holds of segment {id}"),
            Key::NodeHolds(id) => write!(f, "holds of snapshot node {id}"),
            Key::Segment(id) => write!(f, "segment {id}"),
            Key::Node(id) => write!(f, "snapshot node {id}"),
            Key::Doomed(id) => write!(f, "deletion of segment {id}"),
        }
    }
}

/// A key for a message, also where its bytes are damaged.
pub(crate) fn describe(bytes: &[u8]) -> String {
    match Key::decode(bytes) {
        Some(key) => key.to_string(),
        None => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn push_id(out: &mut Vec<u8>, tag: u8, id: &[u8; 16]) {
    out.push(tag);
    out.extend(id);
}

fn push_number(out: &mut Vec<u8>, tag: u8, number: u64) {
    out.push(tag);
    out.extend(number.to_be_bytes());
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xFF);
        }
    }
    out.extend([0, 1]);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_be_bytes)
}

fn take_lsn(rest: &mut &[u8]) -> Option<Lsn> {
    take_number(rest).map(Lsn).filter(|lsn| *lsn <= Lsn::MAX)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let mut text = Vec::new();
    let mut at = 0;
    loop {
        match (*rest.get(at)?, rest.get(at + 1)) {
            (0, Some(0xFF)) => {
                text.push(0);
                at += 2;
            }
            (0, Some(1)) => break,
            (0, _) => return None,
            (byte, _) => {
                text.push(byte);
                at += 1;
            }
        }
    }
    *rest = &rest[at + 2..];
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(project: &str, name: &str) -> Vec<u8> {
        Key::TableName {
            project: project.into(),
            name: name.into(),
        }
        .encode()
    }

    proptest! {
        #[test]
        fn names_keep_their_order_and_come_back(
            a in "[\\x00\\x01a-c\u{ff}]{0,4}", b in "[\\x00\\x01a-c\u{ff}]{0,4}",
            c in "[\\x00\\x01a-c\u{ff}]{0,4}", d in "[\\x00\\x01a-c\u{ff}]{0,4}",
        ) {
            let (left, right) = (names(&a, &b), names(&c, &d));
            prop_assert_eq!(left.cmp(&right), (&a, &b).cmp(&(&c, &d)));
            prop_assert_eq!(Key::decode(&left), Some(Key::TableName { project: a, name: b }));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(key) = Key::decode(&bytes) {
                prop_assert_eq!(key.encode(), bytes);
            }
        }
    }

    #[test]
    fn ranges_hold_their_own_keys_only() {
        let range = KeyRange::table_names("p");
        let inside = names("p", "t");
        assert!(range.from <= inside && inside < range.until);
        for outside in [
            names("p2", "t"),
            names("o", "t"),
            Key::Project("p".into()).encode(),
        ] {
            assert!(outside < range.from || outside >= range.until);
        }
    }
}
