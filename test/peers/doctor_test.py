"""posthorn doctor as the administrator sees it: a real server, and a name server of ours (harness/dns_stub.py) on two
addresses whose records are broken one way after the other. Each way gives its own finding and the record that mends it; the
right zone gives none. Then: one alert for each change in a real mailbox; the probe that comes back, and that names the part
that failed; certificates as a stranger sees them; a server that is down; a machine before the server is set up."""
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import unittest

from harness.dns_stub import DnsStub, Server
from harness.house import BUILD, ROOT, House, free_port, is_root, wait_for

ZONE = """{d} SOA ns1.{d} h.{d} 7 3600 600 86400 300
{d} NS ns1.{d}
{d} NS ns2.{d}
ns1.{d} A 127.0.0.1
ns2.{d} A 127.0.0.2
"""
COMMON = """test SOA ns.test h.test 1 2 3 4 5
test NS ns1.demo.test
other.test SOA ns1.demo.test h.test 1 2 3 4 5
mail.other.test A 127.0.0.99
1.0.0.127.in-addr.arpa PTR mail.demo.test
2.0.0.127.bl.other.test A 127.0.0.2
"""


class Taker:
    """Another mail server that takes everything."""

    def __enter__(self):
        self.messages, self.said = [], ""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serve(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            with c, c.makefile("rb") as lines:
                self.talk(c, lines)

    def talk(self, c, lines):
        c.sendall(b"220 away.test\r\n")
        for line in lines:
            word = line[:4].upper()
            self.said += line.decode()
            if word == b"DATA":
                c.sendall(b"354 go on\r\n")
                text = b""
                while (line := lines.readline()) not in (b".\r\n", b""):
                    text += line
                self.messages.append(text.decode())
            c.sendall(b"221 bye\r\n" if word == b"QUIT" else b"250 away.test\r\n")
            if word == b"QUIT":
                return


def doctor_house(stub, accounts=("alice",), outward=None, config=""):
    """A house that the doctor may look at although it lives on loopback, and whose own mail goes to its own port."""
    ports = {s: free_port() for s in ("smtp", "submissions", "imaps", "imap")}
    h = House(accounts=accounts, services=ports, resolver=f"127.0.0.1@{stub.port}",
              config=f"address 127.0.0.1\ndoctor test {stub.port} 3\ndoctor outward 127.0.0.1@{outward or ports['smtp']}\n" + config)
    with open(h.config_path, "a") as f:
        f.write(f"doctor trust {h.cert}\n")
        for d in sorted({a.split("@")[1] for a in h.accounts}):
            f.write(f"route {d} 127.0.0.1:{ports['smtp']}\n")
    return h


def plan(house, domain):
    """The records that the domain should have, one a line, DKIM keys too."""
    def look():
        out = house.tool("dns", domain, "--zone").stdout
        return out if out.count("_domainkey") >= 2 else None
    text = wait_for("the keys of the domain are made", look)
    lines = [l for l in text.splitlines() if l.strip() and not l.startswith(";")]
    joined, open_ = [], ""
    for l in lines:  # a record in parentheses is several lines
        open_ += (" " if open_ else "") + l.strip()
        if open_.count("(") == open_.count(")"):
            joined.append(open_.replace("(", " ").replace(")", " "))
            open_ = ""
    return [l for l in joined if " TLSA " not in l]


def without(lines, *words):
    return [l for l in lines if not all(w in l for w in words)]


def signing(house):
    """Waits until both keys of demo.test sign."""
    wait_for("the keys sign", lambda: house.tool("dkim", "check", "demo.test", check=False).stdout.count(" signing ") == 2)


def findings(house, *args, status=None):
    r = house.tool("doctor", *args, "--json", check=False, timeout=120)
    value = json.loads(r.stdout)
    if status is not None:
        assert r.returncode == status, (r.returncode, r.stdout, r.stderr)
    return value["findings"]


def has_way(address):
    """Does the kernel know a route to it? Nothing is sent."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        try:
            s.connect((address, 53))
            return True
        except OSError:
            return False


# name; what is taken out of the zone (words of a line), what is put in; the finding, words of its sentence
BROKEN = [
    ("mx_missing", [(" MX ",)], "", "mx-missing", "has no MX record"),
    ("mx_elsewhere", [(" MX ",)], "demo.test MX 10 mail.other.test", "mx-elsewhere", "do not lead to this server"),
    ("mx_also", [], "demo.test MX 20 mail.other.test", "mx-also", "beside this one"),
    ("mx_address", [(" MX ",)], "demo.test MX 10 127.0.0.1", "mx-ip", "holds the address 127.0.0.1"),
    ("mx_alias", [(" MX ",)], "demo.test MX 10 a.demo.test\na.demo.test CNAME mail.demo.test", "mx-cname", "is an alias"),
    ("mx_no_address", [(" MX ",)], "demo.test MX 10 none.demo.test", "mx-no-address", "none.demo.test, which has no address"),
    ("mx_null", [(" MX ",)], "demo.test MX 0 .", "mx-null", "takes no mail at all"),
    ("host_missing", [("mail.demo.test", " A ")], "", "host-missing", "neither an A nor an AAAA"),
    ("host_elsewhere", [("mail.demo.test", " A ")], "mail.demo.test A 127.0.0.99", "host-elsewhere", "leads to 127.0.0.99"),
    ("ptr_missing", [("in-addr.arpa",)], "", "ptr-missing", "has no reverse name"),
    ("ptr_several", [], "1.0.0.127.in-addr.arpa PTR ns1.demo.test", "ptr-several", "has 2 reverse names"),
    ("ptr_other", [("in-addr.arpa",)], "1.0.0.127.in-addr.arpa PTR ns1.demo.test", "ptr-other", "is not mail.demo.test"),
    ("ptr_unconfirmed", [("in-addr.arpa",)], "1.0.0.127.in-addr.arpa PTR mail.other.test", "ptr-unconfirmed", "does not lead to 127.0.0.1"),
    ("listed", [], "1.0.0.127.bl.other.test A 127.0.0.2", "dnsbl-off", "lists 127.0.0.1"),
    ("list_refuses", [("bl.other.test",)], "2.0.0.127.bl.other.test A 127.255.255.254", "dnsbl-off", "127.255.255.254"),
    ("spf_missing", [("demo.test.", "v=spf1 mx")], "", "spf-missing", "has no SPF record"),
    ("spf_two", [], 'demo.test TXT "v=spf1 -all"', "spf-two", "has 2 SPF records"),
    ("spf_syntax", [("v=spf1 mx",)], 'demo.test TXT "v=spf1 ip:127.0.0.1 -all"', "spf-syntax", 'at "ip:127.0.0.1"'),
    ("spf_not_us", [("v=spf1 mx",)], 'demo.test TXT "v=spf1 ip4:192.0.2.1 -all"', "spf-not-us", "gives fail for our address"),
    ("spf_void", [("v=spf1 mx",)], 'demo.test TXT "v=spf1 a:x1.demo.test a:x2.demo.test a:x3.demo.test -all"', "spf-void", "does not work"),
    ("spf_lookups", [("v=spf1 mx",)], 'demo.test TXT "v=spf1 ' + "a:mail.other.test " * 11 + '-all"', "spf-lookups", "does not work"),
    ("spf_all", [("v=spf1 mx",)], 'demo.test TXT "v=spf1 +all"', "spf-all", "ends in +all"),
    ("dkim_missing", [("_domainkey",)], "", "dkim-", "_domainkey.demo.test"),
    ("dkim_revoked", [("_domainkey",)], '{ed} TXT "v=DKIM1; k=ed25519; p="', "dkim-revoked", "counts as revoked"),
    ("dkim_type", [("_domainkey",)], '{ed} TXT "v=DKIM1; k=rsa; p=AAAA"', "dkim-type", "of type rsa; it is ed25519"),
    ("dkim_other", [("_domainkey",)], '{ed} TXT "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="', "dkim-different",
     "differs from our key at character"),
    ("dkim_two", [], '{ed} TXT "v=DKIM1; k=ed25519; p=AAAA"', "dkim-two", "has 2 TXT records"),
    ("dmarc_missing", [("_dmarc",)], "", "dmarc-missing", "has no DMARC record"),
    ("dmarc_two", [], '_dmarc.demo.test TXT "v=DMARC1; p=none"', "dmarc-two", "has 2 DMARC records"),
    ("dmarc_syntax", [("_dmarc",)], '_dmarc.demo.test TXT "v=DMARC1; p=maybe"', "dmarc-syntax", "p= is none of"),
    ("dmarc_abroad", [("_dmarc",)], '_dmarc.demo.test TXT "v=DMARC1; p=none; rua=mailto:a@other.test"', "dmarc-permission",
     "does not say that it wants them"),
    ("tlsrpt_missing", [("_smtp._tls",)], "", "tlsrpt-missing", "has no TLS-RPT record"),
    ("tlsrpt_other", [("_smtp._tls",)], '_smtp._tls.demo.test TXT "v=TLSRPTv1; rua=mailto:a@other.test"', "tlsrpt-different", "is not the one"),
    ("srv_missing", [("_imaps._tcp",)], "", "srv-missing", "no SRV record _imaps._tcp"),
    ("srv_elsewhere", [("_imaps._tcp",)], "_imaps._tcp.demo.test SRV 0 1 993 mail.other.test", "srv-different", "leads elsewhere"),
    ("helo", [("mail.demo.test", "v=spf1")], "", "spf-helo", "no SPF record of its own"),
]


class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stub = DnsStub(["127.0.0.1", "127.0.0.2"])
        cls.stub.load(COMMON + ZONE.format(d="demo.test"))
        cls.house = doctor_house(cls.stub, config="dnsbl bl.other.test\n")
        cls.house.start()
        cls.good = (COMMON + ZONE.format(d="demo.test")).splitlines() + plan(cls.house, "demo.test")
        cls.ed = [l.split()[0].rstrip(".") for l in cls.good if "ed25519" in l][0]
        cls.stub.load("\n".join(cls.good))
        cls.house.tool("dkim", "check", "demo.test", check=False)

    @classmethod
    def tearDownClass(cls):
        cls.house.stop()
        cls.stub.stop()

    def setUp(self):
        self.stub.load("\n".join(self.good))
        for s in self.stub.servers:
            self.stub.servers[s] = Server()
        self.stub.bad = {}

    def look(self, status=None):
        return findings(self.house, "demo.test", status=status)

    def expect(self, word, words, found):
        hits = [f for f in found if f["id"].startswith(word) and words in f["what"]]
        self.assertTrue(hits, (word, words, found))
        for f in hits:
            self.assertTrue(f["mend"] and f["why"] and f["severity"] in ("note", "warning", "error"), f)
        return hits[0]

    def test_right_zone_has_no_finding(self):
        self.assertEqual(self.look(status=0), [])
        text = self.house.tool("doctor", "demo.test").stdout
        self.assertIn("Nothing is wrong with demo.test.", text)

    def test_each_way_to_break_it_has_its_sentence(self):
        self.assertGreaterEqual(len(BROKEN), 30)
        said = {}
        for name, drop, put, word, words in BROKEN:
            with self.subTest(name):
                lines = self.good
                for d in drop:
                    lines = without(lines, *d)
                self.assertTrue(not drop or len(lines) < len(self.good), "the variant takes nothing out")
                self.stub.load("\n".join(lines + [put.replace("{ed}", self.ed)]))
                # what the resolver asked within this second it may still remember
                found = wait_for(f"doctor says {word}", lambda: [f for f in [self.look()] if any(
                    x["id"].startswith(word) and words in x["what"] for x in f)], 5)[0]
                hit = self.expect(word, words, found)
                self.assertNotIn(hit["what"], said, name)
                said[hit["what"]] = name
        self.stub.load("\n".join(self.good))
        wait_for("nothing is wrong any more", lambda: self.look() == [], 5)

    def test_the_mend_is_the_record(self):
        """What doctor says to publish, published as it stands, makes the finding go."""
        lines = without(without(self.good, " MX "), "_dmarc")
        self.stub.load("\n".join(lines))
        found = self.look(status=2)
        mends = [f["mend"] for f in found]
        self.assertIn("demo.test. 3600 IN MX 10 mail.demo.test.", mends)
        self.stub.load("\n".join(lines + mends))
        self.assertEqual(self.look(status=0), [])

    def test_a_lame_server(self):
        self.stub.servers["127.0.0.2"].lame = True
        f = self.expect("server-lame", "does not feel responsible", self.look(status=1))
        self.assertIn("ns2.demo.test", f["what"])

    def test_a_silent_server(self):
        self.stub.servers["127.0.0.2"].silent = True
        self.expect("server-lame", "does not answer", self.look(status=1))

    def test_a_slow_server_is_waited_for(self):
        self.stub.servers["127.0.0.2"].slow = 0.7
        self.assertEqual(self.look(status=0), [])

    def test_answers_that_are_cut_are_fetched_whole(self):
        for s in self.stub.servers.values():
            s.cut = True
        self.assertEqual(self.look(status=0), [])

    def test_a_server_that_sends_junk(self):
        self.stub.servers["127.0.0.2"].junk = True
        f = self.expect("server-lame", "does not answer", self.look(status=1))
        self.assertIn("ns2.demo.test", f["what"])

    def test_a_hundred_mx(self):
        self.stub.load("\n".join(self.good + [f"demo.test MX {20 + i} mx{i}.other.test\nmx{i}.other.test A 127.0.0.99" for i in range(100)]))
        self.expect("mx-also", "beside this one", self.look(status=2))  # and "mx" in SPF may lead to ten names only

    @unittest.skipIf(has_way("2001:500:2::c"), "this machine has a way to IPv6")
    def test_a_server_with_the_other_kind_of_address_only(self):
        self.stub.load("\n".join(self.good + ["demo.test NS ns3.demo.test", "ns3.demo.test AAAA 2001:db8::53"]))
        self.assertEqual(self.look(status=0), [])

    def test_servers_that_disagree(self):
        self.stub.servers["127.0.0.2"].zone = DnsStub.parse(
            "\n".join(without(self.good, " MX ")) + "\ndemo.test MX 10 mail.other.test\n")
        f = self.expect("servers-disagree", "do not agree on MX", self.look(status=2))
        self.assertIn("mail.other.test", f["evidence"])

    def test_an_old_copy(self):
        self.stub.servers["127.0.0.2"].serial = 6
        self.expect("serial-differs", "6", self.look(status=1))

    def test_servfail_is_not_taken_for_missing(self):
        self.stub.bad["_dmarc.demo.test"] = "SERVFAIL"
        found = self.look(status=1)
        self.expect("unobserved", "TXT _dmarc.demo.test", found)
        self.assertNotIn("dmarc-missing", [f["id"] for f in found])

    def test_a_domain_that_is_not_ours(self):
        r = self.house.tool("doctor", "nobody.test", check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("no domain of this server", r.stderr)


class Alerts(unittest.TestCase):
    def setUp(self):
        self.stub = DnsStub(["127.0.0.1", "127.0.0.2"])
        self.stub.load(COMMON + ZONE.format(d="demo.test"))

    def tearDown(self):
        self.stub.stop()

    def mails(self, house):
        return [m.decode() for m in house.mailbox("alice") if b"Auto-Submitted" in m]

    def test_once_for_each_change(self):
        with doctor_house(self.stub, config="admin alice@demo.test\n") as h:
            good = (COMMON + ZONE.format(d="demo.test")).splitlines() + plan(h, "demo.test")
            self.stub.load("\n".join(good))
            signing(h)
            findings(h)
            first = len(self.mails(h))  # what a new house has to say, if anything
            self.stub.load("\n".join(without(good, " MX ")))
            found = findings(h)
            mx = [f for f in found if f["id"] == "mx-missing"]
            self.assertTrue(mx and mx[0]["since"], found)
            wait_for("the alert came", lambda: len(self.mails(h)) > first)
            text = self.mails(h)[-1]
            for words in ("Subject: mail.demo.test: 1 new problem", "demo.test has no MX record.", "To mend it:",
                          "demo.test. 3600 IN MX 10 mail.demo.test.", "Auto-Submitted: auto-generated"):
                self.assertIn(words, text)
            count = len(self.mails(h))
            for _ in range(2):
                again = [f for f in findings(h) if f["id"] == "mx-missing"]
                self.assertEqual(again[0]["since"], mx[0]["since"])
            h.kill("doctor")  # what it said before it died, it does not say again
            h.wait_whole()
            again = [f for f in findings(h) if f["id"] == "mx-missing"]
            self.assertEqual(again[0]["since"], mx[0]["since"])
            self.stub.load("\n".join(good))
            findings(h)
            wait_for("the all-clear came", lambda: len(self.mails(h)) > count)
            self.assertEqual(len(self.mails(h)), count + 1)
            self.assertIn("1 mended", self.mails(h)[-1])
            self.assertIn("It was wrong since 20", self.mails(h)[-1])
            self.assertIn("DKIM-Signature:", self.mails(h)[-1])
            self.assertIn("The domain has no MX record (demo.test)", self.mails(h)[-1])


    def test_a_long_record_makes_no_long_line(self):
        """RFC 5322: 998 octets a line; what somebody's name server says may be longer, and may try to end ours."""
        with doctor_house(self.stub, config="admin alice@demo.test\n") as h:
            good = (COMMON + ZONE.format(d="demo.test")).splitlines() + plan(h, "demo.test")
            self.stub.load("\n".join(good))
            signing(h)
            long = " ".join('"' + "\\195\\164" * 60 + "\\013\\010.\\013\\010" + '"' for _ in range(20))
            self.stub.load("\n".join(without(good, "v=spf1 mx") + [f'demo.test TXT "v=spf1 x:" {long}']))
            self.assertIn("spf-syntax", [f["id"] for f in findings(h)])
            found = wait_for("the alert came", lambda: [m for m in h.mailbox("alice") if b"spf-syntax" in m])
            self.assertLessEqual(max(len(l) for l in found[0].split(b"\r\n")), 998)
            self.assertIn(b"posthorn doctor", found[0])  # all of it came
            self.assertNotIn(b"\r\n.\r\n", found[0])
            found[0].decode()
            self.assertIn(b"Content-Transfer-Encoding: 8bit\r\n", found[0])

    @unittest.skipUnless(is_root(), "needs root to take a folder away from the server")
    def test_one_that_could_not_be_queued_comes_later(self):
        with doctor_house(self.stub, config="admin alice@demo.test\n") as h:
            good = (COMMON + ZONE.format(d="demo.test")).splitlines() + plan(h, "demo.test")
            self.stub.load("\n".join(good))
            signing(h)
            findings(h)
            folder = os.path.join(h.data, "queue")
            mode = os.stat(folder)
            os.chown(folder, 0, 0)
            os.chmod(folder, 0o700)
            try:
                h.kill("relay")
                self.stub.load("\n".join(without(good, " MX ")))
                wait_for("doctor sees both", lambda: {"mx-missing", "role-silent"} <= {f["id"] for f in findings(h)})
            finally:
                os.chown(folder, mode.st_uid, mode.st_gid)
                os.chmod(folder, mode.st_mode & 0o7777)

            def told():
                return [m for m in self.mails(h) if "demo.test has no MX record." in m]
            self.assertEqual(told(), [])
            h.wait_whole()
            wait_for("relay answers", lambda: "role-silent" not in {f["id"] for f in findings(h)})
            findings(h)
            wait_for("the alert came", told)
            findings(h)
            self.assertEqual(len(told()), 1)

    def test_an_administrator_elsewhere(self):
        """The alert goes out like any mail, and is signed."""
        with Taker() as taker, doctor_house(self.stub, config=f"admin boss@away.test\nroute away.test 127.0.0.1:{taker.port}\n") as h:
            good = (COMMON + ZONE.format(d="demo.test")).splitlines() + plan(h, "demo.test")
            self.stub.load("\n".join(good))
            signing(h)
            self.stub.load("\n".join(without(good, " MX ")))
            findings(h)
            wait_for("the alert came to the other server", lambda: taker.messages)
            text = taker.messages[0]
            self.assertIn("RCPT TO:<boss@away.test>", taker.said)
            for words in ("To: boss@away.test", "Subject: mail.demo.test: 1 new problem", "demo.test has no MX record.", "d=demo.test"):
                self.assertIn(words, text)


class Lists(unittest.TestCase):
    """THREATS 28: a list that answers wrongly is switched off by judge, and the administrator is told."""

    def test_a_list_that_is_switched_off(self):
        stub = DnsStub(["127.0.0.1", "127.0.0.2"])
        sick = ["1.0.0.127.white.other.test A 127.0.0.2"]  # it lists everybody
        stub.load("\n".join([COMMON + ZONE.format(d="demo.test")] + sick))
        try:
            # judge alone asks white lists: what doctor says of this one it has from judge
            with doctor_house(stub, config="admin alice@demo.test\ndnsbl bl.other.test\ndnswl white.other.test\n") as h:
                good = [COMMON + ZONE.format(d="demo.test")] + plan(h, "demo.test")
                stub.load("\n".join(good + sick))
                h.tool("dkim", "check", "demo.test", check=False)

                def off():
                    return [f for f in findings(h) if f["id"] == "dnsbl-off"]
                found = wait_for("doctor knows what judge switched off", off)
                self.assertEqual([f["subject"] for f in found], ["white.other.test"])
                self.assertIn("is not used: it lists 127.0.0.1", found[0]["what"])
                self.assertIn("dnswl white.other.test", found[0]["mend"])

                def alerts():
                    return [m for m in h.mailbox("alice") if b"The list white.other.test is not used" in m]
                off()  # what may pass by itself is told when it is there twice
                wait_for("the alert came", alerts)
                off()
                # the list is well again; judge sees that when it checks it next, in an hour or when it starts
                stub.load("\n".join(good + ["2.0.0.127.white.other.test A 127.0.0.2"]))
                h.kill("resolver")  # what it remembers of the list goes with it
                h.wait_whole()
                h.kill("judge")
                h.wait_whole()
                wait_for("nothing is wrong with it any more", lambda: not off())
                wait_for("the all-clear came", lambda: [m for m in h.mailbox("alice") if b"mended" in m])
                self.assertEqual(len(alerts()), 1)
        finally:
            stub.stop()


class Probe(unittest.TestCase):
    """THREATS 64: the part that fails is named."""

    def setUp(self):
        self.stub = DnsStub(["127.0.0.1", "127.0.0.2"])

    def tearDown(self):
        self.stub.stop()

    def probe(self, house, word, seconds=40):
        """The finding after a probe, of the domain named or not there."""
        house.tool("doctor", "--probe")
        return wait_for(f"doctor says {word}", lambda: [f for f in findings(house) if f["id"] == word], seconds)

    def test_comes_back(self):
        self.stub.load(COMMON + ZONE.format(d="demo.test"))
        with doctor_house(self.stub) as h:
            self.stub.load("\n".join([COMMON + ZONE.format(d="demo.test")] + plan(h, "demo.test")))
            h.tool("dkim", "check", "demo.test", check=False)
            h.tool("doctor", "--probe")
            trace = wait_for("the probe was taken at port 25", lambda: [t for t in [
                h.tool("trace", "posthorn-probe@demo.test", check=False).stdout] if "accepted" in t or "took" in t])[0]
            self.assertNotIn("refused", trace)
            found = findings(h)
            self.assertEqual([f for f in found if f["id"] == "probe-lost"], [])
            self.assertEqual([m for m in h.mailbox("alice") if b"\nPosthorn-Probe:" in m], [])  # nobody's mailbox gets it

    def lost(self, config_of, part, bad=None, outward=None):
        self.stub.load(COMMON + ZONE.format(d="demo.test") + "mail.demo.test A 127.0.0.1\n")
        self.stub.bad = bad or {}
        h = doctor_house(self.stub, outward=outward)
        with open(h.config_path) as f:
            lines = [l for l in f.read().splitlines() if not l.startswith("route ")]
        with open(h.config_path, "w") as f:
            f.write("\n".join(lines + config_of) + "\n")
        with h:
            found = self.probe(h, "probe-lost")
            self.assertIn(part, found[0]["what"])

    def test_names_the_dns(self):
        self.lost([], "the DNS", bad={"demo.test": "SERVFAIL"})

    def test_names_port_25_in(self):
        self.lost([f"route demo.test 127.0.0.1:{free_port()}"], "port 25 in")

    def test_names_port_25_out(self):
        self.lost([f"route demo.test 127.0.0.1:{free_port()}"], "port 25 out", outward=free_port())

    def signing_house(self):
        """A house that signs, and its right records; who calls it stops it."""
        self.stub.load(COMMON + ZONE.format(d="demo.test"))
        h = doctor_house(self.stub)
        h.start()
        try:
            good = (COMMON + ZONE.format(d="demo.test")).splitlines() + plan(h, "demo.test")
            self.stub.load("\n".join(good))
            signing(h)
            return h, good
        except BaseException:
            h.stop(check=False)
            raise

    def test_names_a_signature_that_nobody_can_verify(self):
        h, good = self.signing_house()
        try:
            ed = [l.split()[0].rstrip(".") for l in good if "ed25519" in l][0]
            wrong = [f'{ed} TXT "v=DKIM1; k=ed25519; p={"A" * 43}="' if l.startswith(ed) else l for l in good]
            self.stub.load("\n".join(wrong))
            def look():  # the resolver may remember the right record for a second
                h.tool("doctor", "--probe")
                return next((hit for hit in ([f for f in findings(h) if f["id"] == "probe-dkim"] for _ in range(4)) if hit), None)
            found = wait_for("doctor says that the signature fails", look, 40)
            self.assertEqual(found[0]["subject"], "demo.test")
            self.assertIn("signature of the probe of demo.test does not verify", found[0]["what"])
        finally:
            h.stop()

    @unittest.skipUnless(is_root(), "needs root to take a folder away from the server")
    def test_names_the_signer(self):
        h, _ = self.signing_house()
        folder = os.path.join(h.data, "keys", "dkim")
        mode = os.stat(folder)
        try:
            os.chown(folder, 0, 0)
            os.chmod(folder, 0o700)
            h.kill("keys")
            h.wait_whole()
            h.tool("doctor", "--probe")
            found = wait_for("doctor names the signer", lambda: [f for f in findings(h) if f["id"].startswith("probe-")], 40)
            self.assertTrue([f for f in found if f["id"] == "probe-unsigned" or "the signer" in f["what"]], found)
        finally:
            os.chown(folder, mode.st_uid, mode.st_gid)
            h.stop()

    @unittest.skipUnless(is_root(), "needs root to take a folder away from the server")
    def test_names_the_store(self):
        self.stub.load(COMMON + ZONE.format(d="demo.test"))
        with doctor_house(self.stub) as h:
            folder = os.path.join(h.data, "accounts")
            mode = os.stat(folder)
            os.chown(folder, 0, 0)
            os.chmod(folder, 0o700)
            try:
                h.kill("account")  # it comes up again and again, and cannot enter its folder
                h.deliver("a@other.test", ["alice@demo.test"], "From: a@other.test\r\nSubject: x\r\n\r\nhello\r\n")
                found = wait_for("doctor says that the store refuses",
                                 lambda: [f for f in findings(h) if f["id"] == "store-refuses"])
                self.assertIn("could not take", found[0]["what"])
            finally:
                os.chown(folder, mode.st_uid, mode.st_gid)


class Many(unittest.TestCase):
    """More domains than one round looks at: the broken ones are told once, in one message of bounded length; each has its
    turn; one domain by name is looked at at once."""

    COUNT = 300  # 256 of the rest are looked at in a round

    def test_each_has_its_turn_and_nothing_is_said_twice(self):
        stub = DnsStub(["127.0.0.1", "127.0.0.2"])
        stub.load(COMMON + ZONE.format(d="demo.test"))
        names = [f"d{i:03}.many.test" for i in range(self.COUNT)]
        try:
            with doctor_house(stub, config="admin alice@demo.test\n") as h:
                good = COMMON + ZONE.format(d="demo.test") + "\n".join(plan(h, "demo.test")) + "\n"
                stub.load(good)
                signing(h)
                for i in range(0, len(names), 60):
                    h.tool("domain", "add", *names[i:i + 60])

                def look(*args):
                    return json.loads(h.tool("doctor", *args, "--json", check=False, timeout=300).stdout)

                def missing(found):
                    return {f["subject"] for f in found["findings"] if f["id"] == "domain-missing"}

                def mails():
                    return [m.decode() for m in h.mailbox("alice") if b"Auto-Submitted" in m and b"new problem" in m]
                first = look()
                self.assertEqual(first["domains"], self.COUNT + 1)
                self.assertLess(first["looked_at"], first["domains"])
                self.assertGreaterEqual(first["looked_at"], 256)
                self.assertIn("rest_by", first)
                self.assertEqual(len(missing(first)), first["looked_at"] - 1)  # demo.test exists
                wait_for("the alert came", mails)
                text = mails()[-1]
                self.assertRegex(text, r"And \d+ more, of \d+ more domains: posthorn doctor")
                self.assertRegex(text, r"\d+  The domain does not exist in the DNS  \[domain-missing\]")
                self.assertLess(len(text), 200000)
                self.assertLess(text.count("does not exist: the zone above it"), 25)
                left = set(names) - missing(first)
                second = look()
                self.assertLessEqual(left, missing(second))  # their turn
                wait_for("the others were told", lambda: len(mails()) == 2)
                self.assertIn(f"Subject: mail.demo.test: {len(left)} new problems", mails()[-1])
                self.assertIn(f"And {len(left) - 20} more, of {len(left) - 20} more domains: posthorn doctor", mails()[-1])
                self.assertIn("From: \"Posthorn on mail.demo.test\" <postmaster@demo.test>", mails()[-1])  # not of somebody's domain
                rounds = [threading.Thread(target=look) for _ in range(2)]
                for t in rounds:
                    t.start()
                one = look(names[0])  # beside a round, and another that waits
                for t in rounds:
                    t.join()
                self.assertEqual(len(mails()), 2)
                self.assertEqual(missing(one), {names[0]})
                self.assertTrue(one["findings"][0]["since"])
                stub.load(good + ZONE.format(d=names[0]))
                wait_for("the mended one is seen at once", lambda: missing(look(names[0])) == set(), 10)
        finally:
            stub.stop()


# --- certificates

def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def issue(folder, name, host, days="30", issuer=None, ca=False, extra=()):
    """name.pem and name.key, signed by issuer or by itself."""
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.csr", "-subj", f"/CN={host}")
    with open(os.path.join(folder, f"{name}.ext"), "w") as f:
        f.write("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n" if ca else f"subjectAltName=DNS:{host}\n")
    sign = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial"] if issuer else ["-signkey", f"{name}.key"]
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", *sign, "-out", f"{name}.pem", "-extfile", f"{name}.ext",
            *(extra or ("-days", days)))


