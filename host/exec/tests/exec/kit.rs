//! A place for one test: a workspace, an outside that must not be touched, listeners that must not be reached.

use sandgate_authority::{ExecAuthority, ExecPermit};
use sandgate_exec::{Containment, DirGrant, Limits, RunSpec, Runner, RunnerConfig};
use sandgate_model::{ExecGrant, FileGrant, FileMode, Grants};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) const CANARY: &str = "canary-5d1c0a7e-secret";

pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_exec-test-program"))
}

/// Where the toolchain that runs these tests is.
pub(crate) fn sysroot() -> PathBuf {
    let out = Command::new("rustc").args(["--print", "sysroot"]).output();
    let out = out.expect("rustc is needed for these tests and is not there");
    PathBuf::from(String::from_utf8(out.stdout).unwrap().trim())
}

/// Set where every tool has to be there, so that nothing is left out unseen: CI sets it.
const ALL_TOOLS: &str = "SANDGATE_ALL_TOOLS";

/// Whether all these tools are here. What is missing is said, and is a failure where [`ALL_TOOLS`] is set: a vector that is
/// not tried proves nothing.
pub(crate) fn have(tools: &[&str]) -> bool {
    let path = ["/usr/local/bin", "/usr/bin", "/bin"];
    let missing: Vec<&&str> = tools
        .iter()
        .filter(|tool| !path.iter().any(|d| Path::new(d).join(tool).exists()))
        .collect();
    if !missing.is_empty() {
        assert!(
            std::env::var_os(ALL_TOOLS).is_none(),
            "{missing:?} are needed for these tests and are in none of {path:?}"
        );
        println!("NOT TRIED: {missing:?} are in none of {path:?}");
    }
    missing.is_empty()
}

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) tools: PathBuf,
    pub(crate) config: RunnerConfig,
    containment: Containment,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The program is copied: the build directory is not the command's business.
        let tools = dir.path().join("tools");
        fs::create_dir(&tools).unwrap();
        fs::copy(program(), tools.join("exec-test-program")).unwrap();
        for name in ["outside", "home"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("home/secret"), CANARY).unwrap();
        let config = RunnerConfig {
            launcher: program(),
            scratch: dir.path().join("scratch"),
            path: vec![sysroot().join("bin")],
            read: vec![sysroot(), tools.clone()],
            writable: Vec::new(),
            limits: Limits::default(),
        };
        let containment = Containment::probe(&config.launcher);
        Self {
            dir,
            tools,
            config,
            containment,
        }
    }

    pub(crate) fn containment(&self) -> Containment {
        self.containment.clone()
    }

    pub(crate) fn runner(&self) -> Runner {
        Runner::with_containment(self.config.clone(), self.containment())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new workspace.
    pub(crate) fn workspace(&self, name: &str) -> PathBuf {
        let ws = self.path(name);
        fs::create_dir_all(&ws).unwrap();
        ws
    }
}

/// One command, as a rule that allows exactly it.
#[derive(Clone)]
pub(crate) struct Cmd {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) network: bool,
    pub(crate) secrets: Vec<String>,
    pub(crate) read: Vec<String>,
}

pub(crate) fn cmd(program: &str, args: &[&str]) -> Cmd {
    Cmd {
        program: program.to_owned(),
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        env: BTreeMap::new(),
        network: false,
        secrets: Vec::new(),
        read: Vec::new(),
    }
}

impl Cmd {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn network(mut self) -> Self {
        self.network = true;
        self
    }

    pub(crate) fn permit(&self, workspace: bool) -> ExecPermit {
        let grants = Grants {
            files: workspace
                .then(|| FileGrant {
                    host: "ws".to_owned(),
                    guest: "/ws".to_owned(),
                    mode: FileMode::Write,
                })
                .into_iter()
                .collect(),
            exec: vec![ExecGrant {
                name: "rule".to_owned(),
                program: self.program.clone(),
                args: self
                    .args
                    .iter()
                    .map(|a| a.replace('{', "{{").replace('}', "}}"))
                    .collect(),
                cwd: None,
                env: self.env.clone(),
                secrets: self.secrets.clone(),
                network: self.network,
                read: self.read.clone(),
                timeout: None,
                approval: false,
            }],
            ..Grants::default()
        };
        ExecAuthority::new(&grants)
            .permit(&self.program, &self.args, None)
            .unwrap_or_else(|e| panic!("{e}"))
            .granted()
            .unwrap()
    }

    /// The same without any containment: the twin that shows that the vector works.
    pub(crate) fn bare(&self, place: &Place, ws: &Path) -> std::process::Output {
        let path = format!(
            "/usr/local/bin:/usr/bin:/bin:{}",
            sysroot().join("bin").display()
        );
        Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .env("PATH", path)
            .env("HOME", place.path("home"))
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", place.path("home"))
            .envs(&self.env)
            .current_dir(ws)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap_or_else(|e| panic!("{} is needed for these tests: {e}", self.program))
    }
}

