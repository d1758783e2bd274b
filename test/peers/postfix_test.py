"""Postfix on the other side, in both directions: its smtp-source and a whole Postfix send to us; we send to its smtp-sink
in all its moods and to a whole Postfix, with TLS and without."""
import os
import re
import subprocess
import unittest

from harness.house import House, accepts, free_port, have, is_root, wait_for
from postfix import Postfix, Sink

DOTS = "From: alice@demo.test\r\nSubject: dots\r\nX-Mark: dots\r\n\r\n.\r\n..\r\n.x\r\nlast\r\n"


def as_root(test):
    return unittest.skipUnless(is_root(), "Postfix starts as root only")(
        unittest.skipUnless(*have("postfix"))(test))


def messages_in_queue(house):
    return house.tool_json("queue", "list")


def flat(rows):
    """The tool prints one array, or one value a message."""
    out = []
    for r in rows:
        out += r if isinstance(r, list) else [r]
    return out


class Coming(unittest.TestCase):
    """From Postfix to us."""

    @unittest.skipUnless(*have("smtp-source"))
    def test_smtp_source(self):
        with House(accounts=["alice"], config="limit connections-per-network 100\n") as house:
            for options in (["-l", "3000"], ["-l", "3000", "-d"], ["-l", "100000", "-d"]):
                r = subprocess.run(["smtp-source", *options, "-m", "60", "-s", "6", "-f", "sender@far.test", "-t",
                                    f"alice@{house.domain}", f"127.0.0.1:{house.port['smtp']}"], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, timeout=120)
                self.assertEqual(r.returncode, 0, r.stdout)
            if r.returncode == 0:
                self.assertEqual(len(house.wait_mail("alice", 180)), 180)

    @as_root
    def test_whole_postfix(self):
        with House(accounts=["alice", "bob"]) as house, Postfix(relay_to=house.port["smtp"]) as peer:
            import smtplib
            c = smtplib.SMTP("127.0.0.1", peer.port, timeout=30)
            c.sendmail("eve@peer.test", ["alice@demo.test", "bob@demo.test"], DOTS)
            c.sendmail("eve@peer.test", ["nobody@demo.test"], "From: eve@peer.test\r\nSubject: for nobody\r\n\r\nx\r\n")
            c.quit()
            for user in ("alice", "bob"):
                got = house.wait_mail(user, 1)[0]
                self.assertTrue(got.endswith(b"\r\n\r\n.\r\n..\r\n.x\r\nlast\r\n"), got)
                self.assertRegex(got.decode(), r"by peer\.test \(Postfix\)")
                self.assertRegex(got.decode(), r"Received: from peer\.test .*\s+by mail\.demo\.test .*with ESMTPS")
            wait_for("Postfix bounces what we refused", lambda: peer.mailbox("eve"))
            self.assertIn(b"5.1.1", peer.mailbox("eve")[0])
            self.assertEqual(flat(messages_in_queue(house)), [])


