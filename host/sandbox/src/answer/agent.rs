//! An agent's answer: output, charges, artifacts.

use super::Reasons;
use super::json::{Reader, VALUES_MAX};
use crate::bindings::exports::sandgate::plugin::working::TaskOutput;
use crate::iface::artifacts::Desk;
use crate::{AgentAnswer, Limits};
use sandgate_model::Charge;

/// Most charges in an answer: one for each kind of thing bought, not one for each request.
const CHARGES_MAX: usize = 100;

/// Longest name of what was paid for.
const CHARGE_NAME_MAX: usize = 64;

/// Largest charge: a thousand million units of currency. Sums of a hundred of them stay far from overflow.
const CHARGE_MAX: u64 = 1_000_000_000 * 1_000_000;

pub(crate) fn agent(
    answer: TaskOutput,
    desk: Desk,
    limits: &Limits,
) -> Result<AgentAnswer, Vec<String>> {
    let mut reasons = Reasons::default();
    let output = Reader::new(limits.output_bytes, VALUES_MAX)
        .read(&answer.output)
        .map_err(|error| reasons.add(format!("the output is not accepted: {error}")))
        .unwrap_or_default();
    let count = answer.charges.len();
    if count > CHARGES_MAX {
        reasons.add(format!("{count} charges, and {CHARGES_MAX} is the most"));
    }
    let charges: Vec<Charge> = answer
        .charges
        .into_iter()
        .take(CHARGES_MAX)
        .map(|charge| {
            let named = !charge.what.is_empty()
                && charge.what.len() <= CHARGE_NAME_MAX
                && charge.what.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
            if !named {
                reasons.add(format!(
                    "a charge is for {:?}, which is not 1 to {CHARGE_NAME_MAX} printable ASCII characters",
                    crate::outcome::cut(charge.what.clone(), CHARGE_NAME_MAX)
                ));
            }
            if charge.micros > CHARGE_MAX {
                reasons.add(format!(
                    "a charge of {} millionths, and {CHARGE_MAX} is the most",
                    charge.micros
                ));
            }
            Charge {
                what: charge.what,
                micros: charge.micros,
            }
        })
        .collect();
    let (artifacts, missing) = desk.close();
    for name in missing {
        reasons.add(format!("it did not make the artifact {name}"));
    }
    reasons.give(AgentAnswer {
        output,
        artifacts,
        charges,
    })
}
