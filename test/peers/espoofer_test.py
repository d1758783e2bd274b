"""The attacks of "Composition Kills" (Chen, Paxson, Jiang; USENIX Security 2020): 19 on a receiving server, 3 by a logged-in
user (THREATS 20, 21). In each somebody who owns attack.com wants mail to look as if legitimate.com had been verified. The
messages are built here from the paper's facts; the DNS is a file, `posthorn authcheck` the examination.

Each case has the ends that are allowed: "refused" (550 for the header's or DMARC's sake), "fail" (DMARC did not pass), or
"attack.com" (DMARC passed, for the domain of the attacker's own and only address). No case may end with legitimate.com
verified."""
import base64
import json
import os
import smtplib
import subprocess
import tempfile
import unittest

from harness.house import BUILD, House

try:
    import dkim
except ImportError:
    dkim = None

HERE = "192.0.2.66"  # where the attacker sends from
BODY = "To: victim@demo.test\r\nSubject: urgent\r\nDate: Sun, 22 Nov 2026 04:00:00 +0000\r\nMessage-ID: <1@attack.com>\r\n\r\nPay.\r\n"


def b64(s):
    return "=?utf-8?B?" + base64.b64encode(s.encode()).decode() + "?="


# name: (MAIL FROM, header fields, DKIM (d, s) or None, allowed ends)
CASES = {
    "a1 subdomain that does not exist": ("any@mailfrom.notexist.legitimate.com", "From: <admin@legitimate.com>\r\n", None,
                                         {"refused"}),
    "a2 empty MAIL FROM": ("", "From: <admin@legitimate.com>\r\n", None, {"refused"}),
    "a2 parenthesis": ("(any@legitimate.com", "From: <admin@legitimate.com>\r\n", None, {"refused"}),
    "a3 NUL in the selector": ("any@attack.com", "From: <admin@legitimate.com>\r\n", (b"legitimate.com", b"attack.com.\0.any"),
                               {"refused"}),
    "a4 quote in d=": ("any@attack.com", "From: <admin@legitimate.com>\r\n", (b"legitimate.com'a.attack.com", b"sel"), {"refused"}),
    "a5 quote in MAIL FROM": ("any@legitimate.com'a.attack.com", "From: <admin@legitimate.com>\r\n", None, {"refused"}),
    "a6 comment in MAIL FROM": ("any@legitimate.com(.attack.com", "From: <admin@legitimate.com>\r\n", None, {"refused"}),
    "a7 route in MAIL FROM": ("@legitimate.com,@any.com:'any@attack.com", "From: <admin@legitimate.com>\r\n", None, {"refused"}),
    "a8 two From": ("any@attack.com", "From: <first@attack.com>\r\nFrom: <admin@legitimate.com>\r\n", (b"attack.com", b"sel"),
                    {"refused"}),
    "a8 two From, other order": ("any@attack.com", "From: <admin@legitimate.com>\r\nFrom: <first@attack.com>\r\n",
                                 (b"attack.com", b"sel"), {"refused"}),
    "a9 blank before the first From": ("any@attack.com", " From: <first@attack.com>\r\nFrom: <admin@legitimate.com>\r\n", None,
                                       {"refused"}),
    "a10 blank before the second From": ("any@attack.com", "From: <first@attack.com>\r\n From: <admin@legitimate.com>\r\n", None,
                                         {"refused", "fail"}),
    "a11 folded name": ("any@attack.com", "From\r\n : <first@attack.com>\r\nFrom: <admin@legitimate.com>\r\n", None, {"refused"}),
    "a11 blank behind the name": ("any@attack.com", "From : <first@attack.com>\r\nFrom: <admin@legitimate.com>\r\n", None,
                                  {"refused"}),
    "a12 Sender alone": ("any@attack.com", "Sender: <admin@legitimate.com>\r\n", (b"attack.com", b"sel"), {"refused", "fail"}),
    "a12 From and Sender": ("any@attack.com", "From: <first@attack.com>\r\nSender: <admin@legitimate.com>\r\n",
                            (b"attack.com", b"sel"), {"attack.com"}),
    "a13 Resent-From": ("any@attack.com", "Resent-From: <first@attack.com>\r\nFrom: <admin@legitimate.com>\r\n", None, {"refused"}),
    "a14 two addresses": ("any@attack.com", "From: <first@attack.com>, <admin@legitimate.com>\r\n", (b"attack.com", b"sel"),
                          {"refused"}),
    "a15 encoded address": ("any@attack.com", f"From: {b64('<admin@legitimate.com>')}, <second@attack.com>\r\n",
                            (b"attack.com", b"sel"), {"fail", "refused", "attack.com"}),
    "a16 route in From": ("any@attack.com", "From: <@attack.com,@any.com:admin@legitimate.com>\r\n", (b"attack.com", b"sel"),
                          {"refused"}),
    "a17 quoted pair": ("any@attack.com", "From: <admin@legitimate.com>\\,<second@attack.com>\r\n", (b"attack.com", b"sel"),
                        {"refused", "fail"}),
    "a18 specials": ("any@attack.com", "From: admin@legitimate.com,<second@attack.com>\r\n", (b"attack.com", b"sel"), {"refused"}),
    "a19 two in one": ("any@attack.com", "From: <any@attack.com>admin@legitimate.com\r\n", (b"attack.com", b"sel"),
                       {"refused", "fail"}),
}


