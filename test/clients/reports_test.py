"""Reports others send us, through a running house: they come by SMTP to addresses nobody made, posthorn reports tells
what is in them; what is no report, is about somebody else, or is a bomb is refused with words (THREATS 26); when the
role that reads them dies the sender hears 4xx and nothing is lost."""
import gzip
import io
import json
import os
import signal
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import zipfile
from email.message import EmailMessage

from harness.house import House, have, wait_for

try:
    from harness.dns_stub import DnsStub
except ImportError:  # python3-dnspython
    DnsStub = None

DAY = 86400


def record(source, count, dkim="fail", spf="fail", spf_domain="", spf_result="none", signed="", signed_result="fail", disposition="none"):
    d = f"<dkim><domain>{signed}</domain><selector>s</selector><result>{signed_result}</result></dkim>" if signed else ""
    return (f"<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated><disposition>{disposition}"
            f"</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row><identifiers><header_from>demo.test"
            f"</header_from></identifiers><auth_results>{d}<spf><domain>{spf_domain}</domain><result>{spf_result}</result></spf>"
            "</auth_results></record>")


def aggregate(records, domain="demo.test", org="big.example", number="1"):
    end = int(time.time()) - DAY
    return (f'<?xml version="1.0"?><feedback><report_metadata><org_name>{org}</org_name><email>dmarc@{org}</email>'
            f"<report_id>{number}</report_id><date_range><begin>{end - DAY}</begin><end>{end}</end></date_range></report_metadata>"
            f"<policy_published><domain>{domain}</domain><p>none</p></policy_published>{''.join(records)}</feedback>").encode()


def mail(data, kind="gzip", name="big.example!demo.test!1!2.xml.gz", sender="dmarc@big.example"):
    m = EmailMessage()
    m["From"] = sender
    m["To"] = "dmarc-reports@demo.test"
    m["Subject"] = "Report Domain: demo.test"
    m.set_content("This is a report.")
    m.add_attachment(data, maintype="application", subtype=kind, filename=name)
    return m.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def zipped(name, data):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, data)
    return b.getvalue()


def zeros(size):
    """A gzip of that many zeros, made in pieces."""
    import zlib
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b"\0" * (1 << 20)
    return b"".join(z.compress(piece) for _ in range(size >> 20)) + z.flush()


TLS = {"organization-name": "Google Inc.", "report-id": "t1", "contact-info": "x@big.example",
       "policies": [{"policy": {"policy-type": "sts", "policy-domain": "demo.test", "mx-host": ["mx.demo.test"]},
                     "summary": {"total-successful-session-count": 1197, "total-failure-session-count": 3},
                     "failure-details": [{"result-type": "certificate-host-mismatch", "receiving-mx-hostname": "mx.demo.test",
                                          "failed-session-count": 3}]}]}

FAILURE = (b"From: r@far.test\r\nSubject: failed\r\nMIME-Version: 1.0\r\n"
           b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
           b"--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
           b"Feedback-Type: auth-failure\r\nVersion: 1\r\nSource-IP: 198.51.100.99\r\nReported-Domain: demo.test\r\n"
           b"Auth-Failure: dmarc\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: boss@demo.test\r\n"
           b"Subject: topsecretsubject\r\n\r\ntopsecretbody\r\n--b--\r\n")


# who reports, and is believed: DMARC passes by SPF
ZONE = "".join(f'_dmarc.{d} TXT "v=DMARC1; p=none"\n{d} TXT "v=spf1 ip4:127.0.0.0/8 -all"\n' for d in ("big.example", "other.example", "far.test")) + "www.demo.test A 198.51.101.77\n"


