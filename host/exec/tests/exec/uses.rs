//! What contained commands can do: a fence that nobody can work behind is taken down.

use crate::kit::{Place, cmd, have, in_workspace, runtime};
use sandgate_exec::{Ending, Part, Runner};
use std::fs;

fn both(place: &Place) -> [(&'static str, Runner); 2] {
    let less = place.containment().without(&[Part::PidNamespace]);
    [
        ("namespaces", place.runner()),
        (
            "filtered",
            Runner::with_containment(place.config.clone(), less),
        ),
    ]
}

#[test]
fn ordinary_work_gets_done() {
    if !have(&["git", "npm", "node", "make", "python3", "sh", "cc"]) {
        return;
    }
    let place = Place::new();
    let mut done = 0;
    for (level, runner) in both(&place) {
        let ws = place.workspace(level);
        let write = |name: &str, text: &str| {
            let path = ws.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "Makefile",
            "all: a b\na b:\n\t@echo $@ > $@.out; sleep 0.05\n",
        );
        write(
            "package.json",
            r#"{"name":"x","version":"1.0.0","scripts":{"test":"node t.js"}}"#,
        );
        write(
            "t.js",
            "const {execSync, spawn, fork} = require('child_process'); const w = require('worker_threads');\n\
             if (process.argv[2]) { process.send('ok'); process.exit(0); }\n\
             console.log(execSync('echo child').toString());\n\
             fork(__filename, ['x']).on('message', m => console.log(m));\n\
             new w.Worker('1', {eval: true});\n\
             new WebAssembly.Memory({initial: 1, maximum: 65536});\n",
        );
        write(
            "test_x.py",
            "import unittest, subprocess, threading, tempfile\n\
             class T(unittest.TestCase):\n    def test(self):\n        t = threading.Thread(target=print); t.start(); t.join()\n\
             \x20       tempfile.NamedTemporaryFile(); self.assertEqual(subprocess.check_output(['echo', 'x']), b'x\\n')\n",
        );
        write(
            "rs/Cargo.toml",
            "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
        );
        write(
            "rs/src/lib.rs",
            "#[test]\nfn t() { std::thread::spawn(|| ()).join().unwrap(); }\n",
        );
        let commands = [
            cmd("git", &["init", "-q", "repo"]),
            cmd(
                "git",
                &[
                    "-C",
                    "repo",
                    "-c",
                    "user.name=t",
                    "-c",
                    "user.email=t@example.com",
                    "commit",
                    "-q",
                    "--allow-empty",
                    "-m",
                    "a b",
                ],
            ),
            cmd("make", &["-j2"]),
            cmd("npm", &["test", "--offline"]),
            cmd("python3", &["-m", "unittest", "test_x"]),
            cmd(
                "cargo",
                &[
                    "test",
                    "--offline",
                    "--quiet",
                    "--manifest-path",
                    "rs/Cargo.toml",
                ],
            ),
            cmd(
                "sh",
                &[
                    "-c",
                    "t=$(mktemp) && echo x > $t && sort $t | uniq | wc -l && mkfifo $TMPDIR/p && test -w $HOME && nproc && id && date && umask",
                ],
            ),
            cmd(
                "bash",
                &[
                    "-c",
                    "cat <(echo x) <<< y && echo z > /dev/null && head -c 8 /dev/urandom | wc -c && sleep 0.01 & wait",
                ],
            ),
        ];
        for command in commands {
            let end = runtime()
                .block_on(runner.run(command.permit(true), in_workspace(&ws)))
                .unwrap();
            assert_eq!(
                end.ending,
                Ending::Exit(0),
                "{level}: {} {:?}\n{}\n{}",
                command.program,
                command.args,
                String::from_utf8_lossy(&end.stdout),
                String::from_utf8_lossy(&end.stderr)
            );
            done += 1;
        }
        assert!(ws.join("a.out").exists() && ws.join("repo/.git").exists());
    }
    println!("{done} ordinary commands done, behind both fences");
}

/// Shared memory of its own, where there are namespaces.
#[test]
fn semaphores_work_in_a_namespace() {
    let place = Place::new();
    let text = "import multiprocessing as m; l = m.Lock(); p = m.Process(target=l.acquire); p.start(); p.join(); print(p.exitcode)";
    let run = place.runner().run(
        cmd("python3", &["-c", text]).permit(false),
        Default::default(),
    );
    let end = runtime().block_on(run).unwrap();
    assert_eq!(
        end.stdout,
        b"0\n",
        "{}",
        String::from_utf8_lossy(&end.stderr)
    );
}

/// The calls that open doors are refused, each by its number, with the answer that programs can live with.
// The numbers are those of x86-64.
#[cfg(target_arch = "x86_64")]
#[test]
fn calls_that_open_doors_are_refused() {
    let place = Place::new();
    let text = r"
import ctypes, os, socket, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(name, n, *args):
    ctypes.set_errno(0)
    r = libc.syscall(n, *args)
    print(name, 'passed' if r >= 0 else errno.errorcode[ctypes.get_errno()])
call('ptrace', 101, 0, 0, 0, 0)
call('process_vm_readv', 310, os.getpid(), 0, 0, 0, 0, 0)
call('mount', 165, b'/', b'/', 0, 4096, 0)
call('umount', 166, b'/proc', 2)
call('pivot_root', 155, b'/', b'/')
call('chroot', 161, b'/')
call('unshare-user', 272, 0x10000000)
call('unshare-files', 272, 0x400)
call('setns', 308, 0, 0)
call('clone-user', 56, 0x10000000 | 17, 0, 0, 0, 0)
call('clone-time', 56, 0x80 | 17, 0, 0, 0, 0)
call('clone3', 435, 0, 0)
call('keyctl', 250, 0, 0)
call('add_key', 248, 0, 0, 0, 0, 0)
call('bpf', 321, 0, 0, 0)
call('perf_event_open', 298, 0, 0, 0, 0, 0)
call('io_uring_setup', 425, 1, 0)
call('userfaultfd', 323, 0)
call('kexec_load', 246, 0, 0, 0, 0)
call('init_module', 175, 0, 0, 0)
call('open_by_handle_at', 304, 0, 0, 0)
call('prlimit-other', 302, 1, 7, 0, 0)
call('socket-inet', 41, 2, 1, 0)
call('socket-unix', 41, 1, 1, 0)
call('socket-netlink', 41, 16, 3, 0)
call('socket-vsock', 41, 40, 1, 0)
pair = (ctypes.c_int * 2)()
call('socketpair-dgram', 53, 1, 2, 0, pair)
call('socketpair-dgram-cloexec', 53, 1, 2 | 0o2000000, 0, pair)
call('x32-getpid', 0x40000000 | 39)
call('x32-socket', 0x40000000 | 41, 2, 1, 0)
call('tiocsti', 16, 0, 0x5412, 0)
call('mknod', 133, b'dev', 0o020666, 0x103)
call('prlimit-own', 302, 0, 7, 0, 0)
call('socketpair-stream', 53, 1, 1 | 0o2000000, 0, pair)
print('new privileges', [l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNewPrivs')][0])
print('capabilities', [l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')][0])
print('permitted', [l.split()[1] for l in open('/proc/self/status') if l.startswith('CapPrm')][0])
";
    let ws = place.workspace("ws");
    fs::write(ws.join("calls.py"), text).unwrap();
    let run = place.runner().run(
        cmd("python3", &["calls.py"]).permit(true),
        in_workspace(&ws),
    );
    let end = runtime().block_on(run).unwrap();
    let out = String::from_utf8_lossy(&end.stdout).into_owned();
    let unknown = ["clone3", "io_uring_setup", "x32-getpid", "x32-socket"];
    let passed = ["prlimit-own", "socketpair-stream"];
    let mut refused = 0;
    for line in out.lines() {
        let (name, got) = line.rsplit_once(' ').unwrap();
        let wanted = match name {
            "new privileges" => "1",
            "capabilities" | "permitted" => "0000000000000000",
            _ if unknown.contains(&name) => "ENOSYS",
            _ if passed.contains(&name) => "passed",
            "unshare-files" => "EPERM",
            _ if name.starts_with("socket") || name == "mknod" => "EACCES",
            _ => "EPERM",
        };
        // Making a device fails before Landlock is asked where there is no capability.
        let fine = got == wanted || (name == "mknod" && got == "EPERM");
        assert!(fine, "{line}, not {wanted}\n{out}");
        refused += usize::from(got.starts_with('E'));
    }
    assert_eq!(
        out.lines().count(),
        37,
        "{out}{}",
        String::from_utf8_lossy(&end.stderr)
    );
    println!("{refused} calls that open doors: all refused");
}