class TlsServer:
    """Shows a certificate on a port of loopback."""

    def __init__(self, port, chain, key):
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ctx.load_cert_chain(chain, key)
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("127.0.0.1", port))
        self.s.listen(10)
        self.s.settimeout(0.1)
        self.running = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.running:
            try:
                c, _ = self.s.accept()
                c.settimeout(5)
                with self.ctx.wrap_socket(c, server_side=True) as t:
                    t.recv(100)
            except OSError:
                pass

    def stop(self):
        self.running = False
        self.thread.join()
        self.s.close()


class Down(unittest.TestCase):
    """No server runs; what stands at its ports shows one certificate after the other."""

    @classmethod
    def setUpClass(cls):
        cls.stub = DnsStub(["127.0.0.1", "127.0.0.2"])
        cls.stub.load(COMMON + ZONE.format(d="demo.test") + "demo.test MX 10 mail.demo.test\nmail.demo.test A 127.0.0.1\n")
        cls.house = doctor_house(cls.stub)
        cls.folder = cls.house.folder
        issue(cls.folder, "ca", "Test CA", ca=True)
        issue(cls.folder, "middle", "Test Middle", issuer="ca", ca=True)
        with open(cls.house.config_path) as f:
            text = f.read().replace(f"doctor trust {cls.house.cert}", f"doctor trust {cls.folder}/ca.pem")
        with open(cls.house.config_path, "w") as f:
            f.write(text)
        cls.house.tool("domain", "add", "demo.test")

    @classmethod
    def tearDownClass(cls):
        cls.stub.stop()
        cls.house.remove()

    def see(self, name, chain=None):
        path = os.path.join(self.folder, "shown.pem")
        with open(path, "w") as out:
            for part in chain or [name]:
                with open(os.path.join(self.folder, f"{part}.pem")) as f:
                    out.write(f.read())
        s = TlsServer(self.house.port["imaps"], path, os.path.join(self.folder, f"{name}.key"))
        try:
            return [f for f in findings(self.house) if f["id"].startswith("certificate")]
        finally:
            s.stop()

    def test_says_first_that_no_server_runs(self):
        found = findings(self.house, status=2)
        self.assertEqual([f for f in found if f["id"] == "server-down"][0]["severity"], "error")
        self.assertIn("posthorn serve", found[0]["mend"])
        self.assertIn("spf-missing", [f["id"] for f in found])  # the DNS is looked at all the same
        self.assertIn("port25-in", [f["id"] for f in found])

    def greeted(self, greeting):
        """What doctor prints and finds when this greets at port 25."""
        listener = socket.create_server(("127.0.0.1", self.house.port["smtp"]))
        stop = threading.Event()

        def serve():
            listener.settimeout(0.1)
            while not stop.is_set():
                try:
                    c, _ = listener.accept()
                except OSError:
                    continue
                with c:
                    c.settimeout(5)
                    try:
                        c.sendall(greeting)
                        c.recv(100)
                    except OSError:
                        pass
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            found = [f for f in findings(self.house) if f["subject"].startswith("smtp ")]
            return found, self.house.tool("doctor", check=False, timeout=120).stdout
        finally:
            stop.set()
            thread.join()
            listener.close()

    def test_hostile_greetings(self):
        for greeting in (b"220 " + b"x" * (1 << 20), b"220-\r\n" * 5000, b"\xff\x00\x1b[2J" * 300 + b"\r\n",
                         b"220 \x1b]0;owned\x07\rERROR: fake\xe2\x80\xa8[mx-missing]\r\n"):
            found, text = self.greeted(greeting)
            self.assertTrue([f for f in found if f["id"] in ("greeting-other", "port25-in")], (greeting[:40], found))
            self.assertFalse([c for c in text if c != "\n" and (ord(c) < 32 or ord(c) in (127, 0x2028))], greeting[:40])
            self.assertFalse([l for l in text.splitlines() if l.startswith("ERROR: fake")])
            self.assertLess(len(json.dumps(found)), 20000)

    def test_certificates(self):
        issue(self.folder, "good", "mail.demo.test", issuer="middle")
        self.assertEqual(self.see("good", ["good", "middle"]), [])
        found = self.see("good", ["good"])
        self.assertEqual([f["id"] for f in found], ["certificate-chain"])
        issue(self.folder, "other", "www.demo.test", issuer="ca")
        found = self.see("other")
        self.assertEqual([f["id"] for f in found], ["certificate-name"])
        self.assertIn("www.demo.test", found[0]["evidence"])
        issue(self.folder, "soon", "mail.demo.test", issuer="ca", days="5")
        self.assertEqual([f["id"] for f in self.see("soon")], ["certificate-expires-soon"])
        issue(self.folder, "self", "mail.demo.test")
        self.assertEqual([f["id"] for f in self.see("self")], ["certificate-self-signed"])
        issue(self.folder, "old", "mail.demo.test", issuer="ca", days="-1")
        found = self.see("old")
        self.assertEqual([f["id"] for f in found], ["certificate-expired"])