class Going(unittest.TestCase):
    """From us to Postfix."""

    @unittest.skipUnless(*have("smtp-sink"))
    def test_smtp_sink_takes_it_in_every_mood(self):
        for options in ([], ["-e"], ["-p"], ["-8", "-N"], ["-P"], ["-E", "-N", "-C", "-F"]):
            with self.subTest(options=options), Sink(*options) as sink, House(
                    accounts=["alice"], config=f"route *.sink.test 127.0.0.1:{sink.port}\n") as house:
                house.deliver("alice@demo.test", [f"u{i}@d{i % 3}.sink.test" for i in range(9)], DOTS, service="submission",
                              user="alice")
                house.deliver("alice@demo.test", ["x@one.sink.test"], "Subject: two\r\n\r\nx\r\n", service="submission",
                              user="alice")
                wait_for("the queue is empty", lambda: not flat(messages_in_queue(house)))
                # one next hop: the nine recipients came in one transaction
                self.assertEqual(len(sink.messages()), 2)
                dots = [m for m in sink.messages() if b"X-Mark: dots" in m][0]
                self.assertTrue(dots.replace(b"\r", b"").rstrip(b"\n").endswith(b"\n\n.\n..\n.x\nlast"), dots)
                self.assertEqual(len(re.findall(rb"X-Rcpt-Args:", dots)), 9)

    @unittest.skipUnless(*have("smtp-sink"))
    def test_smtp_sink_says_no(self):
        cases = ((["-f", "MAIL"], "500"), (["-f", "RCPT"], "500"), (["-f", "DATA"], "500"), (["-f", "."], "500"))
        for options, code in cases:
            with self.subTest(options=options), Sink(*options) as sink, House(
                    accounts=["alice"], config=f"route sink.test 127.0.0.1:{sink.port}\n") as house:
                house.deliver("alice@demo.test", ["x@sink.test"], DOTS, service="submission", user="alice")
                notice = house.wait_mail("alice", 1)[0].decode()
                self.assertIn("Final-Recipient: rfc822; x@sink.test", notice)
                self.assertIn(f"Diagnostic-Code: smtp; {code} ", notice)
                self.assertIn("Return-Path: <>", notice)
                wait_for("the queue is empty", lambda: not flat(messages_in_queue(house)))

    @unittest.skipUnless(*have("smtp-sink"))
    def test_smtp_sink_hangs_up(self):
        """It answers 421, or nothing, at each command: the mail waits, and goes when the sink is well again."""
        moods = [["-Q", c] for c in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".")]
        moods += [["-q", c] for c in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".")]
        moods += [["-r", c] for c in ("MAIL", "RCPT", "DATA", ".")]
        port = free_port()
        with House(accounts=["alice"], config=f"route sink.test 127.0.0.1:{port}\n") as house:
            for n, options in enumerate(moods):
                with self.subTest(options=options):
                    sink = Sink(*options)
                    sink.port = port
                    with sink:
                        house.deliver("alice@demo.test", ["x@sink.test"], f"Subject: {n}\r\n\r\nx\r\n", service="submission",
                                      user="alice")
                        wait_for("it was tried", lambda: any(r["attempts"] > 0 for m in flat(messages_in_queue(house))
                                                             for r in m["recipients"]))
                    well = Sink()
                    well.port = port
                    with well:
                        def gone():
                            house.tool("queue", "retry", check=False)
                            return not flat(messages_in_queue(house))
                        wait_for("it went", gone)
                        # what was lost after the final dot may come twice, what was lost before it may not
                        self.assertEqual(len(well.messages()), 1)
            self.assertEqual(house.mailbox("alice"), [])  # nobody was told that it failed: it did not

    @as_root
    def test_whole_postfix(self):
        for tls in (True, False):
            with self.subTest(tls=tls), Postfix(tls=tls) as peer, House(
                    accounts=["alice"], config=f"route peer.test 127.0.0.1:{peer.port}\n") as house:
                house.deliver("alice@demo.test", ["bob@peer.test", "nobody@peer.test"], DOTS, service="submission",
                              user="alice")
                wait_for("Postfix delivers it", lambda: peer.mailbox("bob"))
                got = peer.mailbox("bob")[0]
                self.assertTrue(got.endswith(b"\n\n.\n..\n.x\nlast\n"), got)
                self.assertNotIn(b"\r", got)
                self.assertEqual(b"using TLSv1.3" in got, tls)
                self.assertIn(b"from mail.demo.test", got)
                notice = house.wait_mail("alice", 1)[0].decode()
                self.assertIn("Final-Recipient: rfc822; nobody@peer.test", notice)
                self.assertIn("Status: 5.1.1", notice)
                trace = house.trace("bob@peer.test")
                self.assertEqual(re.search(r"TLS ?v?1\.3", trace) is not None, tls, trace)

    @as_root
    def test_postfix_and_we_do_not_pass_mail_round_for_ever(self):
        """Postfix sends our domain to us, and an alias of ours sends it back to Postfix, which sends it to us again."""
        port = free_port()
        with House(accounts=["alice"], config=f"route loop.test 127.0.0.1:{port}\n") as house:
            peer = Postfix(relay_to=house.port["smtp"],
                           more="virtual_alias_domains = loop.test\nvirtual_alias_maps = inline:{ x@loop.test=round@demo.test }")
            text = open(os.path.join(peer.folder, "etc", "master.cf")).read().replace(f":{peer.port} ", f":{port} ")
            with open(os.path.join(peer.folder, "etc", "master.cf"), "w") as f:
                f.write(text)
            peer.port = port
            with peer:
                house.tool("alias", "add", "round@demo.test", "x@loop.test")
                house.deliver("eve@peer.test", ["round@demo.test"], "From: eve@peer.test\r\nSubject: round\r\n\r\nx\r\n")

                def ended():
                    # Postfix notices its own Delivered-To or hop count, or we notice ours: either way it stops
                    return peer.mailbox("eve") or re.search(r"loop|too many hops|circles|hop count", peer.log() +
                                                            house.trace("round@demo.test"))
                wait_for("the loop ends", ended)
                self.assertLessEqual(len(peer.mailbox("eve")), 1)