@unittest.skipUnless(DnsStub, "python3-dnspython is not installed")
class Reports(unittest.TestCase):
    def setUp(self):
        stub = DnsStub()
        self.addCleanup(stub.stop)
        stub.load(ZONE)
        self.house = House(accounts=["bob"], config="address 192.0.2.25\n", resolver=f"127.0.0.1@{stub.port}").start()
        self.addCleanup(self.house.stop)

    def send(self, message, to=("dmarc-reports@demo.test",), sender="dmarc@big.example"):
        """The reply behind the message, or of the refused recipient."""
        c = self.house.smtp()
        try:
            c.mail(sender)
            for r in to:
                code, text = c.rcpt(r)
                if code != 250:
                    return code, text.decode()
            code, text = c.data(message)
            return code, text.decode()
        finally:
            c.close()

    def told(self, *args):
        return self.house.tool("reports", "demo.test", *args).stdout

    def test_they_are_told_in_sentences(self):
        rows = [record("192.0.2.25", 12000, "pass", "pass"),
                record("192.0.2.77", 5, "pass", "fail"),
                record("198.51.100.7", 310, spf_domain="shop.example", spf_result="pass"),
                record("203.0.113.9", 40, disposition="reject")]
        self.assertEqual(self.send(mail(gzip.compress(aggregate(rows))))[0], 250)
        self.assertEqual(self.send(mail(gzip.compress(aggregate(rows))))[0], 250)  # again: counted once
        own = aggregate([record("192.0.2.25", 2, signed="demo.test")], org="other.example")
        self.assertEqual(self.send(mail(zipped("r.xml", own), "zip", "r.zip", "dmarc@other.example"), sender="dmarc@other.example")[0], 250)
        self.assertEqual(self.send(mail(json.dumps(TLS).encode(), "tlsrpt+json", "r.json"), ["tls-reports@demo.test"])[0], 250)
        self.assertEqual(self.send(FAILURE, sender="r@far.test")[0], 250)
        text = self.told()
        self.assertIn("In the last 7 days 2 organisations reported 12,357 messages in the name of demo.test; 97.1 % were believed.", text)
        self.assertIn("Source 198.51.100.7 sent 310 messages in your name that failed both checks; its SPF domain is shop.example", text)
        self.assertIn("Source 203.0.113.9 sent 40 messages in your name and proves nothing", text)
        self.assertIn("Your own server: Source 192.0.2.25 sent 12,002 messages, of which 2 failed", text)
        self.assertIn("5 messages came by 1 source that SPF does not name, but with your signature intact", text)
        self.assertIn("big.example (Google Inc.) reported that 3 of 1,200 TLS sessions failed.", text)
        self.assertIn("3 TLS sessions failed at mx.demo.test because the certificate does not carry the server's name (certificate-host-mismatch).", text)
        self.assertIn("mail from 198.51.100.99 failed dmarc", text)
        self.assertIn("wait until there are 14", text)
        table = self.told("--table")
        self.assertRegex(table, r"big\.example +aggregate +1 +12355 +yes")
        self.assertRegex(table, r"198\.51\.100\.7 +- +310 +0 .*service +shop\.example")
        values = self.house.tool_json("reports", "demo.test")[0]
        shop = [v for v in values if v["kind"] == "row" and v["source"] == "198.51.100.7"]
        self.assertEqual([(v["messages"], v["believed"], v["class"]) for v in shop], [(310, 0, "service")])
        told = [v for v in values if v["kind"] == "source" and v["class"] == "service"]
        self.assertEqual([(v["messages"], v["sources"]) for v in told], [(310, 1)])
        self.assertRegex(told[0]["failed_from"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        # nothing of the mail reported on is kept, and nothing lies in a mailbox
        for folder, _, files in os.walk(self.house.data):
            for f in filter(lambda f: os.path.isfile(os.path.join(folder, f)), files):
                with open(os.path.join(folder, f), "rb") as file:
                    self.assertNotIn(b"topsecret", file.read(), f)
        self.assertEqual(self.house.mailbox("bob"), [])

    def test_the_web_shop(self):
        """A machine that proves nothing, but has the address of our web site; what is told is in the JSON, too."""
        rows = [record("198.51.101.77", 310, disposition="quarantine"), record("192.0.2.26", 2)]
        self.assertEqual(self.send(mail(gzip.compress(aggregate(rows))))[0], 250)
        text = self.told()
        self.assertIn("It was big.example: what other receivers saw is not known.", text)
        self.assertIn("Source 198.51.101.77 sent 310 messages in your name that failed both checks; it has the address of www.demo.test and"
                      " signs with no key; 310 filed as junk: probably your web site or web shop.", text)
        self.assertIn("server mail.demo.test, port 465 (TLS)", text)
        self.assertIn("Source 192.0.2.26 sent 2 messages in your name that failed both checks; it is in the network of this server", text)
        values = self.house.tool_json("reports", "demo.test")[0]
        total = next(v for v in values if v["kind"] == "total")
        self.assertEqual((total["organisations"], total["messages"], total["believed"], total["days"]), (1, 312, 0, 7))
        shop = next(v for v in values if v["kind"] == "source" and v["class"] == "near")
        self.assertEqual((shop["source"], shop["messages"], shop["quarantined"], shop["in_the_name_of"], shop["reported_by"]),
                         ("198.51.101.77", 310, 310, "demo.test", "big.example"))
        advice = next(v for v in values if v["kind"] == "advice")
        self.assertEqual((advice["policy"], advice["reported_days"]), ("none", 1))

    def test_a_period_that_cannot_be_true(self):
        """Backwards, in milliseconds, of many years: it counts as a day, and nobody is told to be stricter for it."""
        now = int(time.time())
        for i, (begin, end) in enumerate(((now, now - 5 * DAY), ((now - 2 * DAY) * 1000, (now - DAY) * 1000), (1, now + 900 * DAY), (0, 0))):
            xml = aggregate([record("192.0.2.25", 1, "pass", "pass")], number=str(i)).decode()
            begun, ended = (xml.index(f"<{t}>") for t in ("begin", "end"))
            xml = xml[:begun] + f"<begin>{begin}</begin><end>{end}" + xml[xml.index("</end>", ended):]
            self.assertEqual(self.send(mail(gzip.compress(xml.encode())))[0], 250)
        for v in self.house.tool_json("reports", "demo.test")[0]:
            if v["kind"] == "reporter":
                self.assertGreater(v["begin"], time.strftime("%Y-%m-%d", time.gmtime(now - 33 * DAY)))
                self.assertLess(v["end"], time.strftime("%Y-%m-%d", time.gmtime(now + 2 * DAY)))

    def test_who_is_not_proven_does_not_count(self):
        rows = [record("203.0.113.9", 9000)]
        forged = mail(gzip.compress(aggregate(rows, org="google.com")), sender="noreply@google.com")
        self.assertEqual(self.send(forged, sender="x@nobody.example")[0], 250)
        text = self.told()
        self.assertIn("nobody reported on mail", text)
        self.assertIn("1 report on 9,000 messages is not counted: not proven to come from google.com, because", text)
        self.assertNotIn("203.0.113.9", text)
        self.assertRegex(self.told("--table"), r"google\.com +aggregate +1 +9000 +no")
        # proven to be somebody else than it says: counts, under the name that is proven
        self.assertEqual(self.send(mail(gzip.compress(aggregate(rows, org="google.com"))))[0], 250)
        self.assertIn("1 organisation reported 9,000 messages", self.told())
        self.assertIn("big.example (calls itself google.com)", self.told("--table"))

    def test_the_same_again_under_another_id_counts_once(self):
        rows = [record("192.0.2.25", 100, "pass", "pass")]
        for number in ("1", "2"):
            self.assertEqual(self.send(mail(gzip.compress(aggregate(rows, number=number))))[0], 250)
        text = self.told()
        self.assertIn("1 organisation reported 100 messages in the name of demo.test; all of them were believed. 100 messages were"
                      " reported twice by the same organisation, and count once.", text)

    def test_reports_without_an_id(self):
        """Each day's counts; the same again once."""
        for day in (1, 2, 2):
            end = int(time.time()) // DAY * DAY - day * DAY
            xml = aggregate([record("192.0.2.25", 100, "pass", "pass")], number="").decode()
            xml = xml[:xml.index("<begin>")] + f"<begin>{end - DAY}</begin><end>{end}" + xml[xml.index("</end>"):]
            self.assertEqual(self.send(mail(gzip.compress(xml.encode())))[0], 250)
        self.assertIn("1 organisation reported 200 messages", self.told())
        self.assertRegex(self.told("--table"), r"big\.example +aggregate +2 +200 +yes")

    def test_archives_as_they_come(self):
        """A zip written to a pipe (its sizes stand behind the data), with a name that climbs and junk of a Mac before it; a
        stored one with bytes before and behind; a gzip in two members with padding. And broken ones, refused with words."""
        class Pipe(io.RawIOBase):
            def __init__(self):
                super().__init__()
                self.bytes = b""

            def writable(self):
                return True

            def write(self, b):
                self.bytes += bytes(b)
                return len(b)
        xml = [aggregate([record("192.0.2.25", 10, "pass", "pass")], number=str(i)) for i in range(3)]
        pipe, stored = Pipe(), io.BytesIO()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr("__MACOSX/._r.xml", b"junk")
            z.writestr("../../etc/r.xml", xml[0])
        with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as z:
            z.writestr("folder/", b"")
            z.writestr("r.xml", xml[1])
        two = gzip.compress(xml[2][:200]) + gzip.compress(xml[2][200:]) + b"\0" * 512
        for data in (pipe.bytes, stored.getvalue() + b"\r\n", two):
            code, text = self.send(mail(data, "octet-stream", "r.dat"))
            self.assertEqual(code, 250, text)
        self.assertRegex(self.told("--table"), r"big\.example +aggregate +3 +30 +yes")
        wrong = bytearray(gzip.compress(xml[0]))
        wrong[-6] ^= 1
        locked = bytearray(zipped("r.xml", xml[0]))
        locked[locked.index(b"PK\1\2") + 8] |= 1
        for data, words in ((bytes(wrong), "damaged"), (gzip.compress(xml[0])[:-20], "cut off"), (bytes(locked), "encrypted"),
                            (zipped("r.xml", xml[0])[:-30], "directory"), (b"PK\5\6" + b"\0" * 18, "empty")):
            code, text = self.send(mail(data, "zip", "r.zip"))
            self.assertEqual(code, 554)
            self.assertIn(words, text)

    def test_utf_16(self):
        data = aggregate([record("192.0.2.25", 3, "pass", "pass")]).decode().encode("utf-16")
        self.assertEqual(self.send(mail(gzip.compress(data)))[0], 250)
        self.assertIn("1 organisation reported 3 messages", self.told())

    def test_twenty_thousand_sources(self):
        rows = [record(f"198.{18 + i // 60000}.{i // 250 % 240}.{i % 250 + 1}", 1) for i in range(20000)]
        self.assertEqual(self.send(mail(gzip.compress(aggregate(rows), 9)))[0], 250)
        begun = time.monotonic()
        text = self.told()
        self.assertIn("20,000 messages", text)
        self.assertLess(len(text.splitlines()), 12)
        print(f"posthorn reports of 20,000 sources: {time.monotonic() - begun:.2f} s", flush=True)

    def test_what_is_none_is_refused_with_words(self):
        self.assertRegex(self.send(b"From: a@far.test\r\nSubject: hi\r\n\r\nBuy now!\r\n")[1],
                         "this address takes DMARC and TLS reports only: there is no attachment that is XML, JSON, gzip or zip")
        self.assertEqual(self.send(b"From: a@far.test\r\nSubject: hi\r\n\r\nBuy now!\r\n")[0], 554)
        code, text = self.send(mail(gzip.compress(aggregate([record("192.0.2.1", 1)], domain="foreign.test"))))
        self.assertEqual(code, 554)
        self.assertIn("this server takes reports on its own domains only, not on foreign.test", text)
        below = self.send(mail(gzip.compress(aggregate([record("192.0.2.1", 1)], domain="sub.demo.test"))))
        self.assertEqual(below[0], 250)
        self.assertEqual(self.send(b"\r\n", ["dmarc-reports@foreign.test"])[0], 550)
        r = self.house.tool("account", "add", "posthorn-probe@demo.test", "--random", check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("sends mail to itself", r.stderr)
        r = self.house.tool("reports", "foreign.test", check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("there is no domain foreign.test here", r.stderr)

    def test_an_account_of_that_name_wins(self):
        self.house.tool("alias", "add", "dmarc-reports@demo.test", "bob@demo.test")
        self.assertEqual(self.send(mail(gzip.compress(aggregate([record("192.0.2.1", 1)]))))[0], 250)
        self.assertEqual(len(self.house.wait_mail("bob", 1)), 1)
        self.assertIn("nobody reported", self.told())

    def test_mixed_recipients(self):
        data = mail(gzip.compress(aggregate([record("192.0.2.25", 3, "pass", "pass")])))
        self.assertEqual(self.send(data, ["bob@demo.test", "dmarc-reports@demo.test"])[0], 250)
        self.assertEqual(len(self.house.wait_mail("bob", 1)), 1)
        self.assertIn("1 organisation reported 3 messages in the name of demo.test; all of them were believed.", self.told())

    def test_submitted_ones_come_by_the_queue(self):
        data = mail(gzip.compress(aggregate([record("192.0.2.25", 3, "pass", "pass")]))).replace(b"dmarc@big.example", b"bob@demo.test", 1)
        self.house.deliver("bob@demo.test", ["dmarc-reports@demo.test"], data, service="submission", user="bob")
        # nobody outside vouches for what one of ours submits
        wait_for("the report is told", lambda: "1 report on 3 messages is not counted" in self.told())

    def test_bombs(self):
        pid = self.house.pids("reporter")
        xml = aggregate([record("192.0.2.1", 1)])
        laughs = (b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
            b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b"]><feedback>&j;</feedback>")
        inner = zipped("x.zip", zipped("r.xml", xml))
        bombs = {"billion laughs": laughs, "zeros": zeros(2 << 30), "zip in zip": inner, "gzip in gzip": gzip.compress(gzip.compress(xml)),
                 "tags": gzip.compress(b"<feedback>" + b"<a>" * 3000000), "json": b"{\"policies\":" + b"[" * 3000000}
        for name, data in bombs.items():
            begun = time.monotonic()
            code, text = self.send(mail(data, "octet-stream", "r.xml"))
            self.assertEqual(code, 554, f"{name}: {text}")
            self.assertLess(time.monotonic() - begun, 30, name)  # generous: a loaded machine with sanitizers
        self.assertEqual(self.house.pids("reporter"), pid)  # it did not even die
        with open(os.path.join(self.house.build, "posthorn-reporter"), "rb") as f:
            sanitized = b"__asan_init" in f.read()
        if not sanitized:
            with open(f"/proc/{pid[0]}/status") as f:
                peak = [int(line.split()[1]) for line in f if line.startswith("VmHWM")][0]
            self.assertLess(peak, 48 * 1024)  # KB: 32 MB for the bomb beside what the role is
        self.assertEqual(self.send(mail(gzip.compress(xml)))[0], 250)

    def killed_while_it_waits(self, role):
        data = mail(gzip.compress(aggregate([record("192.0.2.25", 3, "pass", "pass")])))
        replies = []
        pid = self.house.pids(role)[0]
        os.kill(pid, signal.SIGSTOP)
        sender = threading.Thread(target=lambda: replies.append(self.send(data)))
        sender.start()
        if role == "reporter":
            wait_for("the report is judged, and handed on", lambda: '"verdict"' in self.events())
        os.kill(pid, signal.SIGKILL)
        sender.join(60)
        wait_for(f"{role} is back", lambda: self.house.pids(role) not in ([], [pid]))
        return data, replies[0][0]

    def events(self):
        return self.house.tool("trace", "dmarc-reports@demo.test", "--json", check=False).stdout

    def test_a_role_that_dies_loses_nothing(self):
        for role in ("reporter", "journal"):
            with self.subTest(role):
                data, code = self.killed_while_it_waits(role)
                self.assertIn(code, (250, 451), role)
                if role == "reporter":
                    self.assertEqual(code, 451)
                wait_for("it is taken when it comes again", lambda: self.send(data)[0] == 250)
                self.assertIn("1 organisation reported 3 messages in the name of demo.test", self.told())

    @unittest.skipUnless(*have("swaks"))
    def test_swaks(self):
        path = os.path.join(self.house.folder, "r.xml.gz")
        with open(path, "wb") as f:
            f.write(gzip.compress(aggregate([record("192.0.2.25", 3, "pass", "pass")])))
        r = subprocess.run(["swaks", "--server", f"127.0.0.1:{self.house.port['smtp']}", "--to", "dmarc-reports@demo.test", "--from",
                            "dmarc@big.example", "--attach-type", "application/gzip", "--attach", f"@{path}"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("1 organisation reported 3 messages", self.told())


@unittest.skipUnless(DnsStub, "python3-dnspython is not installed")
class Judged(unittest.TestCase):
    """What judge judged lies counted in reports.db: the material of the reports we send."""

    def test_it_is_counted(self):
        stub = DnsStub()
        self.addCleanup(stub.stop)
        stub.load('_dmarc.claimed.example TXT "v=DMARC1; p=quarantine; rua=mailto:r@claimed.example"\n'
                  'claimed.example TXT "v=spf1 -all"\n')
        data = tempfile.mkdtemp(prefix="posthorn-test-data-")
        os.chmod(data, 0o755)
        self.addCleanup(shutil.rmtree, data, ignore_errors=True)
        house = House(accounts=["bob"], resolver=f"127.0.0.1@{stub.port}", data=os.path.join(data, "data")).start()
        self.addCleanup(house.stop)
        for i in range(3):
            house.deliver("x@claimed.example", ["bob@demo.test"], f"From: x@claimed.example\r\nSubject: {i}\r\n\r\nhello\r\n")
        house.deliver("x@silent.example", ["bob@demo.test"], "From: x@silent.example\r\n\r\nhello\r\n")
        wait_for("they are counted", lambda: "judged messages counted 3" in house.tool("status").stdout)
        house.stop()  # what was counted is written before the roles end
        db = sqlite3.connect(os.path.join(data, "data", "journal", "reports.db"))
        rows = db.execute("SELECT policy_domain, author, envelope_to, spf, dmarc, policy, record, sum(count) FROM seen"
                          " GROUP BY 1, 2, 3, 4, 5, 6, 7").fetchall()
        db.close()
        self.assertEqual(rows, [("claimed.example", "claimed.example", "demo.test", 2, 2, 1,
                                 "v=DMARC1; p=quarantine; rua=mailto:r@claimed.example", 3)])
