"""What an administrator types: every command that shows something prints one JSON value with --json, a wrong name is
one sentence and status 1, and a server that cannot start says what is in its way."""
import json
import os
import socket
import subprocess
import unittest

from harness.house import BUILD, House

POSTHORN = os.path.join(BUILD, "posthorn")
MESSAGE = "From: a@far.test\nSubject: x\nDate: Sun, 22 Nov 2026 00:00:00 +0000\n\nhello\n"


class Commands(unittest.TestCase):
    def test_json_is_one_value(self):
        with House() as h:
            h.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: x\r\n\r\nhello\r\n")
            for words in (["domain", "list"], ["domain", "show", "demo.test"], ["domain", "set", "demo.test", "dmarc", "quarantine"],
                          ["domain", "unset", "demo.test", "dmarc"], ["account", "list"], ["account", "show", "bob@demo.test"],
                          ["alias", "list"], ["dkim", "list"], ["dkim", "list", "demo.test"], ["dkim", "show", "demo.test"],
                          ["dkim", "check", "demo.test"], ["dkim", "rotate", "demo.test"], ["dns", "demo.test"],
                          ["reports", "demo.test"], ["queue", "list"], ["trace", "bob@demo.test"], ["status"]):
                with self.subTest(words=words):
                    r = h.tool(*words, "--json", check=False)
                    self.assertEqual((r.returncode, r.stderr), (0, ""))
                    self.assertIsInstance(json.loads(r.stdout), (dict, list))

    def test_a_wrong_name_is_one_sentence(self):
        with House() as h:
            for words in (["domain", "show", "none.test"], ["domain", "set", "none.test", "dmarc", "none"],
                          ["domain", "set", "demo.test", "dmrc", "none"], ["domain", "set", "demo.test", "dmarc", "maybe"],
                          ["dkim", "list", "none.test"], ["dkim", "rotate", "none.test"],
                          ["dkim", "import", "demo.test", "old", "/nowhere/key"], ["dns", "none.test"], ["dns", "demo.test", "--push"],
                          ["reports", "none.test"], ["queue", "show", "0000000000000"]):
                with self.subTest(words=words):
                    r = h.tool(*words, check=False)
                    self.assertEqual((r.returncode, r.stdout), (1, ""))
                    self.assertRegex(r.stderr, r"\Aposthorn: [^\n]+\n\Z")

    def test_keys_that_wait_are_not_made_again(self):
        with House() as h:
            # the first ones are made by the clock just now: that somebody asks at the same moment does no harm
            h.tool("dkim", "rotate", "demo.test")
            self.assertIn("No key was made", h.tool("dkim", "rotate", "demo.test").stdout)

    def test_authcheck_by_a_file_of_records(self):
        with House() as h:
            mail, zone = os.path.join(h.folder, "mail.eml"), os.path.join(h.folder, "zone")
            with open(mail, "w") as f:
                f.write(MESSAGE)
            with open(zone, "w") as f:
                f.write('far.test TXT "v=spf1 ip4:192.0.2.0/24 -all"\n_dmarc.far.test TXT "v=DMARC1; p=reject"\n')
            ask = ["authcheck", mail, "--mail-from", "a@far.test", "--dns", zone, "--at", "1795300000", "--json"]
            for ip, result, applied in (("192.0.2.7", "pass", "none"), ("198.51.100.7", "fail", "reject")):
                found = json.loads(h.tool(*ask, "--ip", ip).stdout)
                self.assertEqual((found["spf"]["result"], found["dmarc"]["result"], found["dmarc"]["applied"]), (result, result, applied))


class Starting(unittest.TestCase):
    def serve(self, config):
        return subprocess.run([POSTHORN, "serve", "--config", config], capture_output=True, text=True, timeout=60)

    def test_second_server(self):
        with House() as h:
            r = self.serve(h.config_path)
            self.assertEqual(r.returncode, 1)
            self.assertIn("another Posthorn runs with the data folder", r.stderr)
            self.assertNotIn("unavailable", r.stderr)

    def test_port_in_use(self):
        with House() as h, socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            config = os.path.join(h.folder, "other.conf")
            with open(config, "w") as f:
                f.write(f"hostname mail.demo.test\ndata other\nlisten smtp 127.0.0.1:{s.getsockname()[1]}\n")
            r = self.serve(config)
            self.assertEqual(r.returncode, 1)
            self.assertIn("another program has this port", r.stderr)
