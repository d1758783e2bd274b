"""Who sent this: mail to a whole house whose DNS is Knot: SPF, DKIM, DMARC and ARC decide, `posthorn trace` tells why, and
what the house sends is signed. THREATS 20 (several From), 21 (forged results), 23 (replay), 24 (ARC of strangers)."""
import base64
import hashlib
import os
import re
import smtplib
import socket
import subprocess
import time
import unittest

from harness.house import House, have, wait_for
from harness.sink import Sink
from knot import Knot

try:
    import dkim
except ImportError:
    dkim = None


def make_key():
    """A private key as PEM, and its record's p=."""
    pem = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem, check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout
    return pem, base64.b64encode(der).decode()


def txt(text):
    return " ".join('"' + text[i:i + 200] + '"' for i in range(0, len(text), 200))


def mail(sender, subject, more=""):
    return (f"{more}From: Somebody <{sender}>\r\nTo: Alice <alice@demo.test>\r\nSubject: {subject}\r\n"
            f"Date: Sun, 22 Nov 2026 04:00:00 +0000\r\nMessage-ID: <{subject}@far.test>\r\n\r\nhello {subject}\r\n")


def unfolded(header):
    return re.sub(r"\r\n[ \t]+", " ", header)


def zones(p):
    return {
        "good.test": '@ 60 TXT "v=spf1 ip4:127.0.0.1 -all"\n_dmarc 60 TXT "v=DMARC1; p=reject"\n',
        "strict.test": '@ 60 TXT "v=spf1 -all exp=why"\nwhy 60 TXT "ask postmaster"\n_dmarc 60 TXT "v=DMARC1; p=reject"\n'
                       f"s._domainkey 60 TXT {txt('v=DKIM1; k=rsa; p=' + p)}\n",
        "careful.test": '@ 60 TXT "v=spf1 -all"\n_dmarc 60 TXT "v=DMARC1; p=quarantine"\n',
        "loose.test": '@ 60 TXT "v=spf1 -all"\n_dmarc 60 TXT "v=DMARC1; p=none"\n',
        "nomail.test": '@ 60 TXT "v=spf1 -all"\n',
        "sealer.test": f"s._domainkey 60 TXT {txt('v=DKIM1; k=rsa; p=' + p)}\n",
        "test": "",  # the walk up the tree ends in an answer
        "bl.test": "2.0.0.127 60 A 127.0.0.2\n5.0.0.127 60 A 127.0.0.2\n6.0.0.127 60 A 127.255.255.254\n",
    }


