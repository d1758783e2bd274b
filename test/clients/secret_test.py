"""Secrets stay where they belong (THREATS 50): after logins of every kind, right and wrong, no password is in a log, a
database or a queue; no role can be dumped or looked into; hostile names change nothing and stay on one line (9, 15)."""
import base64
import imaplib
import os
import signal
import smtplib
import socket
import ssl
import unittest

from harness.house import ROOT, House, command_of, is_root, wait_for


def everything_on_disk(house):
    for folder, _, files in os.walk(house.folder):
        for name in files:
            path = os.path.join(folder, name)
            if path in (house.key, house.config_path):
                continue
            try:
                with open(path, "rb") as f:
                    yield path, f.read()
            except OSError:
                pass


# Sanitizers want to look into their process; so this is shown of a build without them.
RELEASE = next((f for f in (os.environ.get("POSTHORN_RELEASE"), os.path.join(ROOT, "build-check-release"))
                if f and os.path.exists(os.path.join(f, "posthorn-supervisor"))), None)


class Secrets(unittest.TestCase):
    def test_no_password_anywhere(self):
        with House() as house:
            canaries = list(house.password.values())
            house.imap("bob").logout()
            house.imap("bob", service="imaps").logout()
            for service in ("submission", "submissions"):
                house.smtp(service, user="alice").quit()
            # what people type into the wrong field
            canaries.append("Canary-typed-as-a-name-7731")
            for name in ("Canary-typed-as-a-name-7731", "Canary-typed-as-a-name-7731@demo.test"):
                c = imaplib.IMAP4("127.0.0.1", house.port["imap"])
                with self.assertRaises(imaplib.IMAP4.error):
                    c.login(name, "x")
                c.shutdown()
                s = house.smtp("submissions")
                with self.assertRaises(smtplib.SMTPException):
                    s.login(name, "x")
                s.close()
            canaries.append("Canary-wrong-password-7732")
            c = imaplib.IMAP4("127.0.0.1", house.port["imap"])
            with self.assertRaises(imaplib.IMAP4.error):
                c.login("bob@demo.test", canaries[-1])
            c.shutdown()
            house.tool("account", "password", "bob@demo.test", "--stdin", text="Canary-new-password-7733\n")
            canaries.append("Canary-new-password-7733")
            wait_for("the journal wrote it down", lambda: "failed" in house.tool("trace", "bob@demo.test", check=False).stdout)
            wanted = []
            for secret in canaries:
                wanted += [secret.encode(), base64.b64encode(secret.encode()).rstrip(b"="),
                           base64.b64encode(b"\0bob@demo.test\0" + secret.encode()).rstrip(b"=")]
            looked = 0
            for path, content in everything_on_disk(house):
                looked += 1
                for secret in wanted:
                    self.assertNotIn(secret, content, f"{secret} is in {path}")
            self.assertGreater(looked, 5)
            status = house.tool("status", "--json").stdout
            for secret in canaries:
                self.assertNotIn(secret, status)

    @unittest.skipUnless(RELEASE, "needs the build that people use: ./check release, or POSTHORN_RELEASE=folder")
    def test_roles_cannot_be_dumped_or_looked_into(self):
        with House(build=RELEASE) as house:
            house.imap("bob").logout()
            family = house.family()
            for pid in family:
                name = f"/proc/{pid}/environ"
                # the files of a process that cannot be dumped belong to root, whoever it runs as
                self.assertEqual(os.stat(name).st_uid, 0, f"{command_of(pid)} can be dumped")
                with open(f"/proc/{pid}/status") as f:
                    status = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
                self.assertEqual(status["NoNewPrivs"], "1")
                self.assertEqual(status["Seccomp"], "2")
                if is_root():
                    self.assertNotIn("0", status["Uid"].split())
                self.assertEqual(int(status["CapEff"], 16), 0)
                with open(f"/proc/{pid}/limits") as f:
                    self.assertRegex(f.read(), r"Max core file size\s+0\s+0")
                if not is_root():
                    with self.assertRaises(OSError):
                        open(name, "rb").read()
            before = set(os.listdir(house.folder)) | set(os.listdir(house.data))
            house.kill("judge", signal.SIGSEGV)
            house.wait_whole()
            self.assertEqual(before, set(os.listdir(house.folder)) | set(os.listdir(house.data)))

    def test_hostile_names(self):
        hostile = ["\r\nA1 DELETE INBOX", "' OR 1=1--", "*)(uid=*", "\u2028", "\x1b[2J", "%n%s%p", "../../etc/passwd", "a\"b\\c",
                   "<img src=x onerror=alert(1)>", "$(reboot)", "`id`", "x;rm -rf /"]
        with House() as house:
            house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: stays\r\n\r\nx\r\n")
            house.wait_mail("bob", 1)
            before = house.imap("bob").list()[1]

            def quoted(text):
                return b"{%d+}\r\n%s" % (len(text.encode()), text.encode())
            for text in hostile:
                with socket.create_connection(("127.0.0.1", house.port["imap"]), timeout=20) as s:
                    f = s.makefile("rwb", 0)
                    f.readline()
                    f.write(b"a LOGIN " + quoted(text) + b" " + quoted("x") + b"\r\nb LOGOUT\r\n")
                    self.assertRegex(f.read(), rb"a (NO|BAD)")
                with socket.create_connection(("127.0.0.1", house.port["imap"]), timeout=20) as s:
                    f = s.makefile("rwb", 0)
                    f.readline()
                    f.write(b"a LOGIN bob@demo.test " + house.password["bob@demo.test"].encode() + b"\r\nb SELECT " + quoted(text) +
                            b"\r\nc DELETE " + quoted(text) + b"\r\nd SEARCH SUBJECT " + quoted(text) + b"\r\ne LOGOUT\r\n")
                    answer = f.read()
                    self.assertRegex(answer, rb"a OK")
                    self.assertRegex(answer, rb"b (NO|BAD)")
                    self.assertNotRegex(answer, rb"c OK")
                with socket.create_connection(("127.0.0.1", house.port["smtp"]), timeout=20) as s:
                    f = s.makefile("rwb", 0)
                    f.readline()
                    t = text.encode()
                    f.write(b"EHLO " + t + b"\r\nMAIL FROM:<" + t + b"@far.test>\r\nRCPT TO:<" + t + b"@demo.test>\r\nQUIT\r\n")
                    f.read()
                if text.isascii() and text.isprintable():
                    context = ssl.create_default_context()
                    context.check_hostname = False
                    context.verify_mode = ssl.CERT_NONE
                    try:
                        with socket.create_connection(("127.0.0.1", house.port["imaps"]), timeout=20) as s:
                            context.wrap_socket(s, server_hostname=text).close()
                    except (ssl.SSLError, OSError, ValueError):
                        pass
            self.assertEqual(house.imap("bob").list()[1], before)
            self.assertEqual(len(house.mailbox("bob")), 1)
            with open(house.log_path, "rb") as f:
                log = f.read()
            self.assertNotRegex(log, rb"[\x00-\x09\x0b-\x1f\x7f]")
            self.assertFalse([l for l in log.splitlines() if l.startswith(b"A1 DELETE")])
            story = house.tool("trace", "bob@demo.test").stdout
            self.assertNotRegex(story, "[\x00-\x09\x0b-\x1f\x7f\u2028]")


if __name__ == "__main__":
    unittest.main()