@unittest.skipIf(dkim is None, "dkimpy is not installed")
class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.key = subprocess.run(["openssl", "genrsa", "-traditional", "1024"], check=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL).stdout
        der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=cls.key, check=True, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL).stdout
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
        cls.zone = os.path.join(cls.folder.name, "zone")
        with open(cls.zone, "w") as f:
            f.write(f'legitimate.com TXT "v=spf1 ip4:198.51.100.1 -all"\n_dmarc.legitimate.com TXT "v=DMARC1; p=reject"\n'
                    f'attack.com TXT "v=spf1 ip4:{HERE} -all"\nattack.com TXT "{record}"\n_dmarc.attack.com TXT "v=DMARC1; p=none"\n'
                    f'*.attack.com TXT "v=spf1 ip4:{HERE} -all"\nsel._domainkey.attack.com TXT "{record}"\n'
                    f"sel._domainkey.legitimate.com'a.attack.com TXT \"{record}\"\n"
                    f'66.2.0.192.in-addr.arpa PTR attack.com\nattack.com A {HERE}\n')

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def examine(self, mail_from, message):
        r = subprocess.run([os.path.join(BUILD, "posthorn"), "authcheck", "-", "--ip", HERE, "--helo", "helo.attack.com",
                            "--mail-from", mail_from, "--dns", self.zone, "--json"], input=message, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)

    def sign(self, message, d, s):
        try:
            return dkim.sign(message, s, d, self.key, include_headers=[b"to", b"subject", b"from"]) + message
        except Exception:  # dkimpy counts From fields and refuses; the attacker's program does not
            plain = b"From: <first@attack.com>\r\n" + message[message.index(b"To: "):]
            return dkim.sign(plain, s, d, self.key, include_headers=[b"to", b"subject", b"from"]) + message

    def test_cases(self):
        for name, (mail_from, header, signature, allowed) in CASES.items():
            with self.subTest(name):
                message = (header + BODY).encode()
                if signature:
                    message = self.sign(message, *signature)
                seen = self.examine(mail_from, message)
                dmarc = seen["dmarc"]
                end = "refused" if dmarc["applied"] == "reject" else dmarc["domain"] if dmarc["result"] == "pass" else "fail"
                self.assertIn(end, allowed, json.dumps(seen, indent=1))
                self.assertFalse(seen["spf"]["result"] == "pass" and "legitimate" in seen["spf"]["domain"])
                for one in seen["dkim"]:
                    self.assertFalse(one["result"] == "pass" and "legitimate" in one["domain"])

    def test_the_attacker_can_send_as_himself(self):
        """The signatures and records above are good: alone, they pass."""
        seen = self.examine("any@attack.com", self.sign(("From: <first@attack.com>\r\n" + BODY).encode(), b"attack.com", b"sel"))
        self.assertEqual((seen["spf"]["result"], seen["dkim"][0]["result"], seen["dmarc"]["result"]), ("pass", "pass", "pass"))


class House_(unittest.TestCase):
    """Envelopes that are no addresses, and what a user may not write, at the real server."""

    def test_envelopes(self):
        with House(accounts=["alice", "bob"]) as house:
            for sender in ("(any@legitimate.com", "any@legitimate.com'@a.attack.com", "any@legitimate.com(.attack.com",
                           "any@legitimate.com\0.attack.com"):
                c = house.smtp()
                code, _ = c.docmd("MAIL FROM:<" + sender + ">")
                self.assertIn(code, (500, 501, 553), sender)
                c.close()
            for header in ("From: <bob@demo.test>\r\n", "From: <alice@demo.test>\r\nFrom: <bob@demo.test>\r\n",
                           "From: <alice@demo.test>, <bob@demo.test>\r\n"):
                with self.assertRaises(smtplib.SMTPDataError) as e:
                    house.deliver("alice@demo.test", ["bob@demo.test"], header + BODY, service="submission", user="alice")
                self.assertEqual(e.exception.smtp_code, 550, header)


if __name__ == "__main__":
    unittest.main()
