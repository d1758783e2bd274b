"""A running house for tests: `with House() as h:` starts `posthorn serve` in a folder of its own, on free ports of
127.0.0.1, as whoever runs the test; adds accounts with the tool; takes everything down by process id. No fixed port,
no fixed sleep: every wait polls for what it waits for, with a bound that only a broken server meets.

    h = House(accounts=["alice", "bob"], config="limit connections 50\\n")
    h.start()
    h.deliver("a@far.test", ["bob@demo.test"], "From: a@far.test\\r\\nSubject: x\\r\\n\\r\\nhello\\r\\n")
    h.mailbox("bob")            -> [bytes of each message in INBOX]
    h.pids("judge")             -> [pid]
    h.kill("judge"); h.wait_ready()
    h.stop()

When a test fails, keep() is what a person wants next: the folder with config, logs and data stays, and its path is
printed. POSTHORN_BUILD names the build folder (build-check unless given), POSTHORN_KEEP=1 keeps every folder."""
import contextlib
import imaplib
import json
import os
import random
import resource
import select
import shutil
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTHORN_BUILD") or os.path.join(ROOT, "build-check")
WAIT = 60.0  # seconds until a wait gives up; nothing here normally takes more than one
ROLES = ["edge", "directory", "accounts", "account", "judge", "relay", "resolver", "fetcher", "keys", "journal", "doctor", "reporter"]


class Failure(AssertionError):
    pass


def wait_for(what, condition, seconds=WAIT):
    """Polls until condition() is true and gives that value."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


_held_ports = []


def free_port():
    """A port nobody listens on, below those the kernel gives to outgoing connections. Its socket stays bound (not listening,
    SO_REUSEADDR, so that a peer can listen there at once) until the house starts. Two such sockets can be bound to one port,
    so a name that only one can have stands beside it: neither this test nor another gets the same port."""
    for _ in range(1000):
        port = random.randint(12000, 32000)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            claim.bind(f"\0posthorn-test-port-{port}")
            s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            s.close()
            continue
        _held_ports.extend((claim, s))
        return port
    raise Failure("there is no free port")


def accepts(port, host="127.0.0.1"):
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def make_certificate(folder, name="mail.demo.test"):
    """A self-signed certificate for name, localhost and 127.0.0.1."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return cert, key


