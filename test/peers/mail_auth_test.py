"""Who sent this, against programs that are not ours: a whole Postfix with OpenDKIM as its signer sends to us, and a whole Postfix
with OpenDKIM and OpenDMARC as its judges receives from us. The DNS is Knot; our keys are made by the house itself and sign when it
has seen their records.

OpenDMARC asks whomever /etc/resolv.conf names, on port 53. So Knot listens there on a loopback address of the test's own, and the
milters are started with a resolv.conf of their own (a private mount)."""
import os
import random
import re
import shutil
import smtplib
import socket
import socketserver
import subprocess
import tempfile
import threading
import unittest

from harness.house import House, free_port, have, is_root, wait_for
from judge_test import mail, make_key, txt, unfolded
from knot import Knot
from postfix import Postfix
from rotation_test import BOTH, Zone, checked, keys, record_name, states

SIGNED = ("peer.test", "strict.test", "loose.test")
SPF = {"peer.test": "v=spf1 ip4:127.0.0.1 -all"}  # the others allow nobody: their DKIM signature has to do


def needs(test):
    """Everything that a real peer is made of."""
    for program in ("postfix", "opendkim", "opendmarc", "knotd", "unshare", "openssl"):
        test = unittest.skipUnless(*have(program))(test)
    return unittest.skipUnless(is_root(), "Postfix starts as root only")(test)


def knot_at_53(more):
    """Knot on port 53 of a loopback address that nobody else has."""
    for _ in range(100):
        address = "127.%d.%d.%d" % tuple(random.randint(1, 254) for _ in range(3))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind((address, 53))
            except OSError:
                continue
        k = Knot(listen=address, more=more)
        with open(k.conf) as f:
            text = f.read()
        with open(k.conf, "w") as f:
            f.write(text.replace(k.address, f"{address}@53"))
        k.port, k.address = 53, f"{address}@53"
        return k
    raise AssertionError("port 53 is free on no loopback address")


