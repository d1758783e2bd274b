"""`posthorn authcheck` from outside: DMARC by RFC 9989 case by case, messages and envelopes of every shape, and what it says when it is
used wrongly. What SPF, DKIM and ARC say of the public suites is asked in the same way in the files beside this one."""
import base64
import concurrent.futures
import hashlib
import os
import re
import tempfile
import unittest

from harness.as_outsider import COMMAND, STYLES, authcheck, run, zone_file

try:
    import nacl.signing
except ImportError:
    nacl = None

AT = 1700000000
SENDER = ["--ip", "192.0.2.1", "--helo", "h.example.com", "--mail-from"]


def dmarc(domain, text):
    return "_dmarc." + domain, "TXT", [text]


def spf(domain, text="v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"):
    return domain, "TXT", [text]


def here(domain):
    return domain, "A", "192.0.2.99"


def message(author="a@example.com", body="hello\r\n", fields=""):
    return (f"From: {author}\r\nTo: b@example.net\r\nSubject: x\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
            f"Message-ID: <1@example.com>\r\n{fields}\r\n{body}").encode()


class Signer:
    """An Ed25519 key of s1._domainkey.DOMAIN, and relaxed/relaxed signatures with it, written after RFC 6376 and 8463."""

    def __init__(self):
        self.key = nacl.signing.SigningKey(b"\x07" * 32)

    def record(self, domain):
        p = base64.b64encode(bytes(self.key.verify_key)).decode()
        return f"s1._domainkey.{domain}", "TXT", [f"v=DKIM1; k=ed25519; p={p}"]

    def sign(self, m, domain, more=""):
        header, _, body = m.partition(b"\r\n\r\n")
        body = re.sub(rb"[ \t]+", b" ", re.sub(rb"[ \t]+\r\n", b"\r\n", body)).rstrip(b"\r\n")
        bh = base64.b64encode(hashlib.sha256(body + b"\r\n" if body else b"").digest()).decode()
        names = ["from", "to", "subject"]
        values = {line.split(b":")[0].lower().decode(): line.split(b":", 1)[1].strip() for line in header.split(b"\r\n")}
        tags = f"v=1; a=ed25519-sha256; c=relaxed/relaxed; d={domain}; s=s1; {more}h={':'.join(names)}; bh={bh}; b="
        data = b"".join(n.encode() + b":" + re.sub(rb"[ \t]+", b" ", values[n]) + b"\r\n" for n in names) + b"dkim-signature:" + tags.encode()
        b = base64.b64encode(self.key.sign(hashlib.sha256(data).digest()).signature).decode()
        return b"DKIM-Signature: " + tags.encode() + b.encode() + b"\r\n" + m


DEEP = "a.b.c.d.e.f.g.h.i.j.example.com"