pub(crate) fn in_workspace(ws: &Path) -> RunSpec {
    RunSpec {
        dirs: vec![DirGrant {
            path: ws.to_owned(),
            write: true,
            identity: None,
        }],
        cwd: Some(ws.to_owned()),
        // Far more than anything here takes: a busy machine is no failure.
        timeout: Some(Duration::from_secs(300)),
        ..RunSpec::default()
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Processes whose command line has this token.
pub(crate) fn with_token(token: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|b| *b == 0);
        // A process that is dead and not reaped has no command line.
        if words.any(|w| w == token.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// Kills what a twin left.
pub(crate) fn sweep(token: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let left = with_token(token);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "{left:?} cannot be killed");
        for pid in left {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn token(what: &str) -> String {
    format!("sandgate-test-{}-{what}", std::process::id())
}

/// Everything that an attack aims at.
pub(crate) struct Target {
    pub(crate) tcp: Arc<AtomicUsize>,
    pub(crate) udp: Arc<AtomicUsize>,
    pub(crate) unix: Arc<AtomicUsize>,
    pub(crate) unix_datagram: Arc<AtomicUsize>,
    pub(crate) abstract_name: Arc<AtomicUsize>,
    pub(crate) tcp_port: u16,
    pub(crate) udp_port: u16,
    name: String,
    victim: Child,
}

impl Target {
    pub(crate) fn new(place: &Place) -> Self {
        let counter = || Arc::new(AtomicUsize::new(0));
        let (tcp, udp, unix, unix_datagram, abstract_name) =
            (counter(), counter(), counter(), counter(), counter());
        let count = |c: &Arc<AtomicUsize>| {
            let c = c.clone();
            move || {
                c.fetch_add(1, Ordering::SeqCst);
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp_port = listener.local_addr().unwrap().port();
        let hit = count(&tcp);
        std::thread::spawn(move || {
            for mut s in listener.incoming().flatten() {
                hit();
                let _ = s.read(&mut [0; 8]);
            }
        });
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let udp_port = socket.local_addr().unwrap().port();
        let hit = count(&udp);
        std::thread::spawn(move || {
            while socket.recv(&mut [0; 8]).is_ok() {
                hit()
            }
        });
        let listener = UnixListener::bind(place.path("sock")).unwrap();
        let hit = count(&unix);
        std::thread::spawn(move || {
            for _ in listener.incoming().flatten() {
                hit()
            }
        });
        let socket = UnixDatagram::bind(place.path("dsock")).unwrap();
        let hit = count(&unix_datagram);
        std::thread::spawn(move || {
            while socket.recv(&mut [0; 8]).is_ok() {
                hit()
            }
        });
        // Tests run side by side, and this kind of name is the machine's.
        let name = token(&place.dir.path().display().to_string());
        let listener =
            UnixListener::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
        let hit = count(&abstract_name);
        std::thread::spawn(move || {
            for _ in listener.incoming().flatten() {
                hit()
            }
        });
        let victim = Command::new(program())
            .arg("victim")
            .env_clear()
            .env("TOKEN", CANARY)
            .spawn()
            .unwrap();
        Self {
            tcp,
            udp,
            unix,
            unix_datagram,
            abstract_name,
            tcp_port,
            udp_port,
            name,
            victim,
        }
    }

    /// Connections since the last call, by kind: TCP, UDP, unix stream, unix datagram, abstract.
    pub(crate) fn hits(&self) -> [usize; 5] {
        // What was sent is already in a queue; the threads that count need a moment.
        std::thread::sleep(Duration::from_millis(15));
        [
            &self.tcp,
            &self.udp,
            &self.unix,
            &self.unix_datagram,
            &self.abstract_name,
        ]
        .map(|c| c.swap(0, Ordering::SeqCst))
    }

    /// Writes the attacker's script into a workspace, and its order.
    pub(crate) fn arm(&self, place: &Place, ws: &Path, token: &str) {
        let outside = place.path("outside").join(token);
        let order = serde_json::json!({
            "token": token,
            "workspace": ws,
            "write": [
                outside,
                place.path("home/marker"),
                place.path("tools/marker"),
                place.path("scratch/marker"),
                format!("/tmp/{token}"),
                format!("/dev/shm/{token}"),
                format!("/var/tmp/{token}"),
                ws.join(format!("../outside/{token}.dots")),
                format!("/proc/1/root{}", outside.display()),
                format!("/proc/self/root{}", outside.display()),
                format!("/proc/{}/cwd/{token}", std::process::id()),
            ],
            "read": [place.path("home/secret")],
            "open": ["/etc/shadow", "/etc/sudoers", "/proc/kcore", "/dev/mem", "/dev/tty"],
            "list": [place.path("home"), "/root", "/home", "/var/log", "/run", "/tmp"],
            "canary": CANARY,
            "tcp": self.tcp_port,
            "udp": self.udp_port,
            "unix": place.path("sock"),
            "unix_datagram": place.path("dsock"),
            "abstract_name": self.name,
            "victim": self.victim.id(),
        });
        fs::write(ws.join("order"), order.to_string()).unwrap();
        script(
            &ws.join("payload"),
            &format!(
                "#!/bin/sh\nexec '{}/exec-test-program' attack '{}/order'\n",
                place.tools.display(),
                ws.display()
            ),
        );
    }

    /// Markers of an attack outside of its workspace; takes them away.
    pub(crate) fn markers(&self, place: &Place, token: &str) -> usize {
        let mut found = 0;
        let dirs = ["outside", "home", "tools", "scratch"].map(|d| place.path(d));
        let shared = ["/tmp", "/dev/shm", "/var/tmp", "."].map(PathBuf::from);
        for dir in dirs.iter().chain(&shared) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with(token) || name.starts_with("marker") {
                    found += 1;
                    let path = entry.path();
                    let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
                }
            }
        }
        let secret = place.path("home/secret");
        if fs::read_to_string(&secret).unwrap_or_default() != CANARY {
            found += 1;
            fs::write(secret, CANARY).unwrap();
        }
        found
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}
