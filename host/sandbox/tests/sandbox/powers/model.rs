//! Text generation: what reaches the port, what is refused before, and streams.

use super::ports::Ports;
use super::{powerful, steps};
use crate::tree::hex;

#[tokio::test]
async fn answers_whole_and_in_pieces() {
    let ports = Ports::default();
    let told = steps(
        &powerful(&ports),
        "models;generate local/x one-two;stream local/x one-two-three;begin local/x a-b;next;finish;finish;next;end",
    )
    .await;
    assert_eq!(
        told,
        [
            "ok local/*,far/x",
            "ok one-two [Finish::Stop 3 5 7]",
            "ok one|two|three = one-two-three [Finish::Stop 3 5 7]",
            "ok ",
            "ok Some('a')",
            "ok a-b [Finish::Stop 3 5 7]",
            "err ModelError::Invalid('this generation is over')",
            "err ModelError::Invalid('this generation is over')",
            "ok ",
        ]
    );
    // One that breaks off is over.
    let told = steps(
        &powerful(&ports),
        "begin local/x a-break-b;next;next;next;finish",
    )
    .await;
    assert_eq!(told[2], "err ModelError::BadAnswer('broke off')");
    assert!(told[3].contains("is over") && told[4].contains("is over"));
}

#[tokio::test]
async fn failures_keep_their_case() {
    let ports = Ports::default();
    for (name, case) in [
        ("not-granted", "NotGranted"),
        ("not-approved", "NotApproved"),
        ("budget", "Budget"),
        ("limit", "Limit"),
        ("invalid", "Invalid"),
        ("unavailable", "Unavailable"),
        ("bad-answer", "BadAnswer"),
        ("host", "Host"),
    ] {
        for verb in ["generate", "stream"] {
            let told = steps(&powerful(&ports), &format!("{verb} local/{name} hi")).await;
            assert_eq!(told, [format!("err ModelError::{case}('why')")]);
        }
    }
}

#[tokio::test]
async fn requests_are_bounded_before_the_port() {
    let ports = Ports::default();
    let wanted = powerful(&ports);
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let many = format!("[{}0]", "0,".repeat(50_001));
    for (step, case) in [
        ("messages 1001 1".to_owned(), "Limit"),
        ("messages 5 900000".to_owned(), "Limit"),
        ("tool-list 129 1".to_owned(), "Limit"),
        ("tool-list 1 257".to_owned(), "Limit"),
        (format!("generate local/{} hi", "x".repeat(300)), "Limit"),
        (format!("tool {}", hex("{")), "Invalid"),
        (format!("tool {}", hex("{\"a\":1,\"a\":2}")), "Invalid"),
        (format!("schema {}", hex(&deep)), "Invalid"),
        (format!("schema {}", hex("nonsense")), "Invalid"),
        (format!("schema {}", hex(&many)), "Invalid"),
        (format!("arguments {}", hex("{]")), "Invalid"),
    ] {
        let mut wanted = wanted.clone();
        wanted.limits.crossing_bytes = 64 << 20;
        let told = steps(&wanted, &step).await;
        let short: String = step.chars().take(40).collect();
        assert!(
            told[0].starts_with(&format!("err ModelError::{case}(")),
            "{short}: {told:?}"
        );
    }
    assert_eq!(ports.calls(), Vec::<String>::new());
    for step in [
        "messages 1000 10".to_owned(),
        "tool-list 128 64".to_owned(),
        format!("tool {}", hex("{\"type\":\"object\"}")),
        format!("schema {}", hex("{\"type\":\"object\"}")),
        format!("arguments {}", hex("{\"a\":[1,2]}")),
    ] {
        assert!(steps(&wanted, &step).await[0].starts_with("ok"), "{step}");
    }
    assert!(
        ports.calls()[3].contains("Some(Object"),
        "{:?}",
        ports.calls()
    );
}

#[tokio::test]
async fn generations_at_once_are_bounded() {
    let ports = Ports::default();
    let begin = "begin local/x a-b";
    let told = steps(
        &powerful(&ports),
        &format!("{};end;{begin}", [begin; 5].join(";")),
    )
    .await;
    assert!(told[..4].iter().all(|told| told == "ok "));
    assert!(told[4].starts_with("err ModelError::Limit("), "{told:?}");
    assert_eq!(told[6], "ok ");
    ports.until_dead().await;
}