# name, records, From, MAIL FROM, then result, policy and applied. The client passes SPF for every domain that has the record above.
CASES = [
    ("SPF of the domain", [dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com")], "a@example.com", "x@example.com", "pass reject none"),
    ("SPF below it", [dmarc("example.com", "v=DMARC1; p=reject"), spf("m.example.com")], "a@example.com", "x@m.example.com", "pass reject none"),
    ("SPF above it", [dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com")], "a@m.example.com", "x@example.com", "pass reject none"),
    ("SPF below it, strict", [dmarc("example.com", "v=DMARC1; p=reject; aspf=s"), spf("m.example.com")], "a@example.com", "x@m.example.com",
     "fail reject reject"),
    ("SPF of another", [dmarc("example.com", "v=DMARC1; p=quarantine"), spf("other.example")], "a@example.com", "x@other.example",
     "fail quarantine quarantine"),
    ("SPF softfail", [dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com", "v=spf1 ~all")], "a@example.com", "x@example.com",
     "fail reject reject"),
    ("SPF not known", [dmarc("example.com", "v=DMARC1; p=reject"), ("example.com", "TIMEOUT", None)], "a@example.com", "x@example.com",
     "temperror reject none"),
    ("the null sender", [dmarc("example.com", "v=DMARC1; p=reject"), spf("h.example.com")], "a@example.com", "", "pass reject none"),
    ("HELO beside a sender", [dmarc("example.com", "v=DMARC1; p=reject"), spf("h.example.com")], "a@example.com", "x@other.example",
     "fail reject reject"),
    ("p=none", [dmarc("example.com", "v=DMARC1; p=none")], "a@example.com", "", "fail none none"),
    ("no record", [here("example.com")], "a@example.com", "", "none none none"),
    ("two records", [dmarc("example.com", "v=DMARC1; p=reject"), dmarc("example.com", "v=DMARC1; p=none")], "a@example.com", "", "none none none"),
    ("another text beside it", [dmarc("example.com", "hello"), dmarc("example.com", "v=DMARC1; p=reject")], "a@example.com", "", "fail reject reject"),
    ("an alias", [("_dmarc.example.com", "CNAME", "d.example"), ("d.example", "TXT", ["v=DMARC1; p=reject"])], "a@example.com", "",
     "fail reject reject"),
    ("SERVFAIL", [("_dmarc.example.com", "SERVFAIL", None)], "a@example.com", "", "temperror none none"),
    ("TIMEOUT", [("_dmarc.example.com", "TIMEOUT", None)], "a@example.com", "", "temperror none none"),
    ("BOGUS", [("_dmarc.example.com", "BOGUS", None)], "a@example.com", "", "temperror none none"),
    ("sp", [dmarc("example.com", "v=DMARC1; p=reject; sp=quarantine"), here("m.example.com")], "a@m.example.com", "", "fail quarantine quarantine"),
    ("sp does not matter", [dmarc("example.com", "v=DMARC1; p=reject; sp=none")], "a@example.com", "", "fail reject reject"),
    ("p for below", [dmarc("example.com", "v=DMARC1; p=reject"), here("m.example.com")], "a@m.example.com", "", "fail reject reject"),
    ("np", [dmarc("example.com", "v=DMARC1; p=none; sp=quarantine; np=reject")], "a@nx.example.com", "", "fail reject reject"),
    ("np, but it exists", [dmarc("example.com", "v=DMARC1; p=none; sp=quarantine; np=reject"), here("m.example.com")], "a@m.example.com", "",
     "fail quarantine quarantine"),
    ("np, but a name below exists", [dmarc("example.com", "v=DMARC1; p=none; sp=quarantine; np=reject"), here("x.m.example.com")], "a@m.example.com",
     "", "fail quarantine quarantine"),
    ("np, but a CAA record exists", [dmarc("example.com", "v=DMARC1; p=none; sp=quarantine; np=reject"), ("m.example.com", "CAA", '0 issue "x"')],
     "a@m.example.com", "", "fail quarantine quarantine"),
    ("sp for np", [dmarc("example.com", "v=DMARC1; p=none; sp=quarantine")], "a@nx.example.com", "", "fail quarantine quarantine"),
    ("a record of its own", [dmarc("m.example.com", "v=DMARC1; p=none"), dmarc("example.com", "v=DMARC1; p=reject; sp=reject")], "a@m.example.com", "",
     "fail none none"),
    ("t=y, reject", [dmarc("example.com", "v=DMARC1; p=reject; t=y")], "a@example.com", "", "fail reject quarantine"),
    ("t=y, quarantine", [dmarc("example.com", "v=DMARC1; p=quarantine; t=y")], "a@example.com", "", "fail quarantine none"),
    ("t=n, pct=0", [dmarc("example.com", "v=DMARC1; p=reject; t=n; pct=0")], "a@example.com", "", "fail reject reject"),
    ("four labels above", [dmarc("d.example", "v=DMARC1; p=reject")], "a@a.b.c.d.d.example", "", "fail reject reject"),
    ("the walk from twelve labels ends up", [dmarc("example.com", "v=DMARC1; p=reject")], "a@" + DEEP, "", "fail reject reject"),
    ("it asks for the name itself", [dmarc(DEEP, "v=DMARC1; p=reject")], "a@" + DEEP, "", "fail reject reject"),
    ("then for seven labels", [dmarc("f.g.h.i.j.example.com", "v=DMARC1; p=reject")], "a@" + DEEP, "", "fail reject reject"),
    ("not for eight", [dmarc("e.f.g.h.i.j.example.com", "v=DMARC1; p=reject")], "a@" + DEEP, "", "none none none"),
    ("from eight labels none is left out", [dmarc("f.g.h.i.j.example.com", "v=DMARC1; p=reject")], "a@e.f.g.h.i.j.example.com", "",
     "fail reject reject"),
    ("psd=n ends the walk", [dmarc("a.bank.example", "v=DMARC1; p=quarantine; psd=n"), dmarc("bank.example", "v=DMARC1; p=reject"),
                             spf("bank.example")], "u@x.a.bank.example", "x@bank.example", "fail quarantine quarantine"),
    ("psd=y: two domains below it are strangers", [dmarc("bank.example", "v=DMARC1; p=reject; psd=y"), spf("b.bank.example"), here("a.bank.example")],
     "u@a.bank.example", "x@b.bank.example", "fail reject reject"),
    ("psd=y: one domain below it", [dmarc("bank.example", "v=DMARC1; p=reject; psd=y"), spf("m.a.bank.example"), here("a.bank.example")],
     "u@a.bank.example", "x@m.a.bank.example", "pass reject none"),
    ("psd=y with np", [dmarc("example", "v=DMARC1; p=none; psd=y; np=reject")], "u@nx.example", "", "fail reject reject"),
    ("psd=u", [dmarc("example.com", "v=DMARC1; p=reject; psd=u"), spf("m.example.com")], "a@example.com", "x@m.example.com", "pass reject none"),
    ("rua alone", [dmarc("example.com", "v=DMARC1; rua=mailto:d@example.com")], "a@example.com", "", "fail none none"),
    ("p that is none, with rua", [dmarc("example.com", "v=DMARC1; p=foo; rua=mailto:d@example.com")], "a@example.com", "", "fail none none"),
    ("p that is none", [dmarc("example.com", "v=DMARC1; p=foo")], "a@example.com", "", "none none none"),
    ("the version in lower case", [dmarc("example.com", "v=dmarc1; p=reject")], "a@example.com", "", "none none none"),
    ("blanks and case", [dmarc("example.com", "v = DMARC1 ;adkim=s;  p = REJECT;")], "a@example.com", "", "fail reject reject"),
    ("From in capitals", [dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com")], "A@EXAMPLE.COM", "x@example.com", "pass reject none"),
    ("a name that looks like an address", [dmarc("example.com", "v=DMARC1; p=reject"), spf("evil.example")], '"a@evil.example" <a@example.com>',
     "x@evil.example", "fail reject reject"),
    ("U-labels", [dmarc("xn--bcher-kva.example", "v=DMARC1; p=reject")], "a@bücher.example", "", "fail reject reject"),
    ("two addresses: the worst result", [dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com"), dmarc("evil.example", "v=DMARC1; p=quarantine")],
     "a@example.com, b@evil.example", "x@example.com", "fail quarantine quarantine"),
    ("two addresses of one domain", [dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com")], "a@example.com, b@example.com",
     "x@example.com", "pass reject none"),
    ("one that cannot be looked at beside one that can", [dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com")],
     "a@example.com, b@[192.0.2.1]", "x@example.com", "permerror none quarantine"),
    ("an address literal", [], "a@[192.0.2.1]", "", "permerror none quarantine"),
    ("no address", [], "", "", "permerror none none"),
    ("a group", [], "undisclosed:;", "", "permerror none none"),
]


class Dmarc(unittest.TestCase):
    def test_cases(self):
        wrong = []

        def one(i, name, records, author, mail_from, want):
            r = authcheck(*SENDER, mail_from, message=message(author), dns=zone_file(records, list(STYLES)[i % len(STYLES)]))
            d = r["dmarc"]
            if [d["result"], d["policy"], d["applied"]] != want.split() or not d["reason"]:
                return [f"{name}: {d}, not {want}"]
            if f"dmarc={d['result']}" not in r["authentication_results"]:
                return [f"{name}: {r['authentication_results']}"]
            return []
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for found in [pool.submit(one, i, *c) for i, c in enumerate(CASES)]:
                wrong += found.result()
        self.assertFalse(wrong, "\n".join(wrong))

    def test_domain_is_the_author_s(self):
        record = [dmarc("example.com", "v=DMARC1; p=reject")]
        for author, domain in (("a@m.Example.com", "m.example.com"), ("a@bücher.example", "xn--bcher-kva.example"), ("a@[192.0.2.1]", "")):
            self.assertEqual(authcheck(*SENDER, "", message=message(author), dns=zone_file(record))["dmarc"]["domain"], domain)

    def test_one_from_field(self):
        two = b"From: b@evil.example\r\n" + message()
        r = authcheck(*SENDER, "x@example.com", message=two, dns=zone_file([dmarc("example.com", "v=DMARC1; p=reject"), spf("example.com")]))
        self.assertEqual([r["dmarc"][k] for k in ("result", "domain", "policy", "applied")], ["permerror", "", "none", "reject"])
        self.assertIn("more than one From", r["dmarc"]["reason"])


class House(unittest.TestCase):
    """With the configuration of a server: its name, and the forwarders it knows."""

    def test_a_known_forwarder(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("hostname mx.receiver.example\ndata /nowhere\nlisten smtp 192.0.2.250:25\nforwarder 192.0.2.0/24\n")
            f.flush()
            for ip, applied in (("192.0.2.1", "none"), ("198.51.100.1", "reject")):
                r = authcheck("--config", f.name, "--ip", ip, "--helo", "h.example.com", "--mail-from", "", message=message(),
                              dns=zone_file([dmarc("example.com", "v=DMARC1; p=reject")]))
                self.assertEqual([r["dmarc"][k] for k in ("result", "policy", "applied")], ["fail", "reject", applied])
                self.assertTrue(r["authentication_results"].startswith("mx.receiver.example; "))


@unittest.skipIf(nacl is None, "there is no PyNaCl (python3-nacl)")
class Signed(unittest.TestCase):
    def setUp(self):
        self.signer = Signer()
        self.dns = zone_file([dmarc("example.com", "v=DMARC1; p=reject"), self.signer.record("example.com"), spf("example.com"),
                              spf("h.example.com", "v=spf1 a -all"), ("h.example.com", "A", "192.0.2.1")])
        self.good = self.signer.sign(message(), "example.com")

    def ask(self, m, *more, **kw):
        return authcheck(*SENDER, "x@other.example", *more, message=m, dns=kw.get("dns", self.dns))

    def results(self, m, *more, **kw):
        return [d["result"] for d in self.ask(m, *more, **kw)["dkim"]]

    def test_files(self):
        """However a message lies in a file, it is the message."""
        long = self.signer.sign(message(body="y" * 300000 + "\r\n"), "example.com")
        large = self.signer.sign(message(body=("y" * 76 + "\r\n") * 400000), "example.com")
        empty = self.signer.sign(message(body=""), "example.com")
        eight = self.signer.sign(message('"J\u00fcrgen" <a@example.com>', "gr\u00fc\u00dfe\r\n"), "example.com")
        files = {"CRLF": self.good, "LF": self.good.replace(b"\r\n", b"\n"), "no last line end": self.good[:-2],
                 "of an mbox": b"From a@example.com Tue Nov 14 22:13:20 2023\n" + self.good.replace(b"\r\n", b"\n"),
                 "of an mbox, CRLF": b"From a@example.com Tue Nov 14 22:13:20 2023\r\n" + self.good,
                 "empty body": empty, "header only": empty[:-2], "header only, no line end": empty[:-4], "a long line": long, "30 MB": large, "8 bit": eight,
                 "Latin-1": self.signer.sign(message(body="").replace(b"Subject: x", b"Subject: gr\xfc\xdfe") + b"\xfc\r\n", "example.com")}
        for name, m in files.items():
            with self.subTest(name):
                r = self.ask(m)
                self.assertEqual(([d["result"] for d in r["dkim"]], r["dmarc"]["result"], r["dmarc"]["applied"]), (["pass"], "pass", "none"), r)
                self.assertEqual((r["dkim"][0]["domain"], r["dkim"][0]["selector"]), ("example.com", "s1"))

    def test_files_that_are_hardly_messages(self):
        for name, m in {"nothing": b"", "one line end": b"\n", "a body alone": b"\nhello\n", "a word": b"hello", "octets": bytes(range(256)) * 80,
                        "an mbox line alone": b"From a Tue Nov 14 22:13:20 2023"}.items():
            with self.subTest(name):
                r = self.ask(m)
                self.assertEqual((r["dkim"], r["arc"]["result"], r["dmarc"]["result"], r["dmarc"]["domain"]), ([], "none", "permerror", ""))

    def test_old_spelling_of_from(self):
        self.assertEqual(self.ask(b"From : a@example.com\n\nhi\n")["dmarc"]["domain"], "example.com")

    def test_changed(self):
        for name, m in {"body": self.good.replace(b"hello", b"hallo"), "NUL in the body": self.good.replace(b"hello", b"he\0lo"),
                        "bare CR": self.good.replace(b"hello", b"he\rllo"), "subject": self.good.replace(b"Subject: x", b"Subject: y")}.items():
            with self.subTest(name):
                r = self.ask(m)
                self.assertEqual(([d["result"] for d in r["dkim"]], r["dmarc"]["result"], r["dmarc"]["applied"]), (["fail"], "fail", "reject"))
        for name, m in {"a line that is no field": self.good.replace(b"\r\nTo:", b"\r\njunk\r\nTo:"),
                        "NUL in the header": self.good.replace(b"Subject: x", b"Subject: x\0")}.items():
            with self.subTest(name):
                self.assertEqual(self.results(m), ["permerror"])

    def test_at(self):
        m = self.signer.sign(message(), "example.com", f"t={AT}; x={AT + 1000}; ")
        self.assertEqual([self.results(m, "--at", str(AT + s)) for s in (0, 999, 1001)], [["pass"], ["pass"], ["fail"]])
        self.assertIn("expired", self.ask(m, "--at", str(AT + 1001))["dkim"][0]["reason"])
        self.assertEqual(self.results(m, "--at", "0"), ["pass"])  # the signer's clock is ahead; RFC 6376 §3.5 leaves it to us
        self.assertEqual(self.results(m), ["fail"])  # now

    def test_keys(self):
        def other(kind, data=None):
            return zone_file([("s1._domainkey.example.com", kind, data), dmarc("example.com", "v=DMARC1; p=reject")])
        for dns, want, dmarc_result in ((zone_file([]), "permerror", "none"), (other("A", "192.0.2.1"), "permerror", "fail"),
                                        (other("SERVFAIL"), "temperror", "temperror"), (other("TIMEOUT"), "temperror", "temperror"),
                                        (other("BOGUS"), "temperror", "temperror"), (other("TXT", ["v=DKIM1; k=ed25519; p="]), "permerror", "fail"),
                                        (other("TXT", ["v=DKIM1; k=ed25519; p=AAAA"]), "permerror", "fail")):
            with self.subTest(dns):
                r = self.ask(self.good, dns=dns)
                self.assertEqual((r["dkim"][0]["result"], r["dmarc"]["result"]), (want, dmarc_result))
                self.assertTrue(r["dkim"][0]["reason"])

    def test_several_signatures_in_order(self):
        m = self.signer.sign(self.signer.sign(self.good, "other.example"), "m.example.com")
        dns = self.dns + zone_file([self.signer.record("m.example.com")])
        r = self.ask(m, dns=dns)
        self.assertEqual([(d["result"], d["domain"]) for d in r["dkim"]], [("pass", "m.example.com"), ("permerror", "other.example"), ("pass", "example.com")])
        self.assertEqual(r["dmarc"]["result"], "pass")

    def test_standard_input(self):
        p = run(*SENDER, "", "-", stdin=self.good, dns=self.dns)
        self.assertEqual(p.stdout, run(*SENDER, "", message=self.good, dns=self.dns).stdout)
        self.assertIn(b'"pass"', p.stdout)

    def test_many_at_once_say_the_same(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            said = set(p.stdout for p in pool.map(lambda _: run(*SENDER, "", message=self.good, dns=self.dns), range(24)))
        self.assertEqual(len(said), 1)

    def test_unsigned(self):
        r = self.ask(message())
        self.assertEqual((r["dkim"], r["arc"]), ([], {"result": "none", "reason": ""}))
        self.assertIn("dkim=none", r["authentication_results"])


class Envelope(unittest.TestCase):
    dns = zone_file([spf("example.com"), spf("h.example.com"), ("xn--bcher-kva.example", "TXT", ["v=spf1 -all exp=why.example"]),
                     ("why.example", "TXT", ["%{i} is not ", "for %{l} of %{o}"])])

    def spf(self, ip, helo, mail_from):
        r = authcheck("--no-message", "--ip", ip, "--helo", helo, "--mail-from", mail_from, dns=self.dns)
        self.assertEqual((r["dkim"], r["arc"]["result"], r["dmarc"]), ([], "none", {"result": "none", "domain": "", "policy": "none", "applied": "none", "reason": ""}))
        return r["spf"]

    def test_senders(self):
        for mail_from, result, domain in (
                ("x@example.com", "pass", "example.com"), ("<x@example.com>", "pass", "example.com"), ("x@EXAMPLE.com", "pass", "example.com"),
                ("", "pass", "h.example.com"), ("<>", "pass", "h.example.com"), ("@example.com", "pass", "example.com"),
                ("example.com", "pass", "example.com"), ('"a b"@example.com', "pass", "example.com"), ("a@b@example.com", "pass", "example.com"),
                ("x@[192.0.2.1]", "none", ""), ("x@a..b", "none", ""), ("x y", "none", ""), ("x@nowhere.example", "none", "nowhere.example"),
                ("x@b\u00fccher.example", "fail", "xn--bcher-kva.example")):
            with self.subTest(mail_from):
                r = self.spf("192.0.2.1", "h.example.com", mail_from)
                self.assertEqual((r["result"], r["domain"]), (result, domain))

    def test_helo(self):
        for helo, result, domain in (("H.Example.COM", "pass", "h.example.com"), ("h.example.com.", "pass", "h.example.com"), ("[192.0.2.1]", "none", ""),
                                     ("[IPv6:2001:db8::1]", "none", ""), ("", "none", ""), ("a b", "none", ""), ("x" * 300, "none", "")):
            with self.subTest(helo):
                r = self.spf("192.0.2.1", helo, "")
                self.assertEqual((r["result"], r["domain"]), (result, domain))

    def test_addresses(self):
        for ip, result in (("192.0.2.1", "pass"), ("192.0.2.2", "fail"), ("2001:db8::1", "pass"), ("2001:DB8:0:0:0:0:0:1", "pass"),
                           ("2001:db8::2", "fail"), ("::ffff:192.0.2.1", "pass"), ("::ffff:c000:201", "pass")):
            with self.subTest(ip):
                self.assertEqual(self.spf(ip, "h.example.com", "x@example.com")["result"], result)

    def test_explanation(self):
        self.assertEqual(self.spf("192.0.2.7", "h.example.com", "ann@b\u00fccher.example")["explanation"], "192.0.2.7 is not for ann of xn--bcher-kva.example")
        self.assertEqual(self.spf("192.0.2.7", "h.example.com", "x@example.com")["explanation"], "")  # it names none
        self.assertEqual(self.spf("192.0.2.1", "h.example.com", "x@example.com")["explanation"], "")

    def test_a_message_that_is_not_to_be_read(self):
        r = authcheck("--no-message", "/nowhere", "--ip", "192.0.2.1", "--helo", "h.example.com", "--mail-from", "", dns=self.dns)
        self.assertEqual(r["spf"]["result"], "pass")

    def test_no_envelope(self):
        r = authcheck(message=message(), dns=self.dns)
        self.assertEqual(r["spf"], {"result": "none", "domain": "", "explanation": ""})


class Misuse(unittest.TestCase):
    def refused(self, p, status, *words):
        self.assertEqual((p.returncode, p.stdout), (status, b""))
        text = p.stderr.decode()
        for word in words:
            self.assertIn(word, text)
        if status == 1:
            self.assertEqual(text.count("\n"), 1, "one sentence")

    def test_records_that_cannot_be_read(self):
        for line, word in (("example.com FOO bar", "no type of record: FOO"), ("example.com TXT \"open", "quote"), ("example.com A 1.2.3", "data"),
                           ("example.com SERVFAIL TXT", "failure"), ("@ TXT x", "@"), ("$ORIGIN example.com.", "$ORIGIN"), ("a..b TXT x", "label"),
                           ("example.com TXT ( x", "parenthesis"), ("example.com", "missing")):
            with self.subTest(line):
                p = run("--no-message", "--ip", "192.0.2.1", dns=f"; one\r\nexample.com A 192.0.2.1\n\n{line}\n".encode())
                self.refused(p, 1, "dns cannot be used: line 4: ", word)

    def test_files_that_are_not_there(self):
        self.refused(run("/nowhere", "--ip", "192.0.2.1"), 1, "/nowhere cannot be read")
        self.refused(run("--no-message", "--ip", "192.0.2.1", "--dns", "/nowhere"), 1, "/nowhere cannot be read")

    def test_command_lines(self):
        self.assertTrue(os.path.exists(COMMAND))
        for arguments, word in ((["--ip", "192.0.2.1"], "message"), (["--no-message"], "--ip"), (["-", "--ip", "nonsense"], "nonsense"),
                                (["-", "--helo", "x"], "--ip"), (["-", "--at", "soon"], "soon"), (["-", "--at", "-1"], "-1"), (["-", "-"], "too much"),
                                (["--no-message", "--ip"], "needs a value")):
            with self.subTest(arguments):
                self.refused(run(*arguments), 2, word, "usage: posthorn authcheck")


if __name__ == "__main__":
    unittest.main()
