"""Somebody moves here with the DKIM keys of opendkim-genkey and rspamadm: `posthorn dkim import` takes them in, they sign as soon as
the DNS shows the records that were there all along, and what they sign is verified by OpenDKIM's and dkimpy's own code."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness.house import House, have, wait_for

try:
    import dkim
    from harness.dns_stub import DnsStub
except ImportError:  # python3-dkim, python3-dnspython
    dkim = DnsStub = None


def record_of(text):
    """The record's text of what a key maker printed for a zone file."""
    return "".join(re.findall(r'"([^"]*)"', text))


@unittest.skipUnless(dkim and DnsStub, "python3-dkim or python3-dnspython is not installed")
class Import(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="posthorn-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.stub = DnsStub()
        self.addCleanup(self.stub.stop)
        self.records = {}
        self.load()
        self.house = House(resolver=f"127.0.0.1@{self.stub.port}")
        self.house.__enter__()

    def tearDown(self):
        failed = any(e for _, e in getattr(getattr(self, "_outcome", None), "errors", []) or [])
        self.house.__exit__(AssertionError if failed else None, None, None)

    def load(self):
        self.stub.load("demo.test SOA ns.demo.test. p.demo.test. 1 60 60 3600 60\n" + "".join(
            f"{name} 60 TXT " + " ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200)) + "\n"
            for name, text in self.records.items()))

    def publish(self, selector, text):
        self.records[f"{selector}._domainkey.demo.test"] = record_of(text)
        self.load()

    def keys(self):
        return {k["selector"]: k for k in self.house.tool_json("dkim", "list")[0]}

    def taken(self, selector, path, algorithm):
        r = self.house.tool("dkim", "import", "demo.test", selector, path)
        wait_for(f"{selector} signs", lambda: (self.house.tool("dkim", "check", "demo.test"), self.keys())[1][selector]["state"] == "signing", 20)
        self.assertEqual(self.keys()[selector]["algorithm"], algorithm)
        return r

    def signed(self):
        """What alice sends is signed by these selectors, and the signatures hold."""
        h = self.house
        have_now = len(h.mailbox("bob"))

        def once():
            # judge keeps what it knows of a domain's keys for some seconds
            n = len(h.mailbox("bob"))
            h.deliver("alice@demo.test", ["bob@demo.test"], "From: <alice@demo.test>\r\nTo: <bob@demo.test>\r\nSubject: moved\r\n\r\nhello\r\n",
                      service="submission", user="alice")
            m = h.wait_mail("bob", n + 1)[-1]
            return m if m.count(b"DKIM-Signature:") else None
        m = wait_for("it is signed", once, 40)
        self.assertGreater(len(h.mailbox("bob")), have_now)
        m = m[m.index(b"DKIM-Signature:"):]
        selectors = re.findall(rb"\bs=([^;\s]+)", m.split(b"\r\n\r\n")[0])

        def txt(name, timeout=5):
            return self.records.get(name.decode().rstrip("."), "").encode() or None
        for i in range(len(selectors)):
            self.assertTrue(dkim.DKIM(m).verify(idx=i, dnsfunc=txt), selectors[i])
        return sorted(s.decode() for s in selectors)

    @unittest.skipUnless(*have("opendkim-genkey"))
    def test_opendkim(self):
        subprocess.run(["opendkim-genkey", "-b", "2048", "-d", "demo.test", "-s", "moved", "-D", self.folder], check=True)
        with open(f"{self.folder}/moved.txt") as f:
            self.publish("moved", f.read())
        self.taken("moved", f"{self.folder}/moved.private", "rsa")
        self.assertEqual(self.signed(), ["moved"])
        again = self.house.tool("dkim", "import", "demo.test", "moved", f"{self.folder}/moved.private", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("there is a key demo.test,moved already", again.stderr)
        # it outlives the process
        self.house.kill("keys")
        self.house.wait_whole()
        self.assertEqual(self.signed(), ["moved"])

    @unittest.skipUnless(*have("rspamadm"))
    def test_rspamd(self):
        for selector, kind in (("short", ["-b", "1024"]), ("curve", ["-t", "ed25519"])):
            path = f"{self.folder}/{selector}.key"
            r = subprocess.run(["rspamadm", "dkim_keygen", "-d", "demo.test", "-s", selector, "-k", path] + kind, check=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.publish(selector, r.stdout)
            said = self.taken(selector, path, "rsa" if selector == "short" else "ed25519")
            self.assertEqual("1024 bits" in said.stderr, selector == "short", said.stderr)
        wait_for("both sign", lambda: self.signed() == ["curve", "short"], 40)

    def test_what_is_no_key_is_refused_with_words(self):
        h = self.house

        def refused(words, *args):
            r = h.tool("dkim", "import", *args, check=False)
            self.assertEqual(r.returncode, 1, r.stdout)
            self.assertIn(words, r.stderr)
        odd = f"{self.folder}/odd"
        ec = f"{self.folder}/ec"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", ec], check=True)
        with open(odd, "w") as f:
            f.write("this is no key\n")
        refused("holds no private key", "demo.test", "a", odd)
        with open(odd, "w") as f:
            f.write("x" * 100000)
        refused("too long", "demo.test", "a", odd)
        refused("neither RSA", "demo.test", "a", ec)
        refused("cannot read", "demo.test", "a", "/nowhere")
        refused("no domain foreign.test here", "foreign.test", "a", ec)
        refused("no selector", "demo.test", "../a b", ec)
        self.assertFalse(any(s in self.keys() for s in ("a", "../a b")))


if __name__ == "__main__":
    unittest.main()
