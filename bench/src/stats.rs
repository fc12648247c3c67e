//! Figures of one contender: the median is what counts, the spread says how
//! far to trust it.

/// Median and range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stats {
    /// The middle one, or the mean of the middle two.
    pub(crate) median: f64,
    /// The lowest.
    pub(crate) min: f64,
    /// The highest.
    pub(crate) max: f64,
}

impl Stats {
    /// Of at least one figure.
    pub(crate) fn of(figures: &[f64]) -> Option<Stats> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Stats { median: f64::midpoint(below, above), min, max })
    }
}

/// Three significant digits, without an exponent.
pub(crate) fn short(figure: f64) -> String {
    let digits = if figure == 0.0 { 0 } else { figure.abs().log10().floor() as i32 };
    let decimals = (2 - digits).clamp(0, 3) as usize;
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Stats::of(&[]), None);
        let odd = Stats::of(&[9.0, 1.0, 2.0]).expect("there are figures");
        assert_eq!((odd.min, odd.median, odd.max), (1.0, 2.0, 9.0));
        let even = Stats::of(&[4.0, 1.0, 2.0, 3.0]).expect("there are figures");
        assert_eq!(even.median, 2.5);
    }

    #[test]
    fn figures_are_short() {
        for (figure, text) in
            [(0.0, "0.00"), (0.3167, "0.317"), (4.4, "4.40"), (43.51, "43.5"), (1669.2, "1669")]
        {
            assert_eq!(short(figure), text);
        }
    }
}