def children_of(pid):
    """Process ids of the direct children, from /proc."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def command_of(pid):
    """The program's name without its folder, or ''."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return os.path.basename(f.read().split(b"\0")[0].decode(errors="replace"))
    except OSError:
        return ""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def cpu_seconds(pid):
    """User and system time a process has used."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class House:
    domain = "demo.test"

    def __init__(self, accounts=("alice", "bob"), config="", resolver=None, services=None, data=None, folder=None,
                 plaintext=("submission", "imap"), nofile=None, build=None, watch_ms=None):
        """accounts: local parts in demo.test, or whole addresses. config: lines added to the file. resolver: an
        address@port to forward DNS to; without one, a port where nobody answers. services: {service: port}. nofile: how many
        descriptors each process may have. build: another build folder than BUILD. watch_ms: how often the supervisor looks
        for roles that hang."""
        self.build = build or BUILD
        if not os.path.exists(os.path.join(self.build, "posthorn-supervisor")):
            raise Failure(f"there is no server in {self.build}: build one, or say where with POSTHORN_BUILD")
        self.nofile = nofile
        self.watch = [] if watch_ms is None else ["--watch-ms", str(watch_ms)]
        self.accounts = [a if "@" in a else f"{a}@{self.domain}" for a in accounts]
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="posthorn-test-")
        os.chmod(self.folder, 0o755)
        self.data = data or os.path.join(self.folder, "data")
        self.port = services or {s: free_port() for s in ("smtp", "submission", "submissions", "imap", "imaps")}
        self.password = {a: f"secret-of-{a.split('@')[0]}" for a in self.accounts}
        self.cert, self.key = make_certificate(self.folder)
        self.log_path = os.path.join(self.folder, "log")
        self.config_path = os.path.join(self.folder, "posthorn.conf")
        if resolver is None:
            resolver = f"127.0.0.1@{free_port()}"
        lines = ["hostname mail.demo.test", f"data {self.data}", f"tls {self.cert} {self.key}", f"resolver forward {resolver}"]
        for service, port in self.port.items():
            lines.append(f"listen {service} 127.0.0.1:{port}" + (" plaintext" if service in plaintext else ""))
        if "doctor " not in config:
            lines.append("doctor off")  # no probe, no alert in mailboxes that other tests count
        with open(self.config_path, "w") as f:
            f.write("\n".join(lines) + "\n" + config)
        self.process = None
        self.kept = bool(os.environ.get("POSTHORN_KEEP"))
        self.made = False
        # of the file given, what an ordinary program would be told
        self.tls = ssl.create_default_context(cafile=self.cert)

    # --- life

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.keep()
            self.stop(check=False)
            raise

    def __exit__(self, kind, value, trace):
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            self.keep()
        self.stop(check=kind is None)

    def start(self, wait=True):
        """Starts the server; with wait, returns when it says it is ready and the accounts are there."""
        for s in _held_ports:
            s.close()
        _held_ports.clear()
        ready, say = os.pipe()
        os.set_inheritable(say, True)
        self.log = open(self.log_path, "a")

        def limits():
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.nofile, self.nofile))
        self.process = subprocess.Popen([os.path.join(self.build, "posthorn-supervisor"), "--config", self.config_path,
                                         "--ready-fd", str(say), *self.watch], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        pass_fds=[say], start_new_session=True, preexec_fn=limits if self.nofile else None,
                                        env=self.environment())
        os.close(say)
        self.ready_fd = ready
        if wait:
            self.wait_ready()
        return self

    def environment(self):
        # A locked-in process can neither look for leaks (ptrace) nor start a symbolizer; its report goes to the log.
        return dict(os.environ, POSTHORN_CONFIG=self.config_path, ASAN_OPTIONS="detect_leaks=0:symbolize=0:abort_on_error=0",
                    UBSAN_OPTIONS="print_stacktrace=0:symbolize=0")

    def wait_ready(self):
        if self.ready_fd is not None:
            fd, self.ready_fd = self.ready_fd, None
            end = time.monotonic() + WAIT
            said = b""
            while b"\n" not in said:
                if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                    raise Failure("the server did not become ready:\n" + self.log_tail())
                part = os.read(fd, 100)
                if not part:
                    raise Failure("the server ended before it was ready:\n" + self.log_tail())
                said += part
            os.close(fd)
        for port in self.port.values():
            wait_for(f"port {port} answers", lambda p=port: accepts(p))
        if not self.made:
            self.made = True
            for d in sorted({a.split("@")[1] for a in self.accounts}):
                self.tool("domain", "add", d)
            for a in self.accounts:
                self.tool("account", "add", a, "--stdin", text=self.password[a] + "\n")

    def wait_whole(self):
        """Every role runs (again), and answers."""
        wait_for("all roles run", lambda: all(self.pids(r) for r in ROLES))
        wait_for("posthorn status answers", lambda: self.tool("status", check=False).returncode == 0)

    def stop(self, check=True):
        """Ends the server: asks first, then does not. Complains about sanitizer reports."""
        if self.process is None:
            self.remove()
            return
        p, self.process = self.process, None
        family = self.family(p.pid)
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                self.keep()
        for pid in family + [p.pid]:
            with contextlib.suppress(OSError):
                if command_of(pid).startswith("posthorn"):
                    os.kill(pid, signal.SIGKILL)
        p.wait()
        self.log.close()
        if self.ready_fd is not None:
            os.close(self.ready_fd)
            self.ready_fd = None
        reports = self.sanitizer_reports()
        if reports:
            self.keep()
        self.remove()
        if check and reports:
            raise Failure("a sanitizer found something:\n" + reports)
        if check and p.returncode not in (0,):
            raise Failure(f"the server ended with {p.returncode}:\n" + self.log_tail())

    def remove(self):
        if self.own_folder and not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self):
        if not self.kept:
            self.kept = True
            print(f"kept for you: {self.folder}\n{self.log_tail()}", flush=True)

    def log_tail(self, lines=25):
        try:
            with open(self.log_path, errors="replace") as f:
                return "".join("    " + l for l in f.readlines()[-lines:])
        except OSError:
            return ""

    def sanitizer_reports(self):
        """What AddressSanitizer, UBSan or must() said, with the lines behind it."""
        out, left = [], 0
        with contextlib.suppress(OSError), open(self.log_path, errors="replace") as f:
            for l in f:
                if any(w in l for w in ("runtime error:", "ERROR: AddressSanitizer", "broken promise")):
                    left = 25
                if left > 0 and len(out) < 200:
                    out.append(l.rstrip())
                left -= 1
        return "\n".join(out)

    # --- processes

    def family(self, pid=None):
        """The supervisor's descendants."""
        found, look = [], [pid or self.process.pid]
        while look:
            for c in children_of(look.pop()):
                found.append(c)
                look.append(c)
        return found

    def pids(self, role):
        """Processes of a role that run. For "account": the mother and her children (see mother())."""
        return [p for p in self.family() if command_of(p) == f"posthorn-{role}" and alive(p)]

    def kill(self, role, how=signal.SIGKILL):
        pids = self.pids(role)
        for p in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, how)
        return pids

    # --- the tool

    def tool(self, *args, text=None, check=True, timeout=WAIT):
        r = subprocess.run([os.path.join(self.build, "posthorn"), *args], input=text if text is not None else "",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, env=self.environment())
        if check and r.returncode:
            raise Failure(f"posthorn {' '.join(args)} ended with {r.returncode}: {r.stderr}{r.stdout}")
        return r

    def tool_json(self, *args):
        """Every JSON value the tool prints with --json."""
        out = self.tool(*args, "--json").stdout
        decoder, values, at = json.JSONDecoder(), [], 0
        while True:
            while at < len(out) and out[at].isspace():
                at += 1
            if at >= len(out):
                return values
            value, at = decoder.raw_decode(out, at)
            values.append(value)

    def trace(self, what):
        return self.tool("trace", what).stdout

    def journal_holds(self, text):
        """Do these bytes lie in the journal's files? For events that no trace of a message shows."""
        folder = os.path.join(self.data, "journal")
        for name in os.listdir(folder):
            with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as f:
                if text in f.read():
                    return True
        return False

    # --- mail

    def smtp(self, service="smtp", user=None, starttls=False, timeout=30):
        """A connected smtplib client; logged in as user when given."""
        name = "client.far.test"
        if service == "submissions":
            c = smtplib.SMTP_SSL("127.0.0.1", self.port[service], name, context=self.tls, timeout=timeout)
        else:
            c = smtplib.SMTP("127.0.0.1", self.port[service], name, timeout=timeout)
        c.ehlo(name)
        if starttls:
            c.starttls(context=self.tls)
            c.ehlo(name)
        if user:
            a = user if "@" in user else f"{user}@{self.domain}"
            c.login(a, self.password[a])
        return c

    def deliver(self, sender, recipients, message, **how):
        """Sends one message; the reply codes of refused recipients as smtplib gives them."""
        c = self.smtp(**how)
        try:
            return c.sendmail(sender, recipients, message)
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                c.quit()

    def imap(self, user, service="imap", timeout=30):
        a = user if "@" in user else f"{user}@{self.domain}"
        if service == "imaps":
            c = imaplib.IMAP4_SSL("127.0.0.1", self.port[service], ssl_context=self.tls, timeout=timeout)
        else:
            c = imaplib.IMAP4("127.0.0.1", self.port[service], timeout=timeout)
        c.login(a, self.password[a])
        return c

    def mailbox(self, user, folder="INBOX", what="BODY.PEEK[]"):
        """The messages of a folder, or what is asked of them, in order."""
        c = self.imap(user)
        try:
            kind, data = c.select(folder, readonly=True)
            if kind != "OK":
                raise Failure(f"SELECT {folder}: {data}")
            if int(data[0]) == 0:
                return []
            kind, data = c.fetch("1:*", f"({what})")
            if kind != "OK":
                raise Failure(f"FETCH: {data}")
            return [d[1] for d in data if isinstance(d, tuple)]
        finally:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                c.logout()

    def wait_mail(self, user, count, folder="INBOX"):
        """Waits until the folder holds count messages and gives them."""
        return wait_for(f"{count} messages for {user}",
                        lambda: (lambda m: m if len(m) >= count else None)(self.mailbox(user, folder)))


def have(program):
    """For @unittest.skipUnless(*have("swaks"))."""
    return shutil.which(program) is not None, f"{program} is not installed"


def is_root():
    return os.geteuid() == 0
