//! TPC-H data as CSV files with a header, one folder per table.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tpchgen::csv::{
    CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv,
};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

/// Writes all tables at `scale` into `dir`.
pub fn write(dir: &Path, scale: f64) -> io::Result<()> {
    macro_rules! table {
        ($name:literal, $generator:ident, $line:ident) => {
            let folder = dir.join($name);
            fs::create_dir_all(&folder)?;
            let mut out = BufWriter::new(File::create(folder.join(concat!($name, ".csv")))?);
            writeln!(out, "{}", $line::header())?;
            for row in $generator::new(scale, 1, 1).iter() {
                writeln!(out, "{}", $line::new(row))?;
            }
            out.flush()?;
        };
    }
    table!("region", RegionGenerator, RegionCsv);
    table!("nation", NationGenerator, NationCsv);
    table!("part", PartGenerator, PartCsv);
    table!("supplier", SupplierGenerator, SupplierCsv);
    table!("partsupp", PartSuppGenerator, PartSuppCsv);
    table!("customer", CustomerGenerator, CustomerCsv);
    table!("orders", OrderGenerator, OrderCsv);
    table!("lineitem", LineItemGenerator, LineItemCsv);
    Ok(())
}
