"""DKIM with others, both ways: what OpenDKIM and dkimpy sign we verify, what we sign they verify, over real messages from the public
vectors and made ones; and where an octet of a signed message was changed, dkimpy and we say the same.

OpenDKIM runs as a milter, spoken to by the small client below; it verifies with opendkim -t. Keys are in files: nobody asks the DNS."""
import base64
import glob
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian puts dkimpy, whichever Python runs this
try:
    import dkim as dkimpy
except ImportError:
    dkimpy = None

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTHORN_BUILD", os.path.join(ROOT, "build"))
RUN = os.path.join(BUILD, "test", "vectors", "dkim_run")
VECTORS = os.path.join(ROOT, "..", "shared", "vectors")
OPENDKIM = shutil.which("opendkim") or shutil.which("opendkim", path="/usr/sbin")
HEAD = b"From: Alice <alice@example.org>\nTo: bob@example.net\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@example.org>\n"
MADE = [
    HEAD + b"Subject: plain\n\nHello.\n",
    HEAD + b"Subject:  two  blanks\n\tand \n a fold \n\nA  line \t\n \t\n\n  indented\n\n\n",
    HEAD + b"Subject: empty body\n\n",
    HEAD + b"Subject: only lines\n\n\n\n",
    HEAD + b"Subject: only blanks\n\n \n\t\n",
    HEAD + b"Subject: no line end\n\nlast line",
    HEAD + b"Subject:\nX-Empty: \nCc : spaced@example.net\n\n=20text=20\n",
    HEAD + "Subject: j\u00f6rg\n\nk\u00e4se\n".encode(),
    HEAD + b"Subject: long\n\n" + b"word " * 30000 + b"\n" + b"x" * 5000 + b"\n",
]
REAL_MAX = 60


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\n", b"\r\n")


