"""Knot as the DNS, with DNSSEC: the resolver's own answers (through ask_dns, the resolver's core without the role), and
what becomes of mail to domains that are signed, forged, unsigned, closed, missing or silent."""
import os
import subprocess
import sys
import unittest

from harness.house import BUILD, House, free_port, have, is_root, wait_for
from knot import Knot

INSIDE = "POSTHORN_TEST_INSIDE"


def ask(knot, name, kind, anchors=True):
    """What ask_dns prints: error, secure or insecure, TTL, the records in hex."""
    tool = os.path.join(BUILD, "test", "peers", "ask_dns")
    r = subprocess.run([tool, knot.address.replace("@", ":"), knot.anchors if anchors else "-", name, kind],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    error, security, ttl, *rrs = r.stdout.split()
    return error, security, [bytes.fromhex(h) for h in rrs]


@unittest.skipUnless(*have("knotd"))
class Resolver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.knot = Knot("192.0.2.7")
        cls.knot.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.knot.__exit__(None)

    def test_secure(self):
        self.assertEqual(ask(self.knot, "secure.test", "MX"), ("ok", "secure", [b"\0\x0a\2mx\6secure\4test\0"]))
        self.assertEqual(ask(self.knot, "mx.secure.test", "A"), ("ok", "secure", [bytes([192, 0, 2, 7])]))
        self.assertEqual(ask(self.knot, "alias.secure.test", "A"), ("ok", "secure", [bytes([192, 0, 2, 7])]))
        self.assertEqual(ask(self.knot, "secure.test", "TXT"), ("ok", "secure", [b"\3one\3two"]))

    def test_answers_are_kept(self):
        """An answer's time to live is the zone's, so it is kept; a setting of one context counts for the whole process."""
        tool = os.path.join(BUILD, "test", "peers", "ask_dns")
        out = subprocess.run([tool, self.knot.address.replace("@", ":"), self.knot.anchors, "secure.test", "MX"],
                             stdout=subprocess.PIPE, text=True, timeout=60).stdout
        self.assertEqual(out.split()[2], "60")

    def test_secure_no(self):
        self.assertEqual(ask(self.knot, "missing.secure.test", "A"), ("not_found", "secure", []))
        self.assertEqual(ask(self.knot, "mx.secure.test", "AAAA"), ("ok", "secure", []))

    def test_bogus(self):
        self.assertEqual(ask(self.knot, "bogus.test", "MX")[0], "dns_bogus")
        self.assertEqual(ask(self.knot, "missing.bogus.test", "A")[0], "dns_bogus")

    def test_insecure(self):
        error, security, rrs = ask(self.knot, "insecure.test", "MX")
        self.assertEqual((error, security, len(rrs)), ("ok", "insecure", 2))
        self.assertEqual(ask(self.knot, "missing.insecure.test", "MX"), ("not_found", "insecure", []))
        self.assertEqual(ask(self.knot, "nomx.insecure.test", "MX"), ("ok", "insecure", []))

    def test_odd_names_are_asked_for(self):
        """SPF macros make them (RFC 7208 §7.3)."""
        self.assertEqual(ask(self.knot, "a+b@c=d.insecure.test", "A"), ("ok", "insecure", [bytes([192, 0, 2, 7])]))
        self.assertEqual(ask(self.knot, "a b/c.insecure.test", "A"), ("not_found", "insecure", []))

    def test_large_answers_come_by_tcp(self):
        error, _, rrs = ask(self.knot, "large.insecure.test", "TXT")
        self.assertEqual((error, len(rrs), len(rrs[0])), ("ok", 1, 30 * 251))

    def test_no_answer(self):
        self.assertEqual(ask(self.knot, "x.broken.test", "MX")[0], "dns")
        self.assertEqual(ask(self.knot, "x.refused.test", "MX")[0], "dns")

    def test_without_anchors_nothing_is_forged(self):
        """Forwarding without anchors: the administrator chose whom to trust, unsigned worlds of tests included."""
        self.assertEqual(ask(self.knot, "insecure.test", "MX", anchors=False)[:2], ("ok", "insecure"))


@unittest.skipUnless(*have("knotd"))
class Mail(unittest.TestCase):
    def house(self, knot, more=""):
        return House(accounts=["alice"], resolver=knot.address, config=f"trust-anchor {knot.anchors}\n" + more)

    def send(self, house, *to):
        house.deliver("alice@demo.test", list(to), "Subject: x\r\n\r\nx\r\n", service="submission", user="alice")

    def queue(self, house):
        return [r for m in house.tool_json("queue", "list") for one in (m if isinstance(m, list) else [m])
                for r in one["recipients"]]

    def test_what_cannot_be_is_told(self):
        cases = {
            "x@null.test": "takes no mail",
            "x@missing.insecure.test": "does not exist",
            "x@nohost.insecure.test": "none of its mail hosts exists",
            "x@self.insecure.test": "its best mail host is this server",
            "x@inner.insecure.test": "inside a private network",
        }
        with Knot("192.0.2.7") as knot, self.house(knot) as house:
            self.send(house, *cases)
            wait_for("all are told of", lambda: len(b"".join(house.mailbox("alice")).split(b"Final-Recipient:")) == len(cases) + 1)
            text = b"".join(house.mailbox("alice")).decode().replace("=\r\n", "")
            for address, why in cases.items():
                self.assertIn(f"Final-Recipient: rfc822; {address}", text)
                self.assertIn(why, " ".join(house.trace(address).split()))
            self.assertEqual(self.queue(house), [])

    def test_what_may_mend_itself_waits(self):
        cases = {"x@bogus.test": "fail their DNSSEC check", "x@y.broken.test": "the DNS gives no answer",
                 "x@y.refused.test": "the DNS gives no answer"}
        with Knot("192.0.2.7") as knot, self.house(knot) as house:
            self.send(house, *cases)
            wait_for("all were tried", lambda: len([r for r in self.queue(house) if r["attempts"]]) == len(cases))
            for r in self.queue(house):
                self.assertIn(cases[r["address"]], r["reply"])
            self.assertEqual(house.mailbox("alice"), [])

    def test_dns_dead(self):
        """Nobody answers at all: mail waits, nothing bounces; when the DNS is back, the domain that does not exist is told."""
        with Knot("192.0.2.7") as knot:
            knot.process.kill()
            knot.process.wait()
            with self.house(knot) as house:
                self.send(house, "x@null.test")
                wait_for("it was tried", lambda: [r for r in self.queue(house) if r["reply"]] if self.tried(house) else None, 120)
                self.assertEqual(house.mailbox("alice"), [])
                knot.process = subprocess.Popen(["knotd", "-c", knot.conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                stderr=subprocess.DEVNULL)
                wait_for("Knot is back", lambda: "MX" in knot.dig("null.test", "MX"))

                def told():
                    house.tool("queue", "retry", check=False)
                    return house.mailbox("alice")
                self.assertIn(b"takes no mail", wait_for("the sender is told", told, 120)[0].replace(b"=\r\n", b""))

    def tried(self, house):
        return [r for r in self.queue(house) if "reply" in r]

    @unittest.skipUnless(is_root(), "a network of its own needs root")
    @unittest.skipUnless(*have("smtp-sink"))
    @unittest.skipUnless(*have("unshare"))
    def test_mx_to_a_public_address(self):
        """In a network of its own, where a public address is on the loopback interface and port 25 is free."""
        here = os.path.abspath(__file__)
        runner = os.path.join(os.path.dirname(os.path.dirname(here)), "harness", "run.py")
        r = subprocess.run(["unshare", "-n", "sh", "-c", "ip link set lo up && ip addr add 9.9.9.9/32 dev lo && exec \"$@\"", "-",
                            sys.executable, runner, here, "InsideANetwork"], env=dict(os.environ, **{INSIDE: "1"}),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("@ok", r.stdout)


@unittest.skipUnless(os.environ.get(INSIDE), "started by Mail.test_mx_to_a_public_address")
class InsideANetwork(Mail):
    """Only the case below; the others ran outside."""
    test_what_cannot_be_is_told = test_what_may_mend_itself_waits = test_dns_dead = test_mx_to_a_public_address = None

    def test_mail_goes_by_mx_and_by_address(self):
        from postfix import Sink
        with Knot("9.9.9.9") as knot, Sink() as sink, self.house(knot) as house:
            sink.process.kill()
            sink.process.wait()
            sink.process = subprocess.Popen(["smtp-sink", "-u", "nobody", "-4", "-R", sink.folder, "-d", "m.", "9.9.9.9:25", "100"],
                                            stdin=subprocess.DEVNULL)
            self.send(house, "x@insecure.test", "x@secure.test", "x@nomx.insecure.test", "x@[9.9.9.9]")
            wait_for("all went", lambda: not self.queue(house))
            took = b"".join(sink.messages())
            for a in (b"x@insecure.test", b"x@secure.test", b"x@nomx.insecure.test", b"x@[9.9.9.9]"):
                self.assertIn(b"X-Rcpt-Args: <" + a + b">", took)
            trace = " ".join(house.trace("x@insecure.test").split())
            self.assertIn("mx1.insecure.test [9.9.9.9]", trace)  # the better of the two
