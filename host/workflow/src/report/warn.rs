//! What a reviewer should know. A warning changes nothing, and none of them is a promise that all is well without.

use super::UseReport;
use crate::{Project, Workflow};
use sandgate_authority::{exec_warnings, secret_target};
use sandgate_model::{Grants, Scheme, SecretTarget};

/// About what one use gets; sorted, each once.
pub(super) fn grants(grants: &Grants, project: &Project) -> Vec<String> {
    let mut all = Vec::new();
    let network = grants.exec.iter().any(|e| e.network);
    // Whoever holds all three can be talked into sending what it reads: the text it fetches may say so.
    if !grants.files.is_empty() && (!grants.http.is_empty() || network) {
        all.push(
            "it reads the project's directories, takes in text from outside and can send: text that it fetches may talk it into sending what it read"
                .to_owned(),
        );
    }
    for http in grants.http.iter().filter(|h| h.private) {
        all.push(format!(
            "requests to `{}` may reach addresses that are not public",
            http.origin()
        ));
    }
    for secret in &grants.secrets {
        let clear = |origin: &str| origin.starts_with(&format!("{}://", Scheme::Http.as_str()));
        if let SecretTarget::Origin(origin) = &secret.to
            && clear(origin)
        {
            all.push(format!(
                "the secret `{}` travels in the clear to `{origin}`",
                secret.name
            ));
        }
    }
    for exec in &grants.exec {
        let found = exec_warnings(exec);
        all.extend(
            found
                .into_iter()
                .map(|w| format!("command `{}`: {w}", exec.name)),
        );
    }
    for model in &grants.model {
        let priced = |name: &String| {
            project
                .providers
                .get(&model.provider)
                .is_some_and(|p| p.value.price(name).is_some())
        };
        if let Some(name) = model.models.iter().find(|m| !priced(m)) {
            all.push(format!(
                "`{}/{name}` has no price, so what it costs counts as nothing",
                model.provider
            ));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// About the whole.
pub(super) fn whole(workflow: &Workflow, project: &Project, uses: &[UseReport]) -> Vec<String> {
    let mut all = Vec::new();
    for rule in project.policy.secrets() {
        let SecretTarget::Origin(origin) = &rule.grant.to else {
            continue;
        };
        if !project
            .policy
            .http()
            .iter()
            .any(|h| h.grant.origin() == *origin)
        {
            all.push(format!(
                "{}: no rule of `http` lets anybody send a request to `{}`, so the secret `{}` goes nowhere",
                rule.origin,
                secret_target(&rule.grant.to),
                rule.grant.name
            ));
        }
    }
    if let (Some(run), Some(limit)) = (&workflow.budget, project.budget_micros)
        && run.limit > limit
    {
        all.push("the run's budget is over the project's, which holds".to_owned());
    }
    let spends = uses
        .iter()
        .flat_map(|u| &u.grants)
        .any(|g| g.text.starts_with("model ") || g.text.starts_with("charge "));
    if spends && workflow.budget.is_none() && project.budget_micros.is_none() {
        all.push(
            "it can cost money, and neither the workflow nor the project has a budget".to_owned(),
        );
    }
    all
}
