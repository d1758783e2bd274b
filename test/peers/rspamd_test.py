"""With rspamd: it finds good what we sign; we find good what it signs; and of the same messages and the same DNS both say
the same about SPF, DKIM and DMARC."""
import json
import os
import subprocess
import unittest

from dkim_test import BUILD, MADE, Base, crlf
from harness.house import have
from knot import Knot
from rspamd import Rspamd

ADDRESSES = ("198.51.100.9", "203.0.113.77")  # of example.org, and of nobody
# what rspamd says, in our words
SPF = {"R_SPF_ALLOW": "pass", "R_SPF_FAIL": "fail", "R_SPF_SOFTFAIL": "softfail", "R_SPF_NEUTRAL": "neutral", "R_SPF_NA": "none"}
DKIM = {"R_DKIM_ALLOW": "pass", "R_DKIM_REJECT": "fail", "R_DKIM_NA": "none"}
DMARC = {"DMARC_POLICY_ALLOW": "pass", "DMARC_POLICY_REJECT": "fail", "DMARC_POLICY_QUARANTINE": "fail", "DMARC_POLICY_SOFTFAIL": "fail",
         "DMARC_NA": "none"}
# rspamd 3.4 takes no message with an empty body, and loses a field with a blank before its colon (RFC 5322 §4.5)
PLAIN = [crlf(m) for m in MADE if m.partition(b"\n\n")[2].strip() and b" : " not in m]


def said(symbols, words):
    return next((w for s, w in words.items() if s in symbols), "nothing")


@unittest.skipUnless(*have("rspamd"))
@unittest.skipUnless(*have("knotd"))
class WithRspamd(Base):
    def setUp(self):
        zone = '@ 60 TXT "v=spf1 ip4:198.51.100.0/24 -all"\n_dmarc 60 TXT "v=DMARC1; p=reject"\n'
        for s, record in self.keys.records.items():
            zone += f'{s}._domainkey 60 TXT "{record[:200]}" "{record[200:]}"\n'
        self.knot = self.enterContext(Knot(more={"example.org": zone, "soft.test": '@ 60 TXT "v=spf1 ~all"\n'}))
        self.dns = self.keys.write("dns", (f'example.org TXT "v=spf1 ip4:198.51.100.0/24 -all"\n_dmarc.example.org TXT "v=DMARC1; p=reject"\n'
                                           'soft.test TXT "v=spf1 ~all"\n' + open(self.keys.zone).read()).encode())

    def ours(self, message, ip, sender):
        r = subprocess.run([os.path.join(BUILD, "posthorn"), "authcheck", self.keys.write("one", message), "--ip", ip, "--helo",
                            "mx.example.org", "--mail-from", sender, "--dns", self.dns, "--json"], capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)

    def test_they_verify_ours(self):
        with Rspamd(self.knot.address) as r:
            for m in PLAIN:
                s = self.keys.sign(m)
                symbols = r.symbols(s, sender="a@example.org")
                self.assertIn("R_DKIM_ALLOW", symbols, s[:2000])
                self.assertNotIn("R_DKIM_REJECT", symbols, s[:2000])
                self.assertIn("DMARC_POLICY_ALLOW", symbols, s[:2000])

    def test_we_verify_theirs(self):
        for selector, key in (("r", self.keys.pem["r"]), ("e", self.keys.write("seed", self.keys.seed))):
            os.chmod(key, 0o644)
            os.chmod(self.folder, 0o755)
            with Rspamd(self.knot.address, sign=("example.org", selector, key)) as r:
                signed = []
                for m in PLAIN:
                    field = r.look(m, user="alice@example.org", sender="alice@example.org")["dkim-signature"]
                    for f in [field] if isinstance(field, str) else field:
                        m = b"DKIM-Signature: " + crlf(f.encode()) + b"\r\n" + m
                    signed.append(m)
                self.assert_ours(signed, f"rspamd {selector}")

    def test_the_same_verdict(self):
        """Signed and not, whole and changed, from an address of the domain and from another one."""
        whole = self.keys.sign(PLAIN[0], "r")
        cases = [whole, PLAIN[0], whole.replace(b"Hello.", b"Hallo."), whole.replace(b"Subject: plain", b"Subject: other"),
                 b"Subject: before\r\n" + whole, whole.replace(b"From: Alice", b"From: Mallory")]
        agreed = set()
        with Rspamd(self.knot.address) as r:
            for m in cases:
                for ip in ADDRESSES:
                    for sender in ("a@example.org", "a@soft.test"):
                        symbols, mine = r.symbols(m, ip=ip, sender=sender), self.ours(m, ip, sender)
                        results = [d["result"] for d in mine["dkim"]] or ["none"]
                        got = (mine["spf"]["result"], results[0], mine["dmarc"]["result"])
                        self.assertEqual(got, (said(symbols, SPF), said(symbols, DKIM), said(symbols, DMARC)), (ip, sender, m[:1500], mine))
                        agreed.add(got)
        self.assertGreaterEqual(len(agreed), 8, agreed)


del Base  # its cases are those of dkim_test.py

if __name__ == "__main__":
    unittest.main()