@unittest.skipUnless(*have("knotd"))
@unittest.skipIf(dkim is None, "dkimpy is not installed")
class Inbound(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.key, cls.p = make_key()
        cls.knot = Knot(more=zones(cls.p))
        cls.knot.__enter__()
        cls.house = House(accounts=["alice"], resolver=cls.knot.address)
        cls.house.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.house.__exit__(None, None, None)
        cls.knot.__exit__(None)

    def send(self, sender, message, house=None):
        (house or self.house).deliver(sender, ["alice@demo.test"], message)

    def got(self, subject, folder="INBOX", house=None):
        """The message with this subject."""
        house = house or self.house
        return wait_for(f"{subject} in {folder}", lambda: next(
            (m.decode() for m in house.mailbox("alice", folder) if f"Subject: {subject}\r\n" in m.decode()), None))

    def refused(self, sender, message, house=None):
        with self.assertRaises(smtplib.SMTPDataError) as e:
            self.send(sender, message, house)
        return e.exception.smtp_code, e.exception.smtp_error.decode()

    def story(self, subject, house=None):
        house = house or self.house
        return " ".join(wait_for("the journal has it", lambda: house.trace(f"{subject}@far.test")).split())

    def test_pass(self):
        self.send("a@good.test", mail("a@good.test", "pass"))
        m = unfolded(self.got("pass"))
        self.assertRegex(m, r"Authentication-Results: mail\.demo\.test;.*spf=pass.*dmarc=pass header\.from=good\.test")
        self.assertLess(m.index("Authentication-Results:"), m.index("Received:"))
        self.assertIn("DMARC pass for good.test", self.story("pass"))

    def test_reject_in_words(self):
        code, text = self.refused("a@strict.test", mail("a@strict.test", "reject"))
        self.assertEqual(code, 550)
        self.assertTrue(text.startswith("5.7.1 "), text)
        self.assertIn("strict.test", text)
        self.assertIn("DMARC", text)
        self.assertIn("DMARC fail for strict.test, whose policy is reject", self.story("reject"))

    def test_quarantine_is_junk(self):
        self.send("a@careful.test", mail("a@careful.test", "junk"))
        self.assertIn("dmarc=fail", unfolded(self.got("junk", "Junk")))
        self.assertIn("whose policy is quarantine", self.story("junk"))

    def test_junk_folder_is_made_again(self):
        house = self.house
        c = house.imap("alice")
        c.delete("Junk")
        c.logout()
        self.send("a@careful.test", mail("a@careful.test", "junk-again"))
        self.got("junk-again", "Junk")

    def test_watching_and_no_policy(self):
        self.send("a@loose.test", mail("a@loose.test", "loose"))
        self.assertIn("dmarc=fail", unfolded(self.got("loose")))
        self.send("a@nomail.test", mail("a@nomail.test", "nomail"))
        self.got("nomail")
        self.assertIn("nomail.test says that it sends no mail at all", self.story("nomail"))

    def test_dkim_alone_is_enough(self):
        m = mail("a@strict.test", "signed").encode()
        sig = dkim.sign(m, b"s", b"strict.test", self.key, canonicalize=(b"relaxed", b"relaxed"),
                        include_headers=[b"from", b"to", b"subject"])
        self.send("bounce@far.test", sig + m)
        self.assertIn("dkim=pass", unfolded(self.got("signed")))
        self.assertIn("DKIM pass for strict.test", self.story("signed"))
        self.assertEqual(self.refused("bounce@far.test", sig + m.replace(b"hello", b"hallo"))[0], 550)

    def test_replay_is_counted(self):
        m = mail("a@strict.test", "replayed").encode()
        sig = dkim.sign(m, b"s", b"strict.test", self.key, include_headers=[b"from", b"to", b"subject"])
        for _ in range(21):
            self.send("bounce@far.test", sig + m)
        self.assertIn("the same signature was seen 21 times", self.story("replayed"))

    def test_forged_results_are_removed(self):
        forged = ("Authentication-Results: mail.demo.test; dmarc=pass header.from=bank.test\r\n"
                  "Authentication-results: (hi) MAIL.demo.test 1;\r\n\tspf=pass\r\n"
                  "Authentication-Results: other.test; spf=pass\r\n")
        self.send("a@good.test", mail("a@good.test", "forged", forged))
        m = self.got("forged")
        self.assertNotIn("bank.test", m)
        self.assertEqual(len(re.findall(r"(?im)^authentication-results:", m)), 2)  # ours, and that of another
        self.assertIn("pretended to be ours was removed", self.story("forged"))

    def test_two_from_fields(self):
        self.assertEqual(self.refused("a@good.test", mail("a@good.test", "two", "From: b@good.test\r\n"))[0], 550)

    def test_every_author_counts(self):
        m = mail("a@good.test", "authors").replace("From: Somebody <a@good.test>", "From: a@good.test, b@strict.test")
        self.assertEqual(self.refused("a@good.test", m)[0], 550)

    def sealed(self, subject, tag=b"", cv_pass=True):
        """Mail of strict.test that a list changed, after a sealer saw it pass."""
        m = mail("a@strict.test", subject).encode()
        results = b"Authentication-Results: sealer.test; spf=pass smtp.mailfrom=strict.test; dmarc=pass header.from=strict.test\r\n"
        return b"".join(dkim.arc_sign(results + m, b"s", b"sealer.test", self.key, b"sealer.test",
                                      include_headers=[b"from", b"to", b"subject"])) + results + m

    def test_arc_of_a_stranger_helps_nobody(self):
        self.assertEqual(self.refused("list@sealer.test", self.sealed("stranger"))[0], 550)
        self.assertIn("nobody here trusts the sealer sealer.test", self.story("stranger"))

    def test_arc_of_a_trusted_sealer(self):
        with House(accounts=["alice"], resolver=self.knot.address, config="arc-sealer sealer.test\n") as house:
            self.send("list@sealer.test", self.sealed("trusted"), house)
            self.assertIn("arc=pass", unfolded(self.got("trusted", house=house)))
            self.assertIn("DMARC asks for reject, not done: the sealer is trusted", self.story("trusted", house))

    def test_arc_trusted_by_the_recipients_domain(self):
        with House(accounts=["alice"], resolver=self.knot.address) as house:
            house.tool("domain", "set", "demo.test", "trust-sealers", "sealer.test")
            self.send("list@sealer.test", self.sealed("ours"), house)
            self.got("ours", house=house)

    def test_list_is_a_signal_and_can_be_switched_off(self):
        """THREATS 28: a listing is told and decides nothing; an error code of the list switches it off."""
        with House(accounts=["alice"], resolver=self.knot.address, config="dnsbl bl.test\n") as house:
            def story(client):
                self.n = getattr(self, "n", 0) + 1
                with smtplib.SMTP("127.0.0.1", house.port["smtp"], "client.far.test", source_address=(client, 0)) as c:
                    c.sendmail("a@loose.test", ["alice@demo.test"], mail("a@loose.test", f"list{self.n}"))
                return self.story(f"list{self.n}", house)
            wait_for("the list has passed its canaries", lambda: "bl.test lists 127.0.0.5" in story("127.0.0.5"))
            self.assertNotIn("bl.test", story("127.0.0.1"))
            self.assertNotIn("bl.test lists", story("127.0.0.6"))
            self.assertNotIn("bl.test", story("127.0.0.5"))

    def test_forwarder(self):
        with House(accounts=["alice"], resolver=self.knot.address, config="forwarder 127.0.0.0/8\n") as house:
            self.send("a@strict.test", mail("a@strict.test", "forwarded"), house)
            self.got("forwarded", house=house)
            self.assertIn("127.0.0.1 is a known forwarder (forwarder 127.0.0.0/8)", self.story("forwarded", house))

    def test_mailing_list(self):
        with House(accounts=["alice"], resolver=self.knot.address, config="mailing-list 127.0.0.0/8\n") as house:
            self.send("a@strict.test", mail("a@strict.test", "listed", "List-Id: <talk.strict.test>\r\n"), house)
            self.got("listed", house=house)
            self.assertIn("127.0.0.1 is a known mailing list server (mailing-list 127.0.0.0/8)", self.story("listed", house))
            with self.assertRaises(smtplib.SMTPDataError):
                self.send("a@strict.test", mail("a@strict.test", "unlisted"), house)


class Silent(unittest.TestCase):
    def test_mail_is_not_lost_and_not_long_held_up(self):
        """A DNS that never answers: temperror, taken all the same, and the second message does not wait as the first."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
            hole.bind(("127.0.0.1", 0))
            with House(accounts=["alice"], resolver=f"127.0.0.1@{hole.getsockname()[1]}") as house:
                for i in range(3):
                    began = time.monotonic()
                    house.deliver(f"a{i}@d{i}.test", ["alice@demo.test"], mail(f"a{i}@d{i}.test", f"silent{i}"))
                    self.assertLess(time.monotonic() - began, 25)
                messages = house.wait_mail("alice", 3)
                self.assertIn("dmarc=temperror", unfolded(messages[0].decode()))
                self.assertIn("DMARC temperror", " ".join(house.trace("silent0@far.test").split()))


@unittest.skipIf(dkim is None, "dkimpy is not installed")
class Outbound(unittest.TestCase):
    """What leaves is signed, and a foreign program finds the signatures good."""

    def key(self, house, selector, algorithm):
        """Puts a key that signs into the place where keys looks when it starts; gives its record."""
        make = ["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"] if algorithm == "rsa" else ["genpkey", "-algorithm",
                                                                                                               "ed25519"]
        pem = subprocess.run(["openssl", *make], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=pem, check=True, stdout=subprocess.PIPE).stdout
        public = base64.b64encode(der if algorithm == "rsa" else der[-32:]).decode()
        text = (f"posthorn-dkim-key 1\ndomain demo.test\nselector {selector}\nalgorithm {algorithm}\nstate signing\n"
                f"made 1795312800000\nsince 1795312800000\npublic {public}\n").encode() + pem
        text += b"check " + hashlib.sha256(text).hexdigest().encode() + b"\n"
        folder = os.path.join(house.data, "keys", "dkim")
        path = os.path.join(folder, f"demo.test,{selector}")
        with open(path, "wb") as f:
            f.write(text)
        os.chmod(path, 0o600)
        os.chown(path, os.stat(folder).st_uid, os.stat(folder).st_gid)
        return f"v=DKIM1; k={algorithm}; p={public}"

    def keys_again(self, house):
        old = house.kill("keys")
        wait_for("keys runs again", lambda: [p for p in house.pids("keys") if p not in old])
        house.wait_whole()

    def test_signed(self):
        with Sink() as sink, House(accounts=["alice"], config=f"route * 127.0.0.1:{sink.port}\n") as house:
            records = {b"k1._domainkey.demo.test.": self.key(house, "k1", "rsa").encode(),
                       b"k2._domainkey.demo.test.": self.key(house, "k2", "ed25519").encode()}
            self.keys_again(house)
            m = mail("alice@demo.test", "outbound").replace("To: Alice <alice@demo.test>", "To: x@far.test\r\nBcc: secret@far.test")
            house.deliver("alice@demo.test", ["x@far.test"], m + "..\r\n \t \r\n\r\n", service="submission", user="alice")
            text = wait_for("the next hop has it", lambda: next(iter(sink.texts()), None))
            self.assertNotIn(b"secret", text)
            self.assertEqual(len(re.findall(rb"(?m)^DKIM-Signature:", text)), 2)
            for i in range(2):
                self.assertTrue(dkim.DKIM(text).verify(i, dnsfunc=lambda name, timeout=5: records.get(name)), f"signature {i}")
                with self.assertRaises(dkim.ValidationError):
                    dkim.DKIM(text + b"more\r\n").verify(i, dnsfunc=lambda name, timeout=5: records.get(name))
            self.assertIn("signed for demo.test (2 DKIM signatures)", " ".join(house.trace("outbound@far.test").split()))

    def test_without_a_key_it_goes_unsigned(self):
        with Sink() as sink, House(accounts=["alice"], config=f"route * 127.0.0.1:{sink.port}\n") as house:
            house.tool("domain", "set", "demo.test", "sign", "off")
            time_to_hear = wait_for("judge hears of it", lambda: self.unsigned(house, sink))
            self.assertIn("signing is switched off for its domain", time_to_hear)

    def unsigned(self, house, sink):
        self.n = getattr(self, "n", 0) + 1
        name = f"off{self.n}"
        house.deliver("alice@demo.test", ["x@far.test"], mail("alice@demo.test", name), service="submission", user="alice")
        text = wait_for("the next hop has it", lambda: next((m for m in sink.texts() if name.encode() in m), None))
        self.assertNotIn(b"DKIM-Signature:", text)
        story = " ".join(house.trace(f"{name}@far.test").split())
        return story if "switched off" in story else None


if __name__ == "__main__":
    unittest.main()
