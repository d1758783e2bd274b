"""How long believing a sender waits for the DNS: what can be asked together is asked together. The name server holds every answer
until all questions of a round are there (harness/dns_gate.py), so that the proof is the order of questions and no clock: were one
of them asked after the answer to another, the message would time out with temperror."""
import re
import smtplib
import socket
import subprocess
import tempfile
import base64
import os
import unittest

from harness.dns_gate import DnsGate
from harness.house import House

try:
    import dkim
    import nacl.signing
except ImportError:
    dkim = None


def outer_address():
    """An address of this machine that is not on loopback, where a PTR is asked for; None: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # nothing is sent
            a = s.getsockname()[0]
        except OSError:
            return None
    return None if a.startswith("127.") else a


def reverse(address):
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


class Signer:
    """Two keys that are not ours."""

    def __init__(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "rsa")
            subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"], check=True, stderr=subprocess.DEVNULL)
            with open(path, "rb") as f:
                self.rsa = f.read()
            self.rsa_public = base64.b64encode(subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "der"], check=True,
                                                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout).decode()
        self.ed = nacl.signing.SigningKey.generate()

    def message(self, domain):
        m = (f"From: Ann <ann@news.{domain}>\r\nTo: Alice <alice@demo.test>\r\nSubject: rounds\r\nDate: Sun, 22 Nov 2026 04:00:00 +0000\r\n"
             f"Message-ID: <1@{domain}>\r\n\r\nhello\r\n").encode()
        how = {"canonicalize": (b"relaxed", b"relaxed"), "include_headers": [b"from", b"to", b"subject"]}
        d = domain.encode()
        return (dkim.sign(m, b"s1", d, self.rsa, **how) +
                dkim.sign(m, b"s2", d, base64.b64encode(bytes(self.ed)), signature_algorithm=b"ed25519-sha256", **how) + m)

    def zone(self, d, address):
        """SPF is a chain of four: the record, an include, one inside it, and an address."""
        p = self.rsa_public
        return (f'news.{d} TXT "v=spf1 include:_spf.{d} -all"\n_spf.{d} TXT "v=spf1 include:_more.{d} ~all"\n'
                f'_more.{d} TXT "v=spf1 a:out.{d} ~all"\nout.{d} A {address}\n'
                f's1._domainkey.{d} TXT "v=DKIM1; k=rsa; p={p[:200]}" "{p[200:]}"\n'
                f's2._domainkey.{d} TXT "v=DKIM1; k=ed25519; p={base64.b64encode(bytes(self.ed.verify_key)).decode()}"\n'
                f'_dmarc.{d} TXT "v=DMARC1; p=reject"\n')

    @staticmethod
    def rounds(d, address):
        """What is asked, by when it can be."""
        first = {(f"news.{d}", "TXT"), (f"s1._domainkey.{d}", "TXT"), (f"s2._domainkey.{d}", "TXT"), (f"_dmarc.news.{d}", "TXT"),
                 (f"_dmarc.{d}", "TXT"), ("_dmarc.test", "TXT"), (reverse(address), "PTR")}
        return [first, {(f"_spf.{d}", "TXT"), (f"client.{d}", "A")}, {(f"_more.{d}", "TXT")}, {(f"out.{d}", "A")}]


@unittest.skipIf(dkim is None, "dkimpy or PyNaCl is not installed")
class Rounds(unittest.TestCase):
    def test_as_many_rounds_as_the_longest_chain(self):
        address = outer_address()
        if not address:
            self.skipTest("this machine has no address but loopback, whose name nobody asks for")
        signer, d, gate = Signer(), "far.test", DnsGate()
        gate.load(signer.zone(d, address) + f"{reverse(address)} PTR client.{d}\nclient.{d} A {address}\n")
        try:
            with House(accounts=["alice"], resolver=f"127.0.0.1@{gate.port}") as house:
                rounds = signer.rounds(d, address)
                gate.expect(rounds)
                with smtplib.SMTP("127.0.0.1", house.port["smtp"], f"client.{d}", source_address=(address, 0)) as c:
                    c.sendmail(f"bounce@news.{d}", ["alice@demo.test"], signer.message(d))
                m = re.sub(r"\r\n[ \t]+", " ", house.wait_mail("alice", 1)[0].decode())
                self.assertEqual((gate.counts(), gate.missing()), ((len(rounds), len(rounds)), []), gate.log)
                results = re.search(r"(?m)^Authentication-Results: (.*)$", m)[1]
                for word in ("iprev=pass", "spf=pass", "dmarc=pass"):
                    self.assertIn(word, results)
                self.assertEqual(len(re.findall("dkim=pass", results)), 2, results)
                # by the order of events: all of a round was asked before anything of it was answered, and nothing else was asked
                seen = [(what, (name, kind)) for _, what, name, kind in gate.log]
                for r in rounds:
                    asked = [i for i, (w, k) in enumerate(seen) if w == "asked" and k in r]
                    answered = [i for i, (w, k) in enumerate(seen) if w == "answered" and k in r]
                    first_of_each = {k: min(i for i in asked if seen[i][1] == k) for k in r}
                    self.assertLess(max(first_of_each.values()), min(answered))
                self.assertEqual([k for k in gate.others if k[0].endswith(d) or k[0].endswith("in-addr.arpa")], [])
        finally:
            gate.stop()


if __name__ == "__main__":
    unittest.main()
