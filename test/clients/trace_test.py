"""`posthorn trace` tells the whole journey: who brought it, where it lies, what each session did to it, what failed."""
import json
import re
import smtplib
import unittest

from harness.house import House, free_port, wait_for


class Telling(unittest.TestCase):
    def story(self, house, what, *words):
        """The story, once it holds all the words (events take a fifth of a second to be written)."""
        def told():
            text = house.tool("trace", what, check=False).stdout
            return text if all(w in text for w in words) else None
        try:
            return wait_for(f"{words} in the story of {what}", told, 20)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{house.tool('trace', what, check=False)}") from None

    def test_what_sessions_do(self):
        with House() as house:
            house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nMessage-ID: <j1@far.test>\r\nSubject: secret subject\r\n\r\nsecret words\r\n")
            house.wait_mail("bob", 1)
            c = house.imap("bob")
            c.select("INBOX")
            self.assertEqual(c.store("1", "+FLAGS", r"(\Seen $Label1)")[0], "OK")
            self.assertEqual(c.create('"Kept safe"')[0], "OK")
            self.assertEqual(c.copy("1", '"Kept safe"')[0], "OK")
            self.assertEqual(c.store("1", "+FLAGS", r"(\Deleted)")[0], "OK")
            self.assertEqual(c.expunge()[0], "OK")
            c.logout()
            text = self.story(house, "<j1@far.test>", "filed into INBOX as UID 1", r"\Seen", "copied it", "deleted it")
            self.assertIn("Kept safe", text)
            self.assertNotIn("secret", text)
            self.assertLess(text.index(r"\Seen"), text.index("deleted it"))
            # by any of its names
            mail = re.search(r"Mail (\w{13})", text).group(1)
            for name in (mail, mail.lower(), "j1@far.test", "a@far.test", "bob@demo.test"):
                self.assertIn("filed into INBOX as UID 1", house.trace(name))

    def test_json(self):
        with House() as house:
            house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nMessage-ID: <j2@far.test>\r\n\r\nx\r\n")
            self.story(house, "<j2@far.test>", "safe on disk")
            value = house.tool_json("trace", "<j2@far.test>")
            text = json.dumps(value)
            for kind in ("mail_from", "recipient_accepted", "message_received", "delivered", "accepted"):
                self.assertIn(f'"{kind}"', text)

    def test_refusals(self):
        with House() as house:
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                house.deliver("a@far.test", ["nobody@demo.test"], b"From: a@far.test\r\n\r\nx\r\n")
            self.story(house, "nobody@demo.test", "refused for <nobody@demo.test>: 550")
            with self.assertRaises(smtplib.SMTPDataError):
                house.deliver("loop@far.test", ["bob@demo.test"], b"Received: from x by y; Sat, 1 Jan 2000 00:00:00 +0000\r\n" * 31 + b"From: a@far.test\r\n\r\nx\r\n")
            self.story(house, "loop@far.test", "It was refused")
            for _ in range(2):
                c = house.smtp("submissions")
                with self.assertRaises(smtplib.SMTPAuthenticationError):
                    c.login("bob@demo.test", "not the password")
                c.close()
            text = self.story(house, "bob@demo.test", "failed")
            self.assertRegex(text, r"A login of bob@demo.test from .*127\.0\.0\.1.* by submissions failed")
            self.assertNotIn("not the password", text)

    def test_the_queue(self):
        with House(config=f"route far.test 127.0.0.1:{free_port()}\n") as house:  # nobody listens there
            house.deliver("alice@demo.test", ["x@far.test"], b"From: alice@demo.test\r\nMessage-ID: <q1@demo.test>\r\n\r\nx\r\n",
                          service="submissions", user="alice")
            self.story(house, "<q1@demo.test>", "submitted a message from <alice@demo.test>", "put into the queue",
                       "could not be passed on", "next attempt")
            mail = re.search(r"Mail (\w{13})", house.trace("x@far.test")).group(1)
            house.tool("queue", "hold", mail)
            self.story(house, "x@far.test", "held")
            house.tool("queue", "release", mail)
            self.story(house, "x@far.test", "released")
            house.tool("queue", "drop", mail)
            self.story(house, "x@far.test", "dropped from the queue")
            self.assertEqual(house.mailbox("alice"), [])

    def test_nothing_known(self):
        with House() as house:
            r = house.tool("trace", "stranger@nowhere.test", check=False)
            self.assertEqual(r.returncode, 1)
            self.assertEqual(len(r.stderr.strip().splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
