//! Writes TPC-H data: `tpch_data DIR SCALE`.

mod data;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(scale)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: tpch_data DIR SCALE");
    };
    data::write(dir.as_ref(), scale.parse()?)?;
    Ok(())
}