def real_messages():
    """Messages with a From field that are small enough to be quick."""
    out = []
    for path in sorted(glob.glob(os.path.join(VECTORS, "mime-*", "**", "*"), recursive=True)):
        if os.path.isfile(path) and 200 < os.path.getsize(path) < 60000 and not path.endswith((".md", ".txt", ".json", ".out", ".xml")):
            with open(path, "rb") as f:
                data = f.read()
            header = data.replace(b"\r\n", b"\n").split(b"\n\n")[0]
            if b"\0" not in data and header.lower().startswith(b"from:") or b"\nfrom:" in header.lower():
                out.append(crlf(data))
    step = max(1, len(out) // REAL_MAX)
    return out[::step][:REAL_MAX]


class Keys:
    """Two keys, made by us, in every form that somebody wants."""

    def __init__(self, folder):
        self.folder = folder
        self.records, self.pem = {}, {}
        for selector, kind in (("r", "rsa"), ("e", "ed25519")):
            self.pem[selector] = os.path.join(folder, selector + ".pem")
            made = subprocess.run([RUN, "key", kind, self.pem[selector]], capture_output=True, text=True, check=True)
            os.chmod(self.pem[selector], 0o600)
            self.records[selector] = made.stdout.strip()
        self.zone = os.path.join(folder, "zone")
        with open(self.zone, "w") as f:
            for s, record in self.records.items():
                f.write(f'{s}._domainkey.example.org TXT "{record[:200]}" "{record[200:]}"\n')
        self.public = os.path.join(folder, "public")
        with open(self.public, "w") as f:
            for s, record in self.records.items():
                f.write(f"{s}._domainkey.example.org {record}\n")
        der = base64.b64decode("".join(open(self.pem["e"]).read().split("\n")[1:-2]))
        self.seed = base64.b64encode(der[-32:])
        self.rsa = subprocess.run(["openssl", "rsa", "-traditional", "-in", self.pem["r"]], capture_output=True, check=True).stdout

    def dns(self, name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        record = self.records.get(name.split(".")[0])
        return record.encode() if record else None

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def sign(self, message, selectors="re"):
        """By us. None when we refuse: the header block is none."""
        path = self.write("unsigned", message)
        r = subprocess.run([RUN, "sign", "example.org", str(int(time.time())), "0", path] + [f"{s}={self.pem[s]}" for s in selectors],
                           capture_output=True, timeout=60)
        if r.returncode == 1 and b"denied" in r.stderr:
            return None
        if r.returncode:
            raise AssertionError(r.stderr.decode("latin-1"))
        return r.stdout

    def verify(self, messages):
        """By us: the first result of each message, and its reason."""
        paths = [self.write(f"in{i}", m) for i, m in enumerate(messages)]
        r = subprocess.run([RUN, "verify", self.zone, str(int(time.time())), "0"] + paths, capture_output=True, text=True, timeout=120)
        if r.returncode:
            raise AssertionError(r.stderr)
        out = []
        for line in r.stdout.splitlines():
            if line.startswith("= "):
                out.append(("none", ""))
            elif out[-1] == ("none", ""):
                f = line.split("\t")
                out[-1] = (f[0], f[6])
        return out


class Milter:
    """opendkim as a signing milter, and as much of the milter protocol as handing it a message needs."""

    def __init__(self, keys, selector, canon):
        self.socket = os.path.join(keys.folder, "milter")
        key = keys.write("key-table", f"key example.org:{selector}:{keys.pem[selector]}\n".encode())
        who = keys.write("signing-table", b"* key\n")
        conf = keys.write("opendkim.conf", (
            f"Mode s\nKeyTable {key}\nSigningTable refile:{who}\nCanonicalization {canon}\n"
            f"SignatureAlgorithm {'rsa' if selector == 'r' else 'ed25519'}-sha256\nSocket local:{self.socket}\nSyslog no\n"
            f"RequireSafeKeys no\nInternalHosts 0.0.0.0/0\n").encode())
        self.process = subprocess.Popen([OPENDKIM, "-f", "-x", conf], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + 20
        while True:
            self.s = socket.socket(socket.AF_UNIX)
            try:
                self.s.connect(self.socket)
                break
            except OSError:
                self.s.close()
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("opendkim does not start: " + self.process.stderr.read().decode("latin-1"))
                time.sleep(0.02)
        self.s.settimeout(20)
        # version 6; all actions; none of the steps may be left out, but replies to header and body are not needed if it says so
        self.steps = struct.unpack("!III", self.ask(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF))[1][:12])[2]
        self.blanks = bool(self.steps & 0x100000)  # header values keep the blanks in front
        self.step(b"C", b"client.example.org\0" + b"4" + struct.pack("!H", 25) + b"192.0.2.1\0")
        self.step(b"H", b"client.example.org\0")

    def send(self, command, data=b""):
        self.s.sendall(struct.pack("!I", 1 + len(data)) + command + data)

    def read(self, n):
        out = b""
        while len(out) < n:
            piece = self.s.recv(n - len(out))
            if not piece:
                raise AssertionError("opendkim hung up")
            out += piece
        return out

    def receive(self):
        packet = self.read(struct.unpack("!I", self.read(4))[0])
        return packet[:1], packet[1:]

    def ask(self, command, data=b""):
        self.send(command, data)
        return self.receive()

    # step: the bit that says it is not wanted, and the one that says it is not answered
    QUIET = {b"C": (0x1, 0x1000), b"H": (0x2, 0x2000), b"M": (0x4, 0x4000), b"R": (0x8, 0x8000), b"T": (0x200, 0x10000), b"L": (0x20, 0x80),
             b"N": (0x40, 0x40000), b"B": (0x10, 0x80000)}

    def step(self, command, data=b""):
        skip, quiet = self.QUIET[command]
        """False: it does not want this message."""
        if self.steps & skip:
            return True
        if self.steps & quiet:
            self.send(command, data)
            return True
        code, _ = self.ask(command, data)
        if code == b"s":
            self.skip_body = True
        elif code not in (b"c", b"a"):
            raise AssertionError(f"opendkim answers {code} to {command}")
        return code != b"a"

    def sign(self, message):
        """The message with the fields that opendkim adds in front."""
        header, _, body = message.partition(b"\r\n\r\n")
        fields = []
        for line in header.split(b"\r\n"):
            if line[:1] in (b" ", b"\t"):
                fields[-1] += b"\n" + line
            else:
                fields.append(line)
        self.step(b"M", b"<alice@example.org>\0")
        self.step(b"R", b"<bob@example.net>\0")
        self.step(b"T")
        for f in fields:
            name, _, value = f.partition(b":")
            if not self.blanks and value[:1] == b" ":
                value = value[1:]
            if not self.step(b"L", name + b"\0" + value + b"\0"):
                return message
        if not self.step(b"N"):
            return message
        self.skip_body = False
        for at in range(0, len(body), 65535):
            if not self.skip_body:
                self.step(b"B", body[at:at + 65535])
        self.send(b"E")
        added = b""
        while True:
            code, data = self.receive()
            if code in b"ih":
                name, value = (data[4:] if code == b"i" else data).split(b"\0")[:2]
                added += name + (b":" if self.blanks else b": ") + value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n"
            elif code in b"ac":
                break
            else:
                raise AssertionError(f"opendkim answers {code} {data}")
        return added + message

    def close(self):
        self.s.close()
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="posthorn-dkim-")
        cls.keys = Keys(cls.folder)
        cls.messages = [crlf(m) for m in MADE] + real_messages()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    # our own rules, by which a signature that others made may be refused here
    OURS = ("junk in header", "field that is not signed", "too many header fields")

    def assert_ours(self, signed, what):
        """We verify all; what we refuse by our own rules is little."""
        refused = 0
        for m, (result, reason) in zip(signed, self.keys.verify(signed)):
            if result != "pass" and any(o in reason for o in self.OURS):
                refused += 1
            elif result != "pass":
                self.fail(f"{what}: {result}: {reason}\n{m[:3000].decode('latin-1')}")
        self.assertLess(refused, len(signed) // 4 + 1, what)


@unittest.skipIf(dkimpy is None, "there is no dkimpy (python3-dkim)")
class Dkimpy(Base):
    def test_we_verify_theirs(self):
        for selector, algorithm, key in (("r", b"rsa-sha256", self.keys.rsa), ("e", b"ed25519-sha256", self.keys.seed)):
            for header in (b"relaxed", b"simple"):
                for body in (b"relaxed", b"simple"):
                    signed = []
                    for m in self.messages:
                        try:
                            field = dkimpy.sign(m, selector.encode(), b"example.org", key, canonicalize=(header, body), signature_algorithm=algorithm)
                        except Exception:
                            continue  # a header that it cannot read
                        signed.append(field + m)
                    self.assertGreater(len(signed), len(MADE) - 1)
                    self.assert_ours(signed, f"{algorithm} {header} {body}")

    def test_they_verify_ours(self):
        signed = 0
        for m in self.messages:
            s = self.keys.sign(m)
            if s is None:
                continue
            try:
                d = dkimpy.DKIM(s)
            except dkimpy.MessageFormatError:
                continue  # blanks before a colon, which RFC 5322 §4.5 lets stand
            signed += 1
            for i in (0, 1):
                self.assertTrue(d.verify(idx=i, dnsfunc=self.keys.dns), s[:3000])
        self.assertGreater(signed, len(self.messages) * 3 // 4)

    def test_changes(self):
        """Every octet that is no line end, changed: the same verdict."""
        m = crlf(MADE[1])
        agreed = {"pass": 0, "other": 0}
        for canon in (b"relaxed", b"relaxed"), (b"simple", b"simple"):
            s = dkimpy.sign(m, b"e", b"example.org", self.keys.seed, canonicalize=canon, signature_algorithm=b"ed25519-sha256") + m
            changed = []
            for i in range(s.index(b"From:"), len(s)):
                for c in (b" ", b"x", b"\t", bytes([s[i] ^ 0x20])):
                    if s[i:i + 1] not in (b"\r", b"\n") and c not in (s[i:i + 1], b"\r", b"\n", b"\0"):
                        changed.append(s[:i] + c + s[i + 1:])
            for at in range(0, len(changed), 500):
                part = changed[at:at + 500]
                for one, (result, reason) in zip(part, self.keys.verify(part)):
                    try:
                        theirs = dkimpy.verify(one, dnsfunc=self.keys.dns)
                    except Exception:
                        theirs = False
                    if "junk in header" in reason:
                        continue
                    if (result == "pass") != theirs:
                        self.fail(f"we say {result} ({reason}), dkimpy {theirs}:\n{one.decode('latin-1')!r}")
                    agreed["pass" if theirs else "other"] += 1
        self.assertGreater(agreed["pass"], 20)
        self.assertGreater(agreed["other"], 500)


@unittest.skipIf(OPENDKIM is None, "there is no opendkim")
class OpenDkim(Base):
    @staticmethod
    def has_domain(message):
        header = message.split(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
        return any(b"@" in line for line in header.split(b"\r\n") if line.lower().startswith(b"from"))

    def theirs(self, messages):
        conf = self.keys.write("verify.conf", f"TestPublicKeys {self.keys.public}\n".encode())
        paths = [self.keys.write(f"signed{i}", m) for i, m in enumerate(messages)]
        r = subprocess.run([OPENDKIM, "-x", conf, "-t", ",".join(paths)], capture_output=True, text=True, timeout=120)
        said = r.stdout + r.stderr
        for p, m in zip(paths, messages):
            line = [x for x in said.splitlines() if p + ":" in x]
            if not line or "succeeded" not in line[0]:
                self.fail(f"{line} {said[-500:]}\n{m[:3000].decode('latin-1')}")

    def test_they_verify_ours(self):
        for selector in ("r", "e"):  # it reports one signature of a message, so one of them at a time
            # it reads lines: a file without the last line end is none that it knows
            # nor does it look at a message whose From has no domain
            signed = [s for s in (self.keys.sign(m, selector) for m in self.messages if self.has_domain(m))
                      if s is not None and s.endswith(b"\r\n")]
            self.assertGreater(len(signed), len(self.messages) // 2)
            self.theirs(signed)

    def test_we_verify_theirs(self):
        for selector in ("r", "e"):
            for canon in ("relaxed/relaxed", "relaxed/simple", "simple/simple", "simple/relaxed"):
                if selector == "e" and canon.startswith("simple"):
                    continue  # 2.11 makes these so that neither dkimpy nor its own verifier takes them
                milter = Milter(self.keys, selector, canon)
                try:
                    signed = []
                    for m in self.messages:
                        # a header block that we would not sign is none that an SMTP server hands to a milter as it is; and with
                        # simple bodies that do not end in a line end, which SMTP cannot bring, OpenDKIM departs from RFC 6376 §3.4.3
                        if self.keys.sign(m, "e") is None or not m.endswith(b"\r\n"):
                            continue
                        s = milter.sign(m)
                        if b"DKIM-Signature" in s[:len(s) - len(m)]:
                            signed.append(s)
                finally:
                    milter.close()
                self.assertGreater(len(signed), len(self.messages) // 2)
                self.assert_ours(signed, f"{selector} {canon}")


if __name__ == "__main__":
    unittest.main()
