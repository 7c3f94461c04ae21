//! `odpsh check`: looks at everything, names what is damaged, and with `--repair` mends what can be mended.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::Clock;
use crate::error::Result;
use crate::exec::{Layout, Listing};
use crate::render::{self, Format};
use crate::store::check::{Checkup, Finding, Remedy};
use crate::store::{Seam, Warehouse};
use crate::timemachine::check::{Extent, examine};
use crate::timemachine::collect::recount_holds;

/// What an examination brought to light.
struct Report {
    extent: Extent,
    commits: u64,
    findings: Vec<Finding>,
    orphans: usize,
    was_repaired: bool,
}

/// Checks the warehouse in `dir`; true where all is well in the end.
pub(super) fn check(
    dir: &Path,
    patience: Duration,
    (deep, repair): (bool, bool),
    format: Format,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let report = match examined(dir, patience, (deep, repair), clock) {
        Ok(report) => report,
        Err(error) => {
            render::failure(&error, &mut io::stderr())?;
            return Ok(false);
        }
    };
    let rows = report.findings.iter().map(|finding| {
        let state = match (finding.remedy, report.was_repaired) {
            (Remedy::None, _) => "lost",
            (Remedy::Rebuild, true) => "repaired",
            (Remedy::Rebuild, false) => "repairable",
        };
        let texts = [&finding.object, &finding.problem].map(|text| Some(text.replace('\n', " ")));
        texts.into_iter().chain([Some(state.to_owned())]).collect()
    });
    let listing = Listing {
        layout: Layout::Columns,
        titles: vec!["Object", "Problem", "State"],
        hidden: 0,
        rows: rows.collect(),
    };
    if !listing.rows.is_empty() || format != Format::Table {
        render::listing(&listing, format, out)?;
    }
    out.flush()?;
    let open = |finding: &&Finding| finding.remedy == Remedy::None || !report.was_repaired;
    let problems = report.findings.iter().filter(open).count();
    let Extent {
        records,
        tables,
        versions,
        segments,
        bytes,
    } = report.extent;
    let mut err = io::stderr();
    writeln!(
        err,
        "checked {} commits, {records} records, {tables} tables, {versions} versions, {segments} segments{}",
        report.commits,
        if deep {
            format!(", {bytes} bytes of data files")
        } else {
            String::new()
        }
    )?;
    if report.orphans > 0 {
        let what = if report.was_repaired {
            "removed"
        } else {
            "no harm; --repair removes them"
        };
        writeln!(err, "{} files that nothing needs: {what}", report.orphans)?;
    }
    let plural = if problems == 1 { "" } else { "s" };
    writeln!(err, "{problems} problem{plural}")?;
    Ok(problems == 0)
}

fn examined(
    dir: &Path,
    patience: Duration,
    (deep, repair): (bool, bool),
    clock: &dyn Clock,
) -> Result<Report> {
    let tell = |text: &str| eprintln!("odpsh: {text}");
    let mut checkup = Checkup::begin_telling(dir, patience, Seam::real(), tell)?;
    checkup.notices.iter().for_each(|notice| tell(notice));
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {eta}") {
        bar.set_style(style);
    }
    let (mut extent, mut findings) = (Extent::default(), Vec::new());
    if let Some(store) = &checkup.store {
        (extent, findings) = examine(store, deep, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })?;
    }
    bar.finish_and_clear();
    let orphans = checkup.orphans()?.len();
    let holds_are_wrong = findings
        .iter()
        .any(|finding| finding.remedy == Remedy::Rebuild);
    findings.splice(0..0, std::mem::take(&mut checkup.findings));
    let mut report = Report {
        extent,
        commits: checkup.commits,
        findings,
        orphans,
        was_repaired: repair,
    };
    if !repair || !(checkup.needs_repair() || holds_are_wrong || orphans > 0) {
        checkup.end()?;
        return Ok(report);
    }
    checkup.repair()?;
    // The next owner builds the index, and removes what nothing needs.
    let warehouse = Warehouse::open(dir, patience, Seam::real())?;
    let store = warehouse.to_write()?;
    if holds_are_wrong {
        recount_holds(store, clock.begin_statement())?;
    }
    store.sync()?;
    warehouse.close()?;
    let after = examined(dir, patience, (false, false), clock)?;
    report.was_repaired = after
        .findings
        .iter()
        .all(|finding| finding.remedy == Remedy::None);
    Ok(report)
}
