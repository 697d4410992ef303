//! What an attacker does who got code to run in the workspace: write outside, connect, read secrets, stay. Each success
//! leaves a trace that the test looks for; what was read is left in the workspace, as loot.

use serde::Deserialize;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::{SocketAddr, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream},
    },
    path::Path,
    process::Command,
    time::Duration,
};

#[derive(Deserialize)]
struct Order {
    token: String,
    workspace: String,
    /// Files to make or to append to.
    write: Vec<String>,
    /// Files to read, and to ruin.
    read: Vec<String>,
    /// Files of the machine that are only tried to be opened.
    open: Vec<String>,
    /// Directories of which only is tried whether they can be listed.
    list: Vec<String>,
    /// What is looked for.
    canary: String,
    tcp: u16,
    udp: u16,
    unix: String,
    unix_datagram: String,
    abstract_name: String,
    /// A process of the same user, outside.
    victim: i32,
}

pub(super) fn run(order: &str) {
    let order: Order = serde_json::from_slice(&fs::read(order).unwrap()).unwrap();
    let at = |name: &str| Path::new(&order.workspace).join(name);
    // Some vectors run this many times; once is enough. The file is the proof that the vector works.
    if OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(at("ran"))
        .is_err()
    {
        return;
    }
    let mut loot = OpenOptions::new()
        .append(true)
        .create(true)
        .open(at("loot"))
        .unwrap();
    let mut note = |what: &str, bytes: &[u8]| {
        let _ = write!(loot, "{what}: ");
        let _ = loot.write_all(bytes);
        let _ = writeln!(loot);
        // A second way out; whoever listens may be gone already.
        let _ = writeln!(
            std::io::stdout(),
            "{what}: {}",
            String::from_utf8_lossy(bytes)
        );
    };
    read(&order, &mut note);
    write(&order);
    connect(&order);
    signal(&order, &mut note);
    super::spawn(&["fork", &order.token]);
    super::spawn(&["linger", &order.token]);
    let me = std::env::args_os().next().unwrap();
    let _ = super::quiet(
        Command::new("setsid")
            .arg("-f")
            .arg(me)
            .args(["linger", &order.token]),
    )
    .spawn();
    // Time for them to become what they want to be.
    std::thread::sleep(Duration::from_millis(60));
}

fn write(order: &Order) {
    for path in &order.write {
        if let Ok(mut f) = OpenOptions::new().append(true).create(true).open(path) {
            let _ = f.write_all(b"marker\n");
        }
        let _ = fs::write(path, "marker\n");
        let _ = fs::create_dir(format!("{path}.d"));
    }
    let at = |name: &str| Path::new(&order.workspace).join(name);
    for (i, path) in order.write.iter().enumerate() {
        // Through a link, by a rename, by a hard link, by mounting, by taking the permissions away.
        let link = at(&format!("link{i}"));
        let _ = std::os::unix::fs::symlink(path, &link);
        let _ = fs::write(&link, "marker\n");
        let own = at(&format!("own{i}"));
        let _ = fs::write(&own, "marker\n");
        let _ = fs::rename(&own, format!("{path}.renamed"));
        let _ = fs::hard_link(at("ran"), format!("{path}.linked"));
    }
    for path in &order.read {
        let stolen = at("stolen");
        if fs::hard_link(path, &stolen).is_ok() {
            let _ = fs::write(&stolen, "marker\n");
        }
        let _ = OpenOptions::new().write(true).truncate(true).open(path);
    }
}

fn connect(order: &Order) {
    let wait = Duration::from_millis(300);
    for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let to = SocketAddr::new(ip.parse().unwrap(), order.tcp);
        if let Ok(mut s) = TcpStream::connect_timeout(&to, wait) {
            let _ = s.write_all(b"out");
        }
    }
    if let Ok(s) = UdpSocket::bind("127.0.0.1:0") {
        let _ = s.send_to(b"out", ("127.0.0.1", order.udp));
    }
    if let Ok(mut s) = UnixStream::connect(&order.unix) {
        let _ = s.write_all(b"out");
    }
    if let Ok(s) = UnixDatagram::unbound() {
        let _ = s.send_to(b"out", &order.unix_datagram);
    }
    if let Ok((s, _other)) = UnixDatagram::pair() {
        let _ = s.send_to(b"out", &order.unix_datagram);
    }
    if let Ok(name) = UnixAddr::from_abstract_name(&order.abstract_name)
        && let Ok(mut s) = UnixStream::connect_addr(&name)
    {
        let _ = s.write_all(b"out");
    }
}

fn read(order: &Order, note: &mut impl FnMut(&str, &[u8])) {
    for path in &order.read {
        if let Ok(bytes) = fs::read(path) {
            note(path, &bytes);
        }
    }
    for path in &order.open {
        if fs::File::open(path).is_ok() {
            note("opened", path.as_bytes());
        }
    }
    for path in &order.list {
        if fs::read_dir(path).is_ok_and(|mut d| d.next().is_some()) {
            note("listed", path.as_bytes());
        }
    }
    // Environment and memory of a process outside, and another way to the root directory. Of what is found only the
    // canary is kept: the machine's real secrets are nobody's business.
    for file in ["environ", "cwd/environ"] {
        let bytes = fs::read(format!("/proc/{}/{file}", order.victim)).unwrap_or_default();
        if String::from_utf8_lossy(&bytes).contains(&order.canary) {
            note("environment", order.canary.as_bytes());
        }
    }
    if fs::File::open(format!("/proc/{}/mem", order.victim)).is_ok() {
        note("memory", b"of the victim can be read");
    }
    for pid in ["self", "1", &order.victim.to_string()] {
        for path in &order.read {
            if let Ok(bytes) = fs::read(format!("/proc/{pid}/root{path}")) {
                note("root", &bytes);
            }
        }
    }
}

fn signal(order: &Order, note: &mut impl FnMut(&str, &[u8])) {
    let victim = nix::unistd::Pid::from_raw(order.victim);
    // Signal 0 does nothing and says whether another one would.
    if nix::sys::signal::kill(victim, None).is_ok() {
        note("signal", b"the victim can be killed");
    }
}
