//! Variations of what is allowed. None of them may run, but for fillings that are what the hole's type says.

/// What people append to an argument to have something else run.
const TAILS: &[&str] = &[
    ";id",
    "; id",
    "&&id",
    "||id",
    "|id",
    "&",
    "\nid",
    "\r\nid",
    "\0",
    "\0id",
    "$(id)",
    "`id`",
    "${IFS}id",
    ">out",
    "<in",
    ">>out",
    "2>&1",
    " ",
    "\t",
    " extra",
    "\u{a0}",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "'",
    "\"",
    "\\",
    "*",
    "?",
    "~",
    "#",
    "%00",
    "!",
    "{a,b}",
    "=",
    "=x",
    ",",
    "\u{7f}",
    "\u{1b}[2J",
];

/// Arguments that turn many programs into an interpreter, or point them at other files.
const FLAGS: &[&str] = &[
    "-c",
    "-e",
    "-x",
    "-exec",
    "--exec=id",
    "-o",
    "-f",
    "-i",
    "-I",
    "-C",
    "-p",
    "--",
    "-",
    "--help",
    "--version",
    "--config=/tmp/evil",
    "--config-file",
    "--manifest-path=/tmp/Cargo.toml",
    "--rcfile=/tmp/rc",
    "--init-command=id",
    "--upload-pack=id",
    "--output=/etc/passwd",
    "--require=./x.js",
    "-r./x.js",
    "--plugin=x",
    "--eval=1",
    "--no-sandbox",
    "-u",
    "-S",
    "@/etc/passwd",
    "@args",
    "LD_PRELOAD=./x.so",
    "PATH=.",
    "core.fsmonitor=id",
    "-ccore.pager=id",
    "--target-dir=/tmp",
    "+nightly",
    "\u{2013}c",
    "\u{2212}c",
    "−−help",
];

/// Other programs, and the program under other names.
pub fn programs(program: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        " ",
        ".",
        "..",
        "/",
        "./",
        "-",
        "--",
        "sh",
        "bash",
        "/bin/sh",
        "/usr/bin/env",
        "env",
        "busybox",
        "python3",
        "perl",
        "node",
        "git",
        "sudo",
        "su",
        "ssh",
        "curl",
        "nc",
        "socat",
        "xargs",
        "timeout",
        "nohup",
        "setsid",
        "strace",
        "gdb",
        "ld.so",
        "/lib64/ld-linux-x86-64.so.2",
        "/proc/self/exe",
        "/proc/1/exe",
        "/proc/self/cwd/x",
        "/dev/stdin",
        "/dev/fd/0",
        "sh -c id",
        "*",
        "?",
    ]
    .iter()
    .map(|other| (*other).to_owned())
    .collect();
    let name = program.rsplit('/').next().unwrap_or(program);
    for shape in [
        "./@",
        "../@",
        "@/",
        "@/.",
        "@/..",
        "@/../sh",
        "/@",
        "//@",
        "/bin/@",
        "/usr/bin/@",
        "/usr/bin/../bin/@",
        "/bin/./@",
        "/tmp/@",
        "@ ",
        " @",
        "\t@",
        "@\n",
        "@\0",
        "@\0sh",
        "@;id",
        "@ -c",
        "@.exe",
        "@.sh",
        "@*",
        "'@'",
        "\"@\"",
        "\\@",
        "$@",
        "~/@",
        "@\u{200b}",
        "@\u{301}",
        "\u{feff}@",
        "env @",
        "@%00",
        "file:///bin/@",
    ] {
        all.push(shape.replace('@', name));
    }
    all.push(program.to_uppercase());
    all.push(name.chars().rev().collect());
    // Letters that look the same.
    all.push(
        name.replace('a', "\u{430}")
            .replace('e', "\u{435}")
            .replace('o', "\u{43e}")
            + "\u{200d}",
    );
    all.retain(|other| other != program);
    all
}