class Milter:
    """opendkim or opendmarc on a port of its own, with the name server of the test as its only one."""

    def __init__(self, program, conf, name_server, files=()):
        self.program, self.port = program, free_port()
        self.folder = tempfile.mkdtemp(prefix="posthorn-milter-")
        for name, text in files:
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(text.format(d=self.folder))
            os.chmod(os.path.join(self.folder, name), 0o600)
        with open(os.path.join(self.folder, "resolv.conf"), "w") as f:
            f.write(f"nameserver {name_server}\n")
        self.conf = os.path.join(self.folder, "conf")
        with open(self.conf, "w") as f:
            f.write(f"Socket inet:{self.port}@127.0.0.1\nSyslog false\n" + conf.format(d=self.folder, dns=name_server))

    def __enter__(self):
        option = "-x" if self.program == "opendkim" else "-c"
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"mount --bind {self.folder}/resolv.conf /etc/resolv.conf && "
             f"exec {self.program} -f {option} {self.conf}"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_for(f"{self.program} answers", self.answers)
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.program} ended with {self.process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2):
                return True
        except OSError:
            return False

    def __exit__(self, kind, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if kind:
            with open(os.path.join(self.folder, "log"), errors="replace") as f:
                print(f"what {self.program} said:\n" + f.read()[-3000:], flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Wire:
    """A way between two SMTP servers on which one octet can change: `old` becomes `new`, of the same length."""

    def __init__(self):
        self.to, self.change = None, None
        wire = self

        class Talk(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection(("127.0.0.1", wire.to), timeout=60) as there:
                    back = threading.Thread(target=wire.pump, args=(there, self.request, None), daemon=True)
                    back.start()
                    wire.pump(self.request, there, wire.change)
                    back.join(60)
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def pump(a, b, change):
        """Whole lines only, so that what is to be changed is never in two pieces."""
        held = b""
        try:
            while piece := a.recv(65536):
                held += piece
                whole = len(held) if change is None else held.rfind(b"\n") + 1
                b.sendall(held[:whole].replace(*change) if change else held[:whole])
                held = held[whole:]
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@needs
class TheySend(unittest.TestCase):
    """Postfix, signed by OpenDKIM."""

    @classmethod
    def setUpClass(cls):
        cls.stack = []
        pem, p = make_key()
        key = txt("v=DKIM1; k=rsa; p=" + p)
        zone = '@ 60 TXT "{spf}"\n_dmarc 60 TXT "v=DMARC1; p={policy}"\nk._domainkey 60 TXT {key}\n'
        policy = {"loose.test": "none"}
        cls.knot = cls.enter(knot_at_53({"test": ""} | {
            d: zone.format(spf=SPF.get(d, "v=spf1 -all"), policy=policy.get(d, "reject"), key=key) for d in SIGNED}))
        cls.house = cls.enter(House(accounts=["alice"], resolver=cls.knot.address))
        cls.wire = Wire()
        cls.wire.to = cls.house.port["smtp"]
        cls.signer = cls.enter(Milter("opendkim", (
            "Mode s\nCanonicalization relaxed/simple\nKeyTable {d}/keys\nSigningTable refile:{d}/who\nRequireSafeKeys no\n"
            "InternalHosts 127.0.0.1\nOversignHeaders From\n"), cls.knot.address.split("@")[0], [
                ("pem", pem.decode()), ("who", "".join(f"*@{d} {d}\n" for d in SIGNED)),
                ("keys", "".join(f"{d} {d}:k:{{d}}/pem\n" for d in SIGNED))]))
        cls.peer = cls.enter(Postfix(relay_to=cls.wire.port, more=(
            f"smtpd_milters = inet:127.0.0.1:{cls.signer.port}\nmilter_default_action = tempfail\nsmtp_tls_security_level = none\n")))

    @classmethod
    def enter(cls, thing):
        thing.__enter__()
        cls.stack.append(thing)
        return thing

    @classmethod
    def tearDownClass(cls):
        for thing in reversed(cls.stack):
            thing.__exit__(None, None, None)
        cls.wire.close()

    def setUp(self):
        self.wire.change = None

    def send(self, author, subject, change=None):
        self.wire.change = change
        with smtplib.SMTP("127.0.0.1", self.peer.port, timeout=30) as c:
            c.sendmail("eve@peer.test", ["alice@demo.test"], mail(author, subject))

    def got(self, subject):
        m = wait_for(f"{subject} arrives", lambda: next(
            (m.decode() for m in self.house.mailbox("alice") if f"Subject: {subject}\r\n" in m.decode()), None))
        results = re.findall(r"(?m)^Authentication-Results: (.*)$", unfolded(m))
        self.assertTrue(results and results[0].startswith("mail.demo.test;"), m)
        return results[0]

    def test_pass(self):
        self.send("eve@peer.test", "theirs")
        self.assertRegex(self.got("theirs"), r"spf=pass .*smtp\.mailfrom=.*peer\.test.*dkim=pass .*header\.d=peer\.test.*dmarc=pass "
                                             r".*header\.from=peer\.test")

    def test_dkim_alone(self):
        """SPF is for another domain, so that DMARC has their signature and nothing else."""
        self.send("eve@strict.test", "alone")
        self.assertRegex(self.got("alone"), r"dkim=pass .*header\.d=strict\.test.*dmarc=pass .*header\.from=strict\.test")

    def test_changed_on_the_way(self):
        self.send("eve@loose.test", "watched", (b"hello watched", b"hallo watched"))
        self.assertRegex(self.got("watched"), r"dkim=fail .*header\.d=loose\.test.*dmarc=fail .*header\.from=loose\.test")

    def test_changed_and_refused(self):
        self.send("eve@strict.test", "refused", (b"hello refused", b"hallo refused"))
        bounce = wait_for("Postfix tells its sender", lambda: next(
            (m.decode() for m in self.peer.mailbox("eve") if b"Subject: refused" in m), None))
        self.assertIn("Status: 5.7.1", bounce)
        self.assertRegex(" ".join(bounce.split()), r"550[ -]5\.7\.1 .*strict\.test.*DMARC")
        self.assertNotIn("Subject: refused", " ".join(m.decode() for m in self.house.mailbox("alice")))
        self.assertIn("DKIM fail", " ".join(self.house.trace("refused@far.test").split()))


@needs
class WeSend(unittest.TestCase):
    """Postfix, with OpenDKIM and OpenDMARC as its judges."""

    @classmethod
    def setUpClass(cls):
        cls.stack = []
        cls.enter = TheySend.enter.__func__.__get__(cls)
        cls.knot = cls.enter(knot_at_53({"test": "", "peer.test": '@ 60 TXT "v=spf1 -all"\n'
                                                  '_dmarc 60 TXT "v=DMARC1; p=none; fo=1; ruf=mailto:eve@peer.test"\n', "demo.test": ""}))
        dns = cls.knot.address.split("@")[0]
        nobody = [("none", "192.0.2.1\n")]  # by default they do not look at what comes from 127.0.0.1
        # libunbound answers for "test." by itself, and asks nobody on loopback, unless it is told
        unbound = [("unbound", "server:\n do-not-query-localhost: no\n local-zone: \"test.\" transparent\n"
                               f"forward-zone:\n name: \".\"\n forward-addr: {dns}\n")]
        verifier = cls.enter(Milter("opendkim", "Mode v\nAuthservID peer.test\nInternalHosts {d}/none\nAlwaysAddARHeader yes\n"
                                                 "ResolverConfiguration {d}/unbound\n", dns, nobody + unbound))
        judge = cls.enter(Milter("opendmarc", "AuthservID peer.test\nTrustedAuthservIDs peer.test\nIgnoreHosts {d}/none\n"
                                              "RejectFailures true\nSPFSelfValidate false\n", dns, nobody))
        cls.peer = cls.enter(Postfix(more=f"smtpd_milters = inet:127.0.0.1:{verifier.port}, inet:127.0.0.1:{judge.port}\n"
                                          "milter_default_action = tempfail\nnon_smtpd_milters =\n"))
        ports = {s: free_port() for s in ("smtp", "submission", "imap")}
        cls.house = cls.enter(House(accounts=["alice"], resolver=cls.knot.address, services=ports, config=(
            f"route peer.test 127.0.0.1:{cls.peer.port}\nadmin eve@peer.test\naddress 127.0.0.1\ndoctor test 53 3\n"
            f"doctor outward 127.0.0.1@{ports['smtp']}\n")))
        cls.signing()

    @classmethod
    def signing(cls):
        """The house made its keys by itself; their records are put where the others look, and it sees them there."""
        rows = wait_for("two keys are made", lambda: (lambda r: r if len(r) == 2 else None)(keys(cls.house)))
        cls.zone = Zone(cls.knot)
        # nobody may send for demo.test by its address: their DMARC has our signature and nothing else
        cls.zone.publish({record_name(r): r["record"] for r in rows} | {
            "demo.test": "v=spf1 -all", "_dmarc.demo.test": "v=DMARC1; p=reject; adkim=r"})
        cls.rows = checked(cls.house, lambda rows: states(rows) == BOTH)

    @classmethod
    def tearDownClass(cls):
        for thing in reversed(cls.stack):
            thing.__exit__(None, None, None)

    def got(self, user, mark):
        try:
            m = wait_for(f"{mark} arrives at Postfix", lambda: next(
                (m.decode() for m in self.peer.mailbox(user) if mark in m.decode()), None), 30)
        except AssertionError:
            print(self.house.tool("queue", "list", check=False).stdout, self.peer.log()[-3000:], flush=True)
            raise
        fields = re.sub(r"\n[ \t]+", " ", m.split("\n\n")[0])
        return m, re.findall(r"(?m)^Authentication-Results: (peer\.test;.*)$", fields)

    def believed(self, m, results, author="demo.test"):
        said = " | ".join(results)
        self.assertRegex(said, rf"dkim=pass .*header\.d={re.escape(author)}", m)
        self.assertRegex(said, rf"dmarc=pass .*header\.from={re.escape(author)}", m)
        self.assertNotIn("dkim=fail", said)
        self.assertEqual(len(re.findall(r"(?m)^DKIM-Signature:", m)), 2, m)

    def test_submitted(self):
        self.house.deliver("alice@demo.test", ["bob@peer.test"], mail("alice@demo.test", "ours") + "..\r\n \t \r\n\r\n",
                           service="submission", user="alice")
        m, results = self.got("bob", "Subject: ours")
        self.believed(m, results)
        # OpenDKIM 2.11 knows Ed25519 too: it finds both signatures good, each with the key of its selector
        told = {a: (r, s) for r, a, s in re.findall(r"dkim=(\w+)(?:(?!dkim=).)*?header\.a=([\w-]+) header\.s=([\w-]+)", results[1])}
        self.assertEqual(told, {f"{r['algorithm']}-sha256": ("pass", r["selector"]) for r in self.rows})

    def test_report(self):
        """A failure report, which their domain asks for (ruf=)."""
        self.house.tool("domain", "set", "demo.test", "failure-reports", "on")
        self.house.deliver("x@far.test", ["alice@demo.test"], mail("forged@peer.test", "forged"))
        m, results = self.got("eve", "Content-Type: message/feedback-report")
        self.believed(m, results)
        self.assertIn("From: ", m)
        self.assertRegex(m, r"(?m)^Auth-Failure: ")

    def test_no_notice_to_strangers(self):
        """A DSN never leaves the house (docs/queue.md): what a stranger sent, and Postfix refuses when we pass it on, stays in the queue
        with the reason. Our own submitter is told, in his mailbox."""
        self.house.tool("alias", "add", "gone@demo.test", "nobody@peer.test")
        self.house.deliver("eve@peer.test", ["gone@demo.test"], mail("eve@peer.test", "for-nobody"))
        self.house.deliver("alice@demo.test", ["nobody@peer.test"], mail("alice@demo.test", "mistaken"), service="submission", user="alice")
        notice = wait_for("alice is told", lambda: next(
            (m.decode() for m in self.house.mailbox("alice") if b"Final-Recipient: rfc822; nobody@peer.test" in m), None))
        self.assertIn("Subject: mistaken", notice)

        def stays():
            out = self.house.tool("queue", "list", check=False).stdout
            return out if re.search(r"eve@peer\.test +nobody@peer\.test +failed: .*550 5\.1\.1", out) else None
        wait_for("the stranger's message is given up", stays)
        self.assertNotIn(b"Subject: for-nobody", b"".join(self.peer.mailbox("eve")))

    def test_alert(self):
        self.house.tool("doctor", check=False, timeout=120)
        m, results = self.got("eve", " new problem")
        self.believed(m, results, re.search(r"(?m)^From: .*@([\w.]+)>?$", m)[1])


if __name__ == "__main__":
    unittest.main()
