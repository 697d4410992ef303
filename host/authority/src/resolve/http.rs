//! Outgoing HTTP.

use super::{Case, allow};
use crate::{
    HttpPick, Layer,
    scope::{covers, meet, pick_url, url},
};
use sandgate_model::{HttpGrant, NeedKind};

const KIND: NeedKind = NeedKind::Http;

impl Case<'_> {
    /// What may be requested, and what of it stays refused.
    pub(super) fn http(&mut self) -> (Vec<HttpGrant>, Vec<HttpGrant>) {
        self.check_http_picks();
        let project = self.project;
        let mut granted = Vec::new();
        for rule in project.http() {
            let origin = Some(&rule.origin);
            if !self.asks(KIND) {
                self.not_asked(KIND, url(&rule.grant), origin);
                continue;
            }
            let Some(offer) = self.not_denied(rule.grant.clone()) else {
                continue;
            };
            let picked = self.picked_http(&offer);
            if picked.is_empty() {
                let why = super::NOT_PICKED;
                self.deny(Layer::Task, KIND, url(&offer), why, None, origin);
            }
            for grant in picked {
                granted.extend(self.http_under(grant));
            }
        }
        let denied = project
            .http_denied()
            .iter()
            .map(|r| &r.grant)
            .filter(|d| granted.iter().any(|g| meet(*d, g).is_some()))
            .cloned()
            .collect();
        (granted, denied)
    }

    /// Methods that a denial takes away everywhere in this rule are taken out of it; the others stay refused one by one.
    fn not_denied(&mut self, mut offer: HttpGrant) -> Option<HttpGrant> {
        for rule in self.project.http_denied() {
            if covers(&rule.grant, &offer) {
                offer.methods.retain(|m| !rule.grant.methods.contains(m));
                if offer.methods.is_empty() {
                    let why = format!("another rule of the project denies `{}`", url(&rule.grant));
                    self.deny(
                        Layer::Project,
                        KIND,
                        url(&offer),
                        why,
                        None,
                        Some(&rule.origin),
                    );
                    return None;
                }
            }
        }
        Some(offer)
    }

    /// Each pick has to lie in a rule, and outside of every denial.
    fn check_http_picks(&mut self) {
        let project = self.project;
        for pick in self.request.narrowing.http.iter().flatten() {
            let text = pick_url(pick);
            let offering = || project.http().iter().filter(|r| covers(&r.grant, pick));
            let Some(offer) = offering().next() else {
                let near = project
                    .http()
                    .iter()
                    .find(|r| covers(pick, &r.grant))
                    .map(|r| format!("; it grants only `{}`", url(&r.grant)))
                    .unwrap_or_default();
                let message = format!("picks `{text}`, which the project does not grant{near}");
                self.refuse(
                    Layer::Project,
                    Some(KIND),
                    message,
                    Some(allow::http(&text)),
                    None,
                );
                continue;
            };
            let denial = project.http_denied().iter().find(|d| {
                covers(&d.grant, pick)
                    && offering()
                        .all(|r| r.grant.methods.iter().all(|m| d.grant.methods.contains(m)))
            });
            if let Some(denial) = denial {
                let message = format!(
                    "picks `{text}`, which the project allows at {} and denies at {}",
                    offer.origin, denial.origin
                );
                self.refuse(
                    Layer::Project,
                    Some(KIND),
                    message,
                    None,
                    Some(&denial.origin),
                );
            }
        }
    }

    fn picked_http(&self, offer: &HttpGrant) -> Vec<HttpGrant> {
        let Some(picks) = &self.request.narrowing.http else {
            return vec![offer.clone()];
        };
        // An approval that the project wants holds whatever the task picks, so a rule with one comes along as far as it
        // lies in a pick. Another rule is taken only by a pick that lies in it.
        let part =
            |pick: &HttpPick| meet(offer, pick).filter(|_| offer.approval || covers(offer, pick));
        picks
            .iter()
            .filter_map(part)
            .map(|path| HttpGrant {
                path,
                ..offer.clone()
            })
            .collect()
    }

    /// What the operator leaves of it.
    fn http_under(&mut self, grant: HttpGrant) -> Vec<HttpGrant> {
        let Some(ceiling) = self.operator else {
            return vec![grant];
        };
        let mut grant = grant;
        if let Some(rule) = &ceiling.private
            && !rule.grant
            && grant.private
        {
            let why = "the operator allows public addresses only";
            let line = allow::operator("private = true");
            self.deny(
                Layer::Operator,
                KIND,
                url(&grant),
                why,
                Some(line),
                Some(&rule.origin),
            );
            // A name may have a public address all the same; a literal address has none.
            if grant.host.parse::<std::net::IpAddr>().is_ok() || grant.host == "localhost" {
                return Vec::new();
            }
            grant.private = false;
        }
        let Some(rule) = &ceiling.http else {
            return vec![grant];
        };
        let left: Vec<HttpGrant> = rule
            .grant
            .iter()
            .filter_map(|most| meet(most, &grant))
            .map(|path| HttpGrant {
                path,
                ..grant.clone()
            })
            .collect();
        if !left.iter().any(|l| l.path == grant.path) {
            let why = if left.is_empty() {
                "the operator does not allow it"
            } else {
                "the operator allows only a part of it"
            };
            let line = allow::operator(&format!("http = [{:?}]", url(&grant)));
            self.deny(
                Layer::Operator,
                KIND,
                url(&grant),
                why,
                Some(line),
                Some(&rule.origin),
            );
        }
        left
    }
}
