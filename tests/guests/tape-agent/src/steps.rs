//! The verbs.

use crate::bindings::sandgate::plugin::{budget, command, log, model, progress, question};
use crate::http;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::time::{Duration, Instant, SystemTime};
use wasip2::http::types::FutureIncomingResponse;

const VERBS: [&str; 33] = [
    "write",
    "append",
    "read",
    "rename",
    "list",
    "remove",
    "mkdir",
    "rmdir",
    "stat",
    "begin",
    "more",
    "look",
    "seek",
    "close",
    "truncate",
    "wall",
    "mono",
    "random",
    "sleep",
    "log",
    "print",
    "error",
    "progress",
    "get",
    "post",
    "both",
    "command",
    "charge",
    "remaining",
    "generate",
    "stream",
    "ask",
    "missing",
];

/// What it holds and was told.
pub struct Hands {
    seed: u64,
    values: bool,
    pub trace: bool,
    digest: u64,
    requests: Vec<String>,
    began: Instant,
    last: Instant,
    open: Vec<(String, File)>,
}

impl Hands {
    pub fn new(seed: u64, values: bool) -> Self {
        let now = Instant::now();
        Self {
            seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            values,
            trace: false,
            digest: 0xcbf2_9ce4_8422_2325,
            requests: Vec::new(),
            began: now,
            last: now,
            open: Vec::new(),
        }
    }

    fn next(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }

