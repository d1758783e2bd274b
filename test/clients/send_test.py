"""Real programs send mail through a running house: Python's smtplib, curl, swaks, msmtp. Each message is then read
back by IMAP, byte for byte where the program leaves us the bytes."""
import email
import os
import re
import smtplib
import socket
import ssl
import subprocess
import unittest

from harness.house import House, have, wait_for


def run(*command, text="", env=None):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          env=dict(os.environ, **(env or {})))


class Sending(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House(accounts=["alice", "bob", "carol"])
        try:
            cls.house.start()
        except BaseException:
            cls.house.keep()
            cls.house.stop(check=False)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.house.stop()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        r = super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            self.house.kept = True
        return r

    def find(self, user, mark):
        """The one message that holds the mark, waiting for it."""
        mark = mark.encode()
        found = wait_for(f"{mark} for {user}", lambda: [m for m in self.house.mailbox(user) if mark in m])
        self.assertEqual(len(found), 1)
        return found[0]

    def assert_ok(self, r):
        self.assertEqual(r.returncode, 0, r.stdout)

    # --- mail in, port 25

    def test_smtplib_content_is_kept(self):
        body = "From: a@far.test\r\nSubject: kept\r\nX-Mark: m-kept\r\n\r\n.dot\r\n..two\r\nlast without more \xe4\r\n".encode()
        self.house.deliver("a@far.test", ["bob@demo.test"], body)
        got = self.find("bob", "m-kept")
        self.assertTrue(got.endswith(body), got)
        head = email.message_from_bytes(got)
        self.assertEqual(head["Return-Path"], "<a@far.test>")
        self.assertIn("client.far.test", head["Received"])

    def test_each_recipient_gets_one(self):
        refused = self.house.deliver("a@far.test", ["alice@demo.test", "bob+shop@demo.test", "nobody@demo.test"],
                                     b"From: a@far.test\r\nSubject: x\r\nX-Mark: m-each\r\n\r\nx\r\n")
        self.assertEqual(list(refused), ["nobody@demo.test"])
        self.assertEqual(refused["nobody@demo.test"][0], 550)
        self.find("alice", "m-each")
        self.find("bob", "m-each")

    def test_no_relay(self):
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as e:
            self.house.deliver("a@far.test", ["x@elsewhere.test"], b"From: a@far.test\r\nSubject: x\r\n\r\nx\r\n")
        self.assertIn(e.exception.recipients["x@elsewhere.test"][0], (550, 551, 554))

    def test_large_message(self):
        line = b"0123456789" * 7 + b"\r\n"
        body = b"From: a@far.test\r\nSubject: large\r\nX-Mark: m-large\r\n\r\n" + line * 145000  # 10 MB
        self.house.deliver("a@far.test", ["carol@demo.test"], body)
        self.assertTrue(self.find("carol", "m-large").endswith(body))

    def test_too_large_message(self):
        c = self.house.smtp()
        limit = int(c.esmtp_features["size"])
        self.assertEqual(c.docmd("MAIL", f"FROM:<a@far.test> SIZE={limit + 1}")[0], 552)
        self.assertEqual(c.docmd("MAIL", f"FROM:<a@far.test> SIZE={limit}")[0], 250)
        c.quit()

    def test_bare_newlines_are_refused(self):
        # THREATS 12
        for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n"):
            with socket.create_connection(("127.0.0.1", self.house.port["smtp"]), timeout=30) as s:
                f = s.makefile("rwb", 0)
                self.assertTrue(f.readline().startswith(b"220"))
                for command in (b"HELO x.test", b"MAIL FROM:<a@far.test>", b"RCPT TO:<bob@demo.test>", b"DATA"):
                    f.write(command + b"\r\n")
                    self.assertIn(f.readline()[:1], (b"2", b"3"))
                f.write(b"From: a@far.test\r\nSubject: smuggled\r\n\r\nfirst" + end + b"MAIL FROM:<evil@far.test>\r\nRCPT TO:<bob@demo.test>\r\n"
                        b"DATA\r\nFrom: a@far.test\r\nSubject: smuggled\r\n\r\nsecond\r\n.\r\n")
                answers = f.read()
                self.assertRegex(answers, rb"^[45]\d\d ")
                self.assertNotRegex(answers, rb"(^|\n)250")
        self.assertFalse([m for m in self.house.mailbox("bob") if b"smuggled" in m])

    def test_starttls_injection_closes(self):
        # THREATS 13
        with socket.create_connection(("127.0.0.1", self.house.port["smtp"]), timeout=30) as s:
            f = s.makefile("rwb", 0)
            f.readline()
            f.write(b"EHLO x.test\r\n")
            while not f.readline().startswith(b"250 "):
                pass
            f.write(b"STARTTLS\r\nMAIL FROM:<evil@far.test>\r\n")
            self.assertNotIn(b"250", f.read())

    def test_chunking(self):
        c = self.house.smtp()
        self.assertTrue(c.has_extn("chunking"))
        c.mail("a@far.test")
        c.rcpt("bob@demo.test")
        part = b"From: a@far.test\r\nSubject: bdat\r\nX-Mark: m-bdat\r\n\r\n"
        c.send(b"BDAT %d\r\n" % len(part) + part)
        self.assertEqual(c.getreply()[0], 250)
        c.send(b"BDAT 0 LAST\r\n")
        self.assertEqual(c.getreply()[0], 250)
        c.mail("a@far.test")
        c.rcpt("bob@demo.test")
        c.send(b"BDAT %d LAST\r\n" % (len(part) + 8) + part + b"chunks\r\n")
        self.assertEqual(c.getreply()[0], 250)
        c.quit()
        got = [m for m in self.house.mailbox("bob") if b"m-bdat" in m]
        self.assertEqual(len(got), 2)
        self.assertTrue(got[0].endswith(part))
        self.assertTrue(got[1].endswith(part + b"chunks\r\n"))

    def test_pipelining(self):
        with socket.create_connection(("127.0.0.1", self.house.port["smtp"]), timeout=30) as s:
            f = s.makefile("rwb", 0)
            f.readline()
            f.write(b"EHLO x.test\r\n")
            while not f.readline().startswith(b"250 "):
                pass
            for i in range(3):
                f.write(b"MAIL FROM:<a@far.test>\r\nRCPT TO:<bob@demo.test>\r\nRCPT TO:<no%d@demo.test>\r\nDATA\r\n" % i)
                self.assertEqual([f.readline()[:3] for _ in range(4)], [b"250", b"250", b"550", b"354"])
                f.write(b"From: a@far.test\r\nX-Mark: m-pipe-%d\r\n\r\nx\r\n.\r\n" % i)
                self.assertEqual(f.readline()[:3], b"250")
            f.write(b"QUIT\r\n")
            self.assertEqual(f.readline()[:3], b"221")
        for i in range(3):
            self.find("bob", f"m-pipe-{i}")

    @unittest.skipUnless(*have("curl"))
    def test_curl_starttls(self):
        r = run("curl", "-sS", "--ssl-reqd", "--cacert", self.house.cert, f"smtp://localhost:{self.house.port['smtp']}",
                "--mail-from", "a@far.test", "--mail-rcpt", "bob@demo.test", "-T", "-",
                text="From: a@far.test\r\nSubject: curl\r\nX-Mark: m-curl\r\n\r\nhello\r\n")
        self.assert_ok(r)
        self.assertRegex(email.message_from_bytes(self.find("bob", "m-curl"))["Received"], "with ESMTPS")

    @unittest.skipUnless(*have("swaks"))
    def test_swaks(self):
        r = run("swaks", "--server", "127.0.0.1", "--port", str(self.house.port["smtp"]), "--tls", "--from", "a@far.test",
                "--to", "bob@demo.test,alice@demo.test", "--header", "X-Mark: m-swaks", "--body", "hello")
        self.assert_ok(r)
        self.find("bob", "m-swaks")
        self.find("alice", "m-swaks")

    # --- mail out, 587 and 465

    def test_submission_starttls(self):
        self.house.deliver("alice@demo.test", ["bob@demo.test"],
                           b"From: alice@demo.test\r\nBcc: hidden@demo.test\r\nX-Mark: m-587\r\n\r\nx\r\n",
                           service="submission", starttls=True, user="alice")
        got = email.message_from_bytes(self.find("bob", "m-587"))
        self.assertIsNone(got["Bcc"])
        self.assertTrue(got["Date"] and got["Message-ID"])
        self.assertRegex(" ".join(got.get_all("Received")), "ESMTPSA")

    def test_submission_tls(self):
        self.house.deliver("alice@demo.test", ["carol@demo.test"], b"From: alice@demo.test\r\nX-Mark: m-465\r\n\r\nx\r\n",
                           service="submissions", user="alice")
        self.find("carol", "m-465")

    def test_submission_of_a_strange_sender(self):
        # THREATS 38
        c = self.house.smtp("submissions", user="alice")
        self.assertGreaterEqual(c.docmd("MAIL", "FROM:<bob@demo.test>")[0], 500)
        c.rset()
        with self.assertRaises(smtplib.SMTPResponseException) as e:
            c.sendmail("alice@demo.test", ["carol@demo.test"], b"From: bob@demo.test\r\nX-Mark: m-strange\r\n\r\nx\r\n")
        self.assertGreaterEqual(e.exception.smtp_code, 500)
        c.quit()
        self.assertFalse([m for m in self.house.mailbox("carol") if b"m-strange" in m])

    def test_no_login_no_submission(self):
        c = self.house.smtp("submissions")
        self.assertEqual(c.docmd("MAIL", "FROM:<alice@demo.test>")[0], 530)
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            c.login("alice@demo.test", "wrong")
        c.close()

    def test_port_25_has_no_auth(self):
        # THREATS 29
        c = self.house.smtp(starttls=True)
        self.assertFalse(c.has_extn("auth"))
        c.quit()

    def msmtp(self, method):
        path = os.path.join(self.house.folder, "msmtprc")
        with open(path, "w") as f:
            f.write(f"account default\nhost localhost\nport {self.house.port['submission']}\nauth {method}\ntls on\n"
                    f"tls_trust_file {self.house.cert}\nuser alice@demo.test\npassword {self.house.password['alice@demo.test']}\n"
                    "from alice@demo.test\n")
        os.chmod(path, 0o600)
        return run("msmtp", "-C", path, "bob@demo.test",
                   text=f"From: alice@demo.test\nTo: bob@demo.test\nX-Mark: m-msmtp-{method}\n\nhello\n")

    @unittest.skipUnless(*have("msmtp"))
    def test_msmtp_plain(self):
        self.assert_ok(self.msmtp("plain"))
        self.find("bob", "m-msmtp-plain")

    @unittest.skipUnless(*have("msmtp"))
    def test_msmtp_scram(self):
        self.assert_ok(self.msmtp("scram-sha-256"))
        self.find("bob", "m-msmtp-scram-sha-256")

    @unittest.skipUnless(*have("curl"))
    def test_curl_submissions(self):
        r = run("curl", "-sS", "--cacert", self.house.cert, f"smtps://localhost:{self.house.port['submissions']}", "--user",
                f"alice@demo.test:{self.house.password['alice@demo.test']}", "--mail-from", "alice@demo.test", "--mail-rcpt",
                "bob@demo.test", "-T", "-", text="From: alice@demo.test\r\nX-Mark: m-curls\r\n\r\nhello\r\n")
        self.assert_ok(r)
        self.find("bob", "m-curls")

    @unittest.skipUnless(*have("swaks"))
    def test_swaks_submission(self):
        r = run("swaks", "--server", "127.0.0.1", "--port", str(self.house.port["submissions"]), "--tlsc", "--auth", "PLAIN",
                "--auth-user", "alice@demo.test", "--auth-password", self.house.password["alice@demo.test"], "--from",
                "alice@demo.test", "--to", "bob@demo.test", "--header", "X-Mark: m-swaks-auth",
                "--h-From", "alice@demo.test", "--body", "hello")
        self.assert_ok(r)
        self.find("bob", "m-swaks-auth")

    # --- what the journal says of it

    def test_trace_tells_the_journey(self):
        self.house.deliver("teller@far.test", ["bob@demo.test"], b"From: teller@far.test\r\nMessage-ID: <trace-1@far.test>\r\nX-Mark: m-trace\r\n\r\nx\r\n")
        self.find("bob", "m-trace")
        for what in ("teller@far.test", "<trace-1@far.test>"):
            story = wait_for("the story", lambda w=what: (lambda t: t if "safe on disk" in t else None)(
                self.house.tool("trace", w, check=False).stdout))
            self.assertRegex(story, r"connected.* and offered a message from <teller@far.test> to <bob@demo.test>")
            self.assertRegex(story, r"filed into INBOX as UID \d+")
        mail = re.search(r"Mail (\w{13})", story).group(1)
        self.assertIn("teller@far.test", self.house.trace(mail))

    def test_trace_tells_what_was_refused(self):
        self.house.deliver("picky@far.test", ["bob@demo.test", "ghost@demo.test"], b"From: picky@far.test\r\nSubject: x\r\n\r\nx\r\n")
        story = wait_for("the story", lambda: (lambda t: t if "refused" in t else None)(
            self.house.tool("trace", "ghost@demo.test", check=False).stdout))
        self.assertRegex(story, r"refused for <ghost@demo.test>: 550 ")

    def test_hostile_names_are_escaped(self):
        # THREATS 9, 35
        with socket.create_connection(("127.0.0.1", self.house.port["smtp"]), timeout=30) as s:
            f = s.makefile("rwb", 0)
            f.readline()
            f.write(b"EHLO \x1b[31mred%n%s\r\n")
            f.readline()
            f.write(b"HELO x.test\r\nMAIL FROM:<hostile@far.test>\r\nRCPT TO:<\"<img src=x>\x1b[2J\"@demo.test>\r\nQUIT\r\n")
            f.read()
        with open(self.house.log_path, "rb") as log:
            self.assertNotIn(b"\x1b", log.read())
        story = wait_for("the story", lambda: self.house.tool("trace", "hostile@far.test", check=False).stdout)
        self.assertNotIn("\x1b", story)


if __name__ == "__main__":
    unittest.main()