class Commands(unittest.TestCase):
    """What doctor tells people to type exists."""

    def test_each_command_is_one(self):
        def usage(*args):
            r = subprocess.run([os.path.join(BUILD, "posthorn"), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=60)
            return r.stdout
        commands = set(re.findall(r"^  posthorn ([a-z]+)(?: ([a-z]+)\b)?", usage("--help"), re.M))
        self.assertIn(("doctor", ""), commands)
        said = set()
        for folder in ("src/policy/doctor", "src/proc/doctor"):
            for name in os.listdir(os.path.join(ROOT, folder)):
                if name.endswith((".c", ".h")):
                    with open(os.path.join(ROOT, folder, name)) as f:
                        text = re.sub(r'"\s*\n\s*"', "", f.read())
                    said |= set(re.findall(r"(?<![-a-z/.])posthorn ([a-z]+)(?: ([a-z]+))?((?: --[a-z-]+)*)", text))
        self.assertGreater(len(said), 8)
        for word, second, options in sorted(said):
            self.assertTrue((word, "") in commands or (word, second) in commands, f"posthorn {word} {second}")
            for option in options.split():
                self.assertIn(option, usage(word, "--help"))


class Before(unittest.TestCase):
    def test_before_install(self):
        stub = DnsStub(["127.0.0.1"])
        stub.load(COMMON + "demo.test SOA ns1.demo.test h.demo.test 1 2 3 4 5\ndemo.test NS ns1.demo.test\nns1.demo.test A 127.0.0.1\n"
                  'demo.test MX 10 mail.other.test\ndemo.test TXT "v=spf1 include:_spf.other.test -all"\n')
        taken = socket.create_server(("127.0.0.1", 0))
        h = House(accounts=[])
        try:
            r = h.tool("doctor", "--before-install", "127.0.0.1", "demo.test", "--resolver", f"127.0.0.1@{stub.port}",
                       "--outward", f"127.0.0.1@{free_port()}", "--json", check=False)
            found = {f["id"]: f for f in json.loads(r.stdout)["findings"]}
            self.assertIn("Mail for demo.test goes to mail.other.test today.", [f["what"] for f in json.loads(r.stdout)["findings"]])
            self.assertIn("port25-out", found)
            self.assertIn("Ask the provider", found["port25-out"]["mend"])
            self.assertEqual(r.returncode, 2)
            self.assertNotIn("mx-elsewhere", found)
            r = h.tool("doctor", "--before-install", "not an address", "demo.test", check=False)
            self.assertIn("no address", r.stderr)
            r = h.tool("doctor", "--before-install", "127.0.0.1", check=False)
            self.assertIn("name the domain", r.stderr)
        finally:
            taken.close()
            h.remove()
            stub.stop()