    /// Remembers what it was told.
    fn told(&mut self, what: impl core::fmt::Debug) {
        if self.trace {
            log::log(log::Level::Debug, &format!("{what:?}"));
        }
        for byte in format!("{what:?}").bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// A value that is another one each time the guest runs.
    fn value(&mut self, what: impl core::fmt::Debug) {
        if self.values {
            self.told(what);
        }
    }

    fn name(&mut self) -> String {
        let name = ["a", "b", "c", "sub/d", "sub/e"][self.next(5) as usize];
        format!("/room/{name}")
    }

    /// A text that tells this request from others.
    fn request(&mut self, verb: &str, n: u64) -> String {
        let text = if self.values {
            format!("{verb}-{n}-{:x}", self.digest)
        } else {
            format!("{verb}-{n}")
        };
        self.requests.push(text.clone());
        text
    }

    pub fn step(&mut self, n: u64) {
        let verb = VERBS[self.next(VERBS.len() as u64) as usize];
        self.verb(verb, n);
    }

    fn answer(&mut self, response: &FutureIncomingResponse) {
        let told =
            http::receive(response).and_then(|(status, body)| Ok((status, http::read(&body)?)));
        self.told(told);
    }

    pub fn verb(&mut self, verb: &str, n: u64) {
        match verb {
            "write" => {
                let name = self.name();
                let told = fs::write(name, format!("written {n}\n")).map_err(|e| e.kind());
                self.told(told);
            }
            "append" => {
                let name = self.name();
                let told = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(name)
                    .and_then(|mut file| writeln!(file, "more {n}"))
                    .map_err(|e| e.kind());
                self.told(told);
            }
            "read" => {
                let name = self.name();
                let told = fs::read(name).map_err(|e| e.kind());
                self.told(told);
            }
            "rename" => {
                let (from, to) = (self.name(), self.name());
                // What is held open stays where it is: what comes back after a suspension is found by its name.
                if !self
                    .open
                    .iter()
                    .any(|(name, _)| *name == from || *name == to)
                {
                    let told = fs::rename(from, to).map_err(|e| e.kind());
                    self.told(told);
                }
            }
            "remove" => {
                let name = self.name();
                if !self.open.iter().any(|(held, _)| *held == name) {
                    let told = fs::remove_file(name).map_err(|e| e.kind());
                    self.told(told);
                }
            }
            "list" => {
                let mut names: Vec<String> = fs::read_dir("/room")
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| format!("{:?}", entry.file_name()))
                    .collect();
                names.sort();
                self.told(names);
            }
            "mkdir" => {
                let told =
                    fs::create_dir(format!("/room/dir{}", self.next(3))).map_err(|e| e.kind());
                self.told(told);
            }
            "rmdir" => {
                let told =
                    fs::remove_dir(format!("/room/dir{}", self.next(3))).map_err(|e| e.kind());
                self.told(told);
            }
            "stat" => {
                let name = self.name();
                let meta = fs::metadata(name);
                let told = meta
                    .as_ref()
                    .map(|m| (m.len(), m.is_dir()))
                    .map_err(|e| e.kind());
                self.told(told);
                if let Ok(meta) = meta {
                    self.value(meta.modified().ok());
                }
            }
            "truncate" => {
                let name = self.name();
                let told = OpenOptions::new()
                    .write(true)
                    .open(name)
                    .and_then(|file| file.set_len(5));
                self.told(told.map_err(|e| e.kind()));
            }
            // Files that stay open from one step to a later one.
            "begin" if self.open.len() < 3 => {
                let name = self.name();
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(n.is_multiple_of(2))
                    .open(&name);
                match file {
                    Ok(file) => self.open.push((name, file)),
                    Err(error) => self.told(error.kind()),
                }
            }
            "more" => {
                if let Some((_, file)) = self.open.last_mut() {
                    let told = writeln!(file, "held {n}").map_err(|e| e.kind());
                    self.told(told);
                }
            }
            "look" => {
                if let Some((_, file)) = self.open.first_mut() {
                    let mut bytes = [0; 4];
                    let told = file.read(&mut bytes).map_err(|e| e.kind());
                    self.told((told, bytes));
                }
            }
            "seek" => {
                let to = self.next(20);
                if let Some((_, file)) = self.open.first_mut() {
                    let told = file.seek(SeekFrom::Start(to)).map_err(|e| e.kind());
                    self.told(told);
                }
            }
            "close" => drop(self.open.pop()),
            "missing" => {
                let told = File::open("/room/none").map(drop).map_err(|e| e.kind());
                self.told(told);
            }
            // What differs each time.
            "wall" => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                self.value(now);
            }
            "mono" => {
                let now = Instant::now();
                // A clock that runs backwards would be told.
                self.told(now >= self.last);
                self.last = now;
                let since = now - self.began;
                self.value(since);
            }
            "random" => {
                self.value(wasip2::random::random::get_random_u64());
                self.value(wasip2::random::random::get_random_bytes(7));
                self.value(wasip2::random::insecure::get_insecure_random_u64());
                self.value(wasip2::random::insecure_seed::insecure_seed());
            }
            "gulp" => drop(wasip2::random::random::get_random_bytes(65_536)),
            "nap" => std::thread::sleep(Duration::from_secs(60)),
            "sleep" => {
                let before = Instant::now();
                std::thread::sleep(Duration::from_millis(1));
                self.told(before.elapsed() >= Duration::from_millis(1));
            }
            // Words.
            "log" => log::log(log::Level::Info, &format!("log {n}")),
            "print" => {
                print!("out {n}{}", if n.is_multiple_of(3) { "" } else { "\n" });
                std::io::stdout().flush().ok();
            }
            "error" => eprintln!("err {n}"),
            "progress" => progress::report(&format!("at {n}"), Some(n as u16)),
            // What happens outside.
            "get" => {
                let path = self.request(verb, n);
                if let Ok(sent) = http::send("GET", &format!("http://host.test/{path}"), None) {
                    self.answer(&sent);
                }
            }
            "post" => {
                let path = self.request(verb, n);
                let length = Some(self.next(20_000) as usize);
                if let Ok(sent) = http::send("POST", &format!("http://host.test/{path}"), length) {
                    self.answer(&sent);
                }
            }
            "both" => {
                let (one, two) = (self.request("one", n), self.request("two", n));
                let one = http::send("GET", &format!("http://host.test/{one}"), None);
                let two = http::send("POST", &format!("http://host.test/{two}"), Some(5_000));
                if let (Ok(one), Ok(two)) = (one, two) {
                    let (ready, other) = (one.subscribe(), two.subscribe());
                    let both = wasip2::io::poll::poll(&[&ready, &other]);
                    self.told(!both.is_empty());
                    drop((ready, other));
                    self.answer(&two);
                    self.answer(&one);
                }
            }
            "command" => {
                let text = self.request(verb, n);
                let ran = command::run_command(&command::CommandRequest {
                    program: "echo".to_owned(),
                    args: vec![text],
                    cwd: None,
                });
                self.told(ran);
            }
            "charge" => {
                let text = self.request(verb, n);
                self.told(budget::charge_now(&text, n));
            }
            "remaining" => self.told(budget::remaining()),
            "generate" | "stream" => {
                let text = self.request(verb, n);
                let request = model::GenerateRequest {
                    model: "local/x".to_owned(),
                    messages: vec![model::Message {
                        speaker: model::Speaker::User,
                        text,
                        tool_calls: Vec::new(),
                        answers: None,
                    }],
                    tools: Vec::new(),
                    max_tokens: Some(100),
                    temperature_permille: None,
                    json_schema: None,
                };
                if verb == "generate" {
                    self.told(model::generate(&request));
                } else {
                    match model::generate_stream(&request) {
                        Ok(stream) => {
                            while let Ok(Some(piece)) = stream.next() {
                                self.told(piece);
                            }
                            self.told(stream.finish());
                        }
                        Err(error) => self.told(error),
                    }
                }
            }
            "ask" => {
                let text = self.request(verb, n);
                self.told(question::ask_person(&question::Ask {
                    text,
                    choices: vec!["yes".to_owned(), "no".to_owned()],
                    default_answer: None,
                    timeout_ms: Some(n),
                }));
            }
            _ => {}
        }
    }

    pub fn end(self) -> String {
        format!("{:016x} {}", self.digest, self.requests.join(","))
    }
}
