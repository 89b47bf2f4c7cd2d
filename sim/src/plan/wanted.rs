//! Measures with a bound: `t99 = "100ms"`, `records = 800`.

use super::reader::Section;
use crate::measure::{Measure, Unit, millis};

/// The most that each measure may come to, as far as the table says.
pub(super) fn read(section: &Section<'_, '_>) -> Vec<(Measure, f64)> {
    let bound = |measure: &Measure| Some((*measure, most(section, *measure)?));
    let wanted = Measure::ALL.iter().filter_map(bound).collect();
    section.finish();
    wanted
}

fn most(section: &Section<'_, '_>, measure: Measure) -> Option<f64> {
    match measure.unit() {
        Unit::Millis => section.duration(measure.as_str()).map(millis),
        Unit::Bytes | Unit::Count => {
            let most = section.number(measure.as_str(), 0, u32::MAX.into())?;
            u32::try_from(most).ok().map(f64::from)
        }
    }
}
