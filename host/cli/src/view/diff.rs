//! What changed between two revisions of a plan, as lines.

use crate::ui::ascii;
use sandgate_workflow::PlanDiff;

/// The lines. The plan itself, whole, stands beside them: a long value may be shortened here.
pub(crate) fn lines(diff: &PlanDiff) -> Vec<String> {
    if diff.is_empty() {
        return vec!["nothing".to_owned()];
    }
    diff.lines.iter().map(|line| ascii(line)).collect()
}
