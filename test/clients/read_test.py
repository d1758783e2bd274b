"""Real clients read mail in a running house: Python's imaplib, curl, mutt, mbsync, offlineimap, npm imapflow. What they
write is read back through another session; what they fetch is compared byte for byte."""
import imaplib
import json
import mailbox
import os
import shutil
import subprocess
import tempfile
import unittest

from harness.house import BUILD, House, have

HERE = os.path.dirname(os.path.abspath(__file__))

PLAIN = b"From: Carol <carol@far.test>\r\nTo: alice@demo.test\r\nSubject: plain words\r\nMessage-ID: <%d@far.test>\r\n" \
        b"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n\r\nhello number %d\r\n"


def run(*command, text=None, cwd=None, env=None, timeout=120):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, timeout=timeout,
                          env=dict(os.environ, **(env or {})))


class Reading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House(accounts=["alice", "bob", "carol", "dave", "erin", "frank"])
        try:
            cls.house.start()
        except BaseException:
            cls.house.keep()
            cls.house.stop(check=False)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.house.stop()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="posthorn-client-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        r = super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            self.house.kept = True
        return r

    def password(self, user):
        return self.house.password[f"{user}@demo.test"]

    def assert_ran(self, r):
        self.assertEqual(r.returncode, 0, r.stdout.decode(errors="replace"))

    def fill(self, user, count, folder="INBOX"):
        c = self.house.imap(user)
        for i in range(1, count + 1):
            self.assertEqual(c.append(folder, None, None, PLAIN % (i, i))[0], "OK")
        c.logout()

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    # --- Python imaplib

    def test_imaplib_over_tls(self):
        c = self.house.imap("alice", "imaps")
        self.assertIn("IMAP4REV1", c.capabilities)
        self.assertEqual(c.create("imaplib")[0], "OK")
        kind, data = c.append("imaplib", r"(\Flagged)", '"02-Jan-2026 03:04:05 +0000"', PLAIN % (1, 1))
        self.assertEqual(kind, "OK")
        self.assertRegex(data[0], rb"\[APPENDUID \d+ 1\]")
        self.assertEqual(c.select("imaplib"), ("OK", [b"1"]))
        kind, data = c.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
        self.assertIn(b"\\Flagged", data[0][0])
        self.assertEqual(data[0][1], PLAIN % (1, 1))
        self.assertEqual(imaplib.Internaldate2tuple(data[0][0])[:3], (2026, 1, 2))
        self.assertEqual(c.search(None, "SUBJECT", '"plain words"'), ("OK", [b"1"]))
        self.assertEqual(c.store("1", "+FLAGS", r"(\Seen keyword)")[0], "OK")
        self.assertEqual(c.copy("1", "Archive")[0], "OK")
        self.assertEqual(c.store("1", "+FLAGS", r"\Deleted")[0], "OK")
        self.assertEqual(c.expunge(), ("OK", [b"1"]))
        self.assertEqual(c.close()[0], "OK")
        self.assertEqual(c.rename("imaplib", "imaplib2")[0], "OK")
        self.assertEqual(c.status("imaplib2", "(MESSAGES UIDNEXT)")[1], [b'"imaplib2" (MESSAGES 0 UIDNEXT 2)'])
        self.assertEqual(c.delete("imaplib2")[0], "OK")
        self.assertEqual(c.namespace(), ("OK", [b'(("" "/")) NIL NIL']))
        self.assertEqual(c.lsub()[0], "OK")
        self.assertEqual(c.logout()[0], "BYE")

    def test_imaplib_authenticate_plain(self):
        c = imaplib.IMAP4("127.0.0.1", self.house.port["imap"], timeout=30)
        kind, _ = c.authenticate("PLAIN", lambda _: f"\0alice@demo.test\0{self.password('alice')}".encode())
        self.assertEqual(kind, "OK")
        c.logout()

    def test_wrong_password_and_wrong_commands(self):
        c = imaplib.IMAP4("127.0.0.1", self.house.port["imap"], timeout=30)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            c.login("alice@demo.test", "wrong")
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            c.login("nobody@demo.test", "wrong")
        c.login("alice@demo.test", self.password("alice"))
        self.assertEqual(c.select("Nowhere")[0], "NO")
        self.assertEqual(c.noop()[0], "OK")
        c.logout()

    def test_one_account_never_sees_another(self):
        # THREATS 34: what belongs to bob looks like what is not there
        self.fill("bob", 1)
        c = self.house.imap("alice")
        for name in ("bob", "bob@demo.test/INBOX", "user/bob", "../2/INBOX", "~bob/INBOX", "#shared/bob", "/INBOX"):
            self.assertEqual(c.select(f'"{name}"')[1], c.select('"not there at all"')[1])
            self.assertEqual(c.status(f'"{name}"', "(MESSAGES)")[1], c.status('"not there at all"', "(MESSAGES)")[1])
        c.logout()

    def test_large_message_there_and_back(self):
        body = b"Subject: large\r\n\r\n" + b"".join(b"%d %s\r\n" % (i, b"x" * 70) for i in range(150000))
        c = self.house.imap("alice", "imaps")
        c.create("large")
        self.assertEqual(c.append("large", None, None, body)[0], "OK")
        c.select("large")
        self.assertEqual(c.fetch("1", "(BODY.PEEK[])")[1][0][1], body)
        self.assertEqual(c.fetch("1", "(BODY.PEEK[]<1000000.5000>)")[1][0][1], body[1000000:1005000])
        c.logout()

    def test_idle_is_told_of_a_delivery(self):
        c = self.house.imap("erin", "imaps")
        c.select("INBOX")
        c.send(b"x IDLE\r\n")
        self.assertTrue(c.readline().startswith(b"+"))
        self.house.deliver("a@far.test", ["erin@demo.test"], PLAIN % (7, 7))
        self.assertEqual(c.readline(), b"* 1 EXISTS\r\n")
        self.assertEqual(c.readline(), b"* 1 RECENT\r\n")
        c.send(b"DONE\r\n")
        self.assertTrue(c.readline().startswith(b"x OK"))
        c.logout()

    def test_many_sessions_of_one_account(self):
        sessions = [self.house.imap("erin") for _ in range(20)]
        for i, c in enumerate(sessions):
            self.assertEqual(c.append("Drafts", None, None, PLAIN % (i, i))[0], "OK")
        for c in sessions:
            self.assertEqual(c.select("Drafts"), ("OK", [b"20"]))
            c.logout()

    # --- curl

    def curl(self, *args, user="bob", service="imaps", text=None):
        scheme = "imaps" if service == "imaps" else "imap"
        path, rest = args[0], args[1:]
        return run("curl", "-sS", "--max-time", "60", "--cacert", self.house.cert, "--user", f"{user}@demo.test:{self.password(user)}",
                   f"{scheme}://localhost:{self.house.port[service]}/{path}", *rest, text=text)

    @unittest.skipUnless(*have("curl"))
    def test_curl(self):
        message = PLAIN % (41, 41)
        path = os.path.join(self.folder, "m")
        with open(path, "wb") as f:
            f.write(message)
        self.assert_ran(self.curl("", "-X", "CREATE curl"))
        self.assert_ran(self.curl("curl", "-T", path))
        r = self.curl("curl;MAILINDEX=1")
        self.assert_ran(r)
        self.assertEqual(r.stdout, message)
        r = self.curl("curl;UID=1;SECTION=TEXT", service="imap")
        self.assertEqual(r.stdout, b"hello number 41\r\n")
        r = self.curl("curl?SUBJECT%20plain")
        self.assertEqual(r.stdout, b"* SEARCH 1\r\n")
        r = self.curl("")
        self.assertIn(b'* LIST (\\HasNoChildren \\Sent) "/" "Sent"', r.stdout)

    # --- mutt

    @unittest.skipUnless(*have("mutt"))
    def test_mutt(self):
        self.fill("carol", 3)
        out = os.path.join(self.folder, "out")
        config = self.write("muttrc", f"""
set folder="imaps://carol@demo.test@localhost:{self.house.port['imaps']}/"
set spoolfile="+INBOX" imap_pass="{self.password('carol')}" imap_user="carol@demo.test"
set certificate_file="{self.house.cert}" ssl_verify_host=no ssl_usesystemcerts=no ssl_ca_certificates_file="{self.house.cert}"
set move=no delete=yes confirmappend=no confirmcreate=no wait_key=no quit=yes
set sleep_time=0 mbox_type=mbox record="" postponed="" auto_tag=no imap_idle=no
push "<tag-pattern>~A<enter><tag-prefix><copy-message>{out}<enter><untag-pattern>~A<enter>\
<limit>~s plain<enter><first-entry><flag-message><next-entry><delete-message><sync-mailbox>\
<next-entry><copy-message>=Archive<enter><quit>"
""")
        env = {"TERM": "xterm", "HOME": self.folder}
        r = run("script", "-qefc", f"mutt -n -F {config}", "/dev/null", text=b"", env=env, cwd=self.folder)
        self.assert_ran(r)
        got = mailbox.mbox(out)
        self.assertEqual([m["Message-ID"] for m in got], [f"<{i}@far.test>" for i in (1, 2, 3)])
        c = self.house.imap("carol")
        self.assertEqual(c.select("INBOX"), ("OK", [b"2"]))
        self.assertEqual(c.search(None, "FLAGGED"), ("OK", [b"1"]))
        self.assertEqual(c.select("Archive"), ("OK", [b"1"]))
        c.logout()

    # --- mbsync

    def mbsync_config(self, user):
        os.makedirs(os.path.join(self.folder, "mail"), exist_ok=True)
        return self.write("mbsyncrc", f"""
IMAPAccount demo
Host localhost
Port {self.house.port['imaps']}
User {user}@demo.test
Pass {self.password(user)}
SSLType IMAPS
CertificateFile {self.house.cert}
SystemCertificates no

IMAPStore far
Account demo

MaildirStore near
Path {self.folder}/mail/
Inbox {self.folder}/mail/INBOX
SubFolders Verbatim

Channel demo
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
""")

    @unittest.skipUnless(*have("mbsync"))
    def test_mbsync_both_ways(self):
        self.fill("dave", 5)
        config = self.mbsync_config("dave")
        self.assert_ran(run("mbsync", "-c", config, "-a", env={"HOME": self.folder}))
        near = mailbox.Maildir(os.path.join(self.folder, "mail", "INBOX"), create=False)
        self.assertEqual(sorted(m["Message-ID"] for m in near), [f"<{i}@far.test>" for i in range(1, 6)])
        # here: one is read, one is deleted, one is new, a folder is made; there: one is flagged, one is expunged
        by_id = {near[k]["Message-ID"]: k for k in near.keys()}
        seen = near[by_id["<1@far.test>"]]
        seen.set_subdir("cur")
        seen.add_flag("S")
        near[by_id["<1@far.test>"]] = seen
        near.remove(by_id["<2@far.test>"])
        near.add(mailbox.MaildirMessage(b"Subject: new here\nMessage-ID: <new@near.test>\n\nfrom near\n"))
        mailbox.Maildir(os.path.join(self.folder, "mail", "Made here"), create=True)
        c = self.house.imap("dave")
        c.select("INBOX")
        c.store("3", "+FLAGS", r"(\Flagged)")
        c.store("5", "+FLAGS", r"(\Deleted)")
        c.expunge()
        c.logout()
        self.assert_ran(run("mbsync", "-c", config, "-a", env={"HOME": self.folder}))
        c = self.house.imap("dave")
        self.assertEqual(c.select("INBOX"), ("OK", [b"4"]))
        self.assertEqual(c.search(None, "SEEN"), ("OK", [b"1"]))
        self.assertEqual(c.search(None, "HEADER", "Message-ID", "<new@near.test>"), ("OK", [b"4"]))
        self.assertEqual(c.select('"Made here"')[0], "OK")
        c.logout()
        near = mailbox.Maildir(os.path.join(self.folder, "mail", "INBOX"), create=False)
        flags = {m["Message-ID"]: m.get_flags() for m in near}
        self.assertEqual(flags, {"<1@far.test>": "S", "<3@far.test>": "F", "<4@far.test>": "", "<new@near.test>": flags["<new@near.test>"]})
        # and then there is nothing left to do
        self.assert_ran(run("mbsync", "-c", config, "-a", env={"HOME": self.folder}))
        self.assertEqual(len(self.house.mailbox("dave")), 4)

    # --- offlineimap

    @unittest.skipUnless(*have("offlineimap"))
    def test_offlineimap_both_ways(self):
        self.fill("frank", 4)
        config = self.write("offlineimaprc", f"""
[general]
accounts = demo
metadata = {self.folder}/meta
ui = quiet
socktimeout = 60

[Account demo]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {self.folder}/mail

[Repository far]
type = IMAP
remotehost = localhost
remoteport = {self.house.port['imaps']}
remoteuser = frank@demo.test
remotepass = {self.password('frank')}
ssl = yes
sslcacertfile = {self.house.cert}
auth_mechanisms = PLAIN
""")
        self.assert_ran(run("offlineimap", "-c", config, "-o", env={"HOME": self.folder}))
        near = mailbox.Maildir(os.path.join(self.folder, "mail", "INBOX"), create=False)
        self.assertEqual(sorted(m["Message-ID"] for m in near), [f"<{i}@far.test>" for i in range(1, 5)])
        by_id = {near[k]["Message-ID"]: k for k in near.keys()}
        flagged = near[by_id["<2@far.test>"]]
        flagged.set_subdir("cur")
        flagged.add_flag("F")
        near[by_id["<2@far.test>"]] = flagged
        near.remove(by_id["<4@far.test>"])
        near.add(mailbox.MaildirMessage(b"Subject: new here\nMessage-ID: <new@near.test>\n\nfrom near\n"))
        self.assert_ran(run("offlineimap", "-c", config, "-o", env={"HOME": self.folder}))
        c = self.house.imap("frank")
        self.assertEqual(c.select("INBOX"), ("OK", [b"4"]))
        self.assertEqual(c.search(None, "FLAGGED"), ("OK", [b"2"]))
        self.assertEqual(c.search(None, "HEADER", "Message-ID", "<new@near.test>")[0], "OK")
        c.store("1", "+FLAGS", r"(\Seen \Answered)")
        c.logout()
        self.assert_ran(run("offlineimap", "-c", config, "-o", env={"HOME": self.folder}))
        near = mailbox.Maildir(os.path.join(self.folder, "mail", "INBOX"), create=False)
        self.assertEqual({m.get_flags() for m in near if m["Message-ID"] == "<1@far.test>"}, {"RS"})

    # --- npm imapflow

    @unittest.skipUnless(shutil.which("node") and shutil.which("npm"), "node or npm is not installed")
    def test_imapflow(self):
        place = os.path.join(BUILD, "imapflow")
        os.makedirs(place, exist_ok=True)
        for name in ("package.json", "package-lock.json", "run.mjs"):
            shutil.copy(os.path.join(HERE, "imapflow", name), place)
        if not os.path.isdir(os.path.join(place, "node_modules", "imapflow")):
            r = run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=place, timeout=300)
            if r.returncode:
                self.skipTest("npm cannot install imapflow here")
        r = run("node", "run.mjs", cwd=place, env={"PORT": str(self.house.port["imaps"]), "AUSER": "bob@demo.test",
                                                   "APASS": self.password("bob"), "CA": self.house.cert})
        self.assert_ran(r)
        steps = [json.loads(l)["step"] for l in r.stdout.decode().splitlines() if l.startswith("{")]
        self.assertEqual(steps, ["capabilities", "list", "fetch", "search", "move", "idle", "done"])


if __name__ == "__main__":
    unittest.main()
