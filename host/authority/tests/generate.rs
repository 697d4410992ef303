//! Which models may be used: rules, twins and a property against a plain oracle.

use proptest::prelude::*;
use sandgate_authority::{ModelAuthority, ModelRefusal, Opened, Permission};
use sandgate_model::{Digest, Grants, ModelGrant};

fn rule(provider: &str, models: &[&str], approval: bool) -> ModelGrant {
    ModelGrant {
        provider: provider.to_owned(),
        models: models.iter().map(|m| (*m).to_owned()).collect(),
        approval,
    }
}

fn grants(rules: &[ModelGrant]) -> Grants {
    Grants {
        model: rules.to_vec(),
        ..Grants::default()
    }
}

#[test]
fn an_exact_name_or_a_star_allows() {
    let grants = grants(&[
        rule("acme", &["large", "org/tuned:v2"], false),
        rule("local", &["*"], false),
    ]);
    let authority = ModelAuthority::new(&grants);
    for (asked, provider, model) in [
        ("acme/large", "acme", "large"),
        ("acme/org/tuned:v2", "acme", "org/tuned:v2"),
        ("local/anything", "local", "anything"),
    ] {
        let permit = authority.permit(asked).unwrap().granted().unwrap();
        assert_eq!((permit.provider(), permit.model()), (provider, model));
    }
    assert_eq!(
        authority.granted(),
        ["acme/large", "acme/org/tuned:v2", "local/*"]
    );
}

#[test]
fn without_the_rule_the_refusal_prints_the_line_that_would_allow_it() {
    let with = grants(&[rule("acme", &["large"], false)]);
    assert!(ModelAuthority::new(&with).permit("acme/large").is_ok());

    let refusal = ModelAuthority::new(&with).permit("acme/small").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the model `acme/small` is not granted (granted: acme/large); this line in [policy] of sandgate.toml would \
         allow it: model = [{ provider = \"acme\", models = [\"small\"] }]"
    );
    let none = Grants::default();
    let refusal = ModelAuthority::new(&none).permit("acme/large").unwrap_err();
    assert!(refusal.to_string().contains("(none is)"), "{refusal}");
}

#[test]
fn an_approval_wins_whatever_the_order() {
    let open = rule("acme", &["*"], false);
    let asks = rule("acme", &["large"], true);
    for rules in [[open.clone(), asks.clone()], [asks, open]] {
        let grants = grants(&rules);
        let authority = ModelAuthority::new(&grants);
        assert!(authority.permit("acme/large").unwrap().asks());
        assert!(!authority.permit("acme/small").unwrap().asks());
    }
}

#[test]
fn what_is_not_a_name_is_refused_also_under_a_star() {
    let grants = grants(&[rule("acme", &["*"], false)]);
    let authority = ModelAuthority::new(&grants);
    let long = format!("acme/{}", "x".repeat(257));
    let bad = [
        "",
        "/",
        "acme",
        "acme/",
        "/large",
        "acme/*",
        "acme/a b",
        "acme/a\"b",
        "acme/a\\b",
        "acme/a\nb",
        "acme/a\u{1b}[31m",
        "acme/\u{202e}a",
        "ac me/large",
        "acme /large",
        &long,
        "acme/l\u{430}rge",
    ];
    for asked in bad {
        let refusal = authority.permit(asked).unwrap_err();
        assert!(matches!(refusal, ModelRefusal::NotAName(_)), "{asked:?}");
        let text = refusal.to_string();
        assert!(
            text.is_ascii() && !text.contains(char::is_control),
            "{text:?}"
        );
        assert!(text.len() < 200, "{text}");
    }
    println!("{} spellings that are no name, 0 permitted", bad.len());
}

proptest! {
    /// A permit only for what a rule names, letter by letter, and sealed exactly where a rule that fits wants an approval.
    #[test]
    fn permits_are_what_the_rules_say(
        rules in prop::collection::vec(
            ("[ab]{1,2}", prop::collection::vec("[ab]{1,2}|\\*", 0..3), any::<bool>()), 0..4),
        provider in "[ab]{1,2}", model in "[ab*]{1,2}",
    ) {
        let list: Vec<ModelGrant> = rules.iter().map(|(p, m, approval)| ModelGrant {
            provider: p.clone(), models: m.clone(), approval: *approval,
        }).collect();
        let grants = grants(&list);
        let fits = |r: &&ModelGrant| r.provider == provider
            && (r.models.contains(&model) || r.models.contains(&"*".to_owned()));
        let is_name = !model.contains('*');
        let allowed = is_name && list.iter().any(|r| fits(&r));
        let asks = list.iter().filter(fits).any(|r| r.approval);
        let got = ModelAuthority::new(&grants).permit(&format!("{provider}/{model}"));
        prop_assert_eq!(got.is_ok(), allowed);
        prop_assert_eq!(got.is_ok_and(|p| p.asks()), allowed && asks);
    }

    /// A sealed permit comes out for exactly what was approved and for nothing else.
    #[test]
    fn a_seal_opens_for_what_was_approved(approved in any::<[u8; 2]>(), now in any::<[u8; 2]>()) {
        let grants = grants(&[rule("acme", &["*"], true)]);
        for now in [now, approved] {
            let permission = ModelAuthority::new(&grants).permit("acme/large").unwrap();
            prop_assert_eq!(permission.look().model(), "large");
            let Permission::Ask(sealed) = permission else {
                return Err(TestCaseError::fail("not sealed"));
            };
            let (approved, now) = (Digest::of(&approved), Digest::of(&now));
            match sealed.open(Opened::new(approved), now) {
                Ok(permit) => {
                    prop_assert_eq!(approved, now);
                    prop_assert_eq!(permit.provider(), "acme");
                }
                Err(stale) => prop_assert!(approved != now && stale.to_string().contains(&now.hex())),
            }
        }
        // Whoever cannot ask gets nothing.
        prop_assert!(ModelAuthority::new(&grants).permit("acme/large").unwrap().granted().is_none());
    }
}