/// The arguments bent: more, fewer, others, in another order, with something appended.
pub fn arguments(args: &[String]) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    let mut add = |what: String, bent: Vec<String>| {
        if bent != args {
            all.push((what, bent));
        }
    };
    add("none".into(), Vec::new());
    add("all in one".into(), vec![args.join(" ")]);
    add("twice".into(), [args, args].concat());
    add("backwards".into(), args.iter().rev().cloned().collect());
    add(
        "an empty one more".into(),
        [args, &[String::new()]].concat(),
    );
    for flag in FLAGS {
        let flag = (*flag).to_owned();
        add(
            format!("{flag:?} first"),
            [std::slice::from_ref(&flag), args].concat(),
        );
        add(
            format!("{flag:?} last"),
            [args, std::slice::from_ref(&flag)].concat(),
        );
        for at in 0..args.len() {
            let mut bent = args.to_vec();
            bent[at].clone_from(&flag);
            add(format!("{flag:?} at {at}"), bent);
        }
    }
    for tail in TAILS {
        add(
            format!("{tail:?} last"),
            [args, &[(*tail).to_owned()]].concat(),
        );
        for at in 0..args.len() {
            let mut bent = args.to_vec();
            bent[at].push_str(tail);
            add(format!("{tail:?} after {at}"), bent.clone());
            bent[at] = format!("{tail}{}", args[at]);
            add(format!("{tail:?} before {at}"), bent);
        }
    }
    for at in 0..args.len() {
        let mut bent = args.to_vec();
        bent.remove(at);
        add(format!("without {at}"), bent);
        let mut bent = args.to_vec();
        bent[at] = args[at].to_uppercase();
        add(format!("{at} in capitals"), bent);
        let mut bent = args.to_vec();
        bent[at].clear();
        add(format!("{at} empty"), bent);
    }
    all
}

/// What is put into a hole.
pub fn fillings() -> Vec<String> {
    let mut all: Vec<String> = FLAGS
        .iter()
        .chain(TAILS)
        .map(|filling| (*filling).to_owned())
        .collect();
    all.extend(
        [
            "",
            "name",
            "a/b.txt",
            "3",
            "-3",
            "1e9",
            "99999999999999999999",
            "0x10",
            "٣",
            ".",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "a//b",
            "./-x",
            "/etc/passwd",
            "/",
            "//",
            "~root",
            "~/x",
            "C:\\x",
            "\\\\host\\x",
            "a\\..\\x",
            "%2e%2e/x",
            "file:///etc/passwd",
            "https://evil.example/",
            "ssh://-oProxyCommand=id/x",
            "ext::sh -c id",
            "a b",
            "a'b",
            "a\"b",
            "a`id`b",
            "a$(id)b",
            "a\nb",
            "a\0b",
            "{name}",
            "{x:text}",
            "{{",
            "}}",
            "{secret:TOKEN}",
            "%s%n%x",
            "é",
            "ａ",
            "\u{202e}txt.exe",
            "-",
            "--",
            "---",
            "--=",
            "-\u{200b}c",
            "link",
            "link/",
            "link/x",
            ".git/config",
            ".git",
            "proc/self/environ",
            "/proc/self/environ",
            "/dev/null",
            "CON",
            "nul",
        ]
        .iter()
        .map(|filling| (*filling).to_owned()),
    );
    all.push("x".repeat(100_000));
    all.push("a/".repeat(5_000));
    all
}

/// Directories to start in; `root` is the granted one.
pub fn directories(root: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        ".",
        "..",
        "/",
        "//",
        "/.",
        "/..",
        "/etc",
        "/tmp",
        "/proc",
        "/proc/self/cwd",
        "/proc/1/root",
        "/proc/self/fd/3",
        "/sys",
        "/dev",
        "/dev/shm",
        "/var/run",
        "~",
        "$HOME",
        "nowhere",
        "\0",
        "\n",
        "-",
        "C:\\",
    ]
    .iter()
    .map(|directory| (*directory).to_owned())
    .collect();
    for shape in [
        "@/..",
        "@/../..",
        "@/../../../../etc",
        "@/./..",
        "@//..",
        "@/x/../..",
        "@/link",
        "@/link/",
        "@/link/..",
        "@/file",
        "@/nowhere",
        "@\0",
        "@\0/..",
        "@/\0",
        "@ ",
        " @",
        "@\n",
        "/@",
        "@x",
        "@/%2e%2e",
        "@/..\\..",
        "@/.git",
        "@/fifo",
        "@/...",
        "@/.. /",
        "@/\u{2025}",
    ] {
        all.push(shape.replace('@', root));
    }
    all.push(format!("{root}/{}", "d/".repeat(3_000)));
    all.push("d".repeat(100_000));
    all
}
