//! Paths that mean something outside of the root, in all their spellings.

/// `@` stands for a file beside the root, such as `secret.txt`.
const SHAPES: &[&str] = &[
    "../@",
    "../../@",
    "../../../../../../../../../../@",
    "./../@",
    ".//..//@",
    "..//@",
    "../",
    "..",
    "../.",
    "../..",
    "./..",
    "../*",
    "dir/../../@",
    "dir/../../",
    "dir/./../../@",
    "dir//..//..//@",
    "dir/sub/../../../@",
    "nowhere/../../@",
    "file.txt/../../@",
    "dir/..",
    "dir/../..",
    "/@",
    "//@",
    "///@",
    "/",
    "//",
    "/.",
    "/..",
    "/../@",
    "/etc/passwd",
    "//etc/passwd",
    "/./etc/passwd",
    "../../../../../../../../../../etc/passwd",
    "/proc/self/environ",
    "/proc/self/cwd/@",
    concat!("/proc/self/root", "/etc/passwd"),
    "/proc/self/fd/0",
    "/proc/self/mem",
    "/proc/1/environ",
    "/dev/stdin",
    "/dev/fd/3",
    "/dev/null",
    "/sys/kernel/notes",
    "/tmp",
    "..\\@",
    "..\\..\\@",
    "dir\\..\\..\\@",
    "\\@",
    "C:\\@",
    "C:/@",
    "\\\\?\\C:\\@",
    "file:///etc/passwd",
    "%2e%2e/@",
    "%2e%2e%2f@",
    "..%2f@",
    "..%00/@",
    "..\0/@",
    "../@\0",
    "../@\0.txt",
    "..;/@",
    ".../@",
    "..../@",
    ".. /@",
    " ../@",
    "../ @",
    "..\n/@",
    "\u{2025}/@",
    "\u{ff0e}\u{ff0e}/@",
    "..\u{2215}@",
    "..\u{ff0f}@",
    "\u{202e}txt.@",
    "\u{feff}../@",
    "~/@",
    "~root/.bashrc",
    "$HOME/@",
    "",
    "-",
];

/// All of them, and the same through each link that is there.
pub fn escapes(target: &str, links: &[String]) -> Vec<String> {
    let target = if target.is_empty() {
        "secret.txt"
    } else {
        target
    };
    let mut all: Vec<String> = SHAPES
        .iter()
        .map(|shape| shape.replace('@', target))
        .collect();
    for link in links {
        for shape in [
            "#",
            "#/",
            "#/.",
            "#/..",
            "#/@",
            "#/../@",
            "./#/@",
            "dir/../#/@",
            "#//@",
            "#/../#/@",
        ] {
            all.push(shape.replace('#', link).replace('@', target));
        }
    }
    all.push(format!("{}{target}", "../".repeat(1_500)));
    all.push(format!("{}../{target}", "dir/../".repeat(500)));
    all
}
