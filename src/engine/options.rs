//! What the settings of a session mean for a query. Manual page: "Set operations", flags of SQL.

use chrono_tz::Tz;

use super::cast::Casting;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    pub zone: Tz,
    /// The statement's time.
    pub now_ms: i64,
    /// `odps.sql.validate.orderby.limit`: ORDER BY has to come with LIMIT.
    pub order_by_needs_limit: bool,
    /// `odps.sql.groupby.position.alias`: a number in GROUP BY is a position.
    pub group_by_position: bool,
    /// `odps.sql.groupby.orderby.position.alias`: a number in ORDER BY, and in GROUP BY, is a position.
    pub order_by_position: bool,
    /// `odps.sql.allow.fullscan`: a partitioned table may be read without a word on its partitions.
    pub allows_full_scan: bool,
    /// `odps.sql.udf.strict.mode`: a cast that fails is an error and not NULL.
    pub is_strict: bool,
    /// `odps.function.strictmode=false`.
    pub takes_prefix: bool,
    /// `odps.sql.executionengine.enable.string.to.date.full.format`.
    pub has_full_dates: bool,
    /// `odps.sql.hive.compatible`.
    pub is_hive: bool,
    /// `odps.sql.rcte.max.iterate.num`: most rounds of a recursive WITH.
    pub recursions_max: usize,
    /// `odpsh.query.memory`, in bytes: what a query may hold before it goes to disk.
    pub memory_bytes: usize,
    /// `odpsh.query.optimizer`: `false` plans a query as it is written, without the rules that make it fast.
    pub is_optimized: bool,
    /// `odps.sql.map.key.dedup.policy=exception`.
    pub refuses_duplicate_keys: bool,
}

impl Options {
    /// How the casts of a query are made.
    pub(super) fn casting(&self) -> Casting {
        Casting {
            zone: self.zone,
            is_strict: self.is_strict,
            takes_prefix: self.takes_prefix,
            is_hive: self.is_hive,
            has_full_dates: self.has_full_dates,
            is_stored: false,
            refuses_duplicate_keys: self.refuses_duplicate_keys,
        }
    }
}
