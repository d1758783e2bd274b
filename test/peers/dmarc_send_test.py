"""The DMARC reports we send, from a whole house whose DNS is Knot to a next hop that keeps what it gets: mail is judged, and
when the (shortened) period is over whoever asked for reports and may have them gets RFC 9990 XML with the right counts,
signed; who did not say that he wants reports gets none; failure reports tell nothing of the recipient; a reporter that is
killed in between counts nothing twice and loses nothing (THREATS: privacy, 26)."""
import contextlib
import email
import email.policy
import gzip
import os
import shutil
import sqlite3
import tempfile
import unittest
import xml.etree.ElementTree as ET

import judge_test
from harness.house import House, have, wait_for
from harness.sink import Sink
from judge_test import mail
from knot import Knot

try:
    import dkim
except ImportError:
    dkim = None

NS = "{urn:ietf:params:xml:ns:dmarc-2.0}"
PERIOD = 4  # seconds, instead of a day
SAMPLE = os.path.join(os.path.dirname(__file__), "../../../shared/vectors/dmarc-reports/aggregate/rfc9990-sample.xml")

ZONES = {
    "asks.test": '@ 60 TXT "v=spf1 ip4:127.0.0.1 -all"\n'
                 '_dmarc 60 TXT "v=DMARC1; p=reject; np=none; adkim=s; t=n; fo=1; rua=mailto:agg@asks.test,mailto:x@yes.test,'
                 'mailto:x@no.test,https://asks.test/r; ruf=mailto:fail@asks.test,mailto:x@no.test"\n',
    "forged.test": '@ 60 TXT "v=spf1 -all"\n_dmarc 60 TXT "v=DMARC1; p=quarantine; rua=mailto:agg@forged.test"\n',
    "elsewhere.test": '@ 60 TXT "v=spf1 -all"\n_dmarc 60 TXT "v=DMARC1; p=none; rua=mailto:x@no.test; ruf=mailto:x@no.test"\n',
    "small.test": '@ 60 TXT "v=spf1 -all"\n_dmarc 60 TXT "v=DMARC1; p=none; rua=mailto:agg@small.test!100,mailto:more@small.test!1m"\n',
    "quiet.test": '@ 60 TXT "v=spf1 -all"\n_dmarc 60 TXT "v=DMARC1; p=none"\n',
    "demo.test": '_dmarc 60 TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@demo.test"\n',
    # says yes, and where to
    "yes.test": 'asks.test._report._dmarc 60 TXT "v=DMARC1; rua=mailto:other@yes.test"\n',
    "no.test": "",
    "test": "",
} | {f"d{i}.test": f'@ 60 TXT "v=spf1 -all"\n_dmarc 60 TXT "v=DMARC1; p=none; rua=mailto:agg@d{i}.test"\n' for i in range(4)}


def order_of(element, found=None):
    """For each kind of element the names of its children in the order in which they first occur."""
    found = {} if found is None else found
    names = found.setdefault(element.tag, [])
    for child in element:
        if child.tag not in names:
            names.append(child.tag)
        order_of(child, found)
    return found


# RFC 9990 Appendix A: what may be in what; "!" must be there
SCHEMA = {
    "feedback": "version! report_metadata! policy_published! extension record!",
    "report_metadata": "org_name! email! extra_contact_info report_id! date_range! error generator",
    "date_range": "begin! end!",
    "policy_published": "domain! p! sp np adkim aspf fo testing discovery_method",
    "record": "row! identifiers! auth_results!",
    "row": "source_ip! count! policy_evaluated!",
    "policy_evaluated": "disposition! dkim! spf! reason",
    "reason": "type! comment",
    "identifiers": "envelope_to envelope_from header_from!",
    "auth_results": "dkim spf",
    "auth_results/dkim": "domain! selector! result! human_result",
    "auth_results/spf": "domain! scope result! human_result",
}
WORDS = {
    "version": "1.0", "p": "none quarantine reject", "sp": "none quarantine reject", "np": "none quarantine reject", "adkim": "r s",
    "aspf": "r s", "testing": "n y", "discovery_method": "psl treewalk", "disposition": "none pass quarantine reject",
    "policy_evaluated/dkim": "pass fail", "policy_evaluated/spf": "pass fail",
    "type": "local_policy mailing_list other policy_test_mode trusted_forwarder", "scope": "mfrom",
    "result": "none pass fail policy neutral softfail temperror permerror",
}
MANY = {"record", "reason", "dkim", "error"}


class Report:
    """An aggregate report as it came, checked against the schema's facts."""

    def __init__(self, test, raw):
        self.message = m = email.message_from_bytes(raw, policy=email.policy.default)
        parts = list(m.iter_attachments())
        test.assertEqual([p.get_content_type() for p in parts], ["application/gzip"])
        self.name = parts[0].get_filename()
        self.xml = gzip.decompress(parts[0].get_content())
        self.root = ET.fromstring(self.xml)
        self.check(test, self.root, None)
        get = self.root.findtext
        self.id = get(f"{NS}report_metadata/{NS}report_id")
        self.domain = get(f"{NS}policy_published/{NS}domain")
        self.begin = int(get(f"{NS}report_metadata/{NS}date_range/{NS}begin"))
        self.end = int(get(f"{NS}report_metadata/{NS}date_range/{NS}end"))
        self.rows = []
        for r in self.root.iter(f"{NS}record"):
            t = lambda p, r=r: r.findtext("/".join(NS + x for x in p.split("/")))
            self.rows.append({"count": int(t("row/count")), "ip": t("row/source_ip"), "disposition": t("row/policy_evaluated/disposition"),
                              "dkim": t("row/policy_evaluated/dkim"), "spf": t("row/policy_evaluated/spf"), "from": t("identifiers/header_from"),
                              "envelope": t("identifiers/envelope_from"), "spf_result": t("auth_results/spf/result"),
                              "spf_domain": t("auth_results/spf/domain"), "signed": [(d.findtext(NS + "domain"), d.findtext(NS + "selector"), d.findtext(NS + "result"))
                                                                                     for d in r.iter(f"{NS}dkim") if len(d)]})
        test.assertEqual(len(self.rows), len({str({k: v for k, v in r.items() if k != "count"}) for r in self.rows}), "alike rows are one")
        subject = " ".join(m["Subject"].split())
        test.assertEqual(subject, f"Report Domain: {self.domain} Submitter: demo.test Report-ID: <{self.id}>")
        test.assertEqual(self.name, f"demo.test!{self.domain}!{self.begin}!{self.end}!{self.id}.xml.gz")
        test.assertEqual(m["Auto-Submitted"], "auto-generated")
        test.assertIn("dmarc-reports@demo.test", m["From"])

    def check(self, test, e, parent):
        test.assertTrue(e.tag.startswith(NS), e.tag)
        name = e.tag[len(NS):]
        key = f"{parent}/{name}"
        words = WORDS.get(key, WORDS.get(name))
        if len(e) == 0 and name != "auth_results":
            if words:
                test.assertIn(e.text, words.split(), key)
            test.assertTrue(e.text, f"{key} is empty")
            return
        allowed = SCHEMA[key if key in SCHEMA else name].split()
        names = [c.tag[len(NS):] for c in e]
        test.assertLessEqual(set(names), {a.rstrip("!") for a in allowed}, key)
        for a in allowed:
            test.assertIn(names.count(a.rstrip("!")), range(1 if a.endswith("!") else 0, 10**6 if a.rstrip("!") in MANY else 2), f"{a} in {key}")
        for c in e:
            self.check(test, c, name)


@unittest.skipUnless(*have("knotd"))
@unittest.skipIf(dkim is None, "dkimpy is not installed")
class Send(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.knot = Knot(more=ZONES)
        cls.knot.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.knot.__exit__(None)

    def setUp(self):
        self.sink = Sink()
        self.addCleanup(self.sink.close)
        self.house = House(accounts=["alice"], resolver=self.knot.address,
                           config=f"route * 127.0.0.1:{self.sink.port}\nlimit report-period {PERIOD}\n").start()
        self.addCleanup(self.house.stop)

    def send(self, sender, subject, n=1, envelope=None, more=""):
        for i in range(n):
            try:
                self.house.deliver(sender if envelope is None else envelope, ["alice@demo.test"], mail(sender, f"{subject}{i}", more))
            except Exception as e:  # refused by policy: counted all the same
                if "550" not in str(e):
                    raise

    def db(self, sql, *args):
        """What is in reports.db: of a copy with its log, since journal keeps the file to itself. Torn copies count as empty."""
        with tempfile.TemporaryDirectory() as d:
            for name in ("reports.db", "reports.db-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(os.path.join(self.house.data, "journal", name), d)
            try:
                with contextlib.closing(sqlite3.connect(os.path.join(d, "reports.db"))) as c:
                    return c.execute(sql, args).fetchall()
            except sqlite3.Error:
                return None

    def settled(self, domain, outcome):
        """All that is owed about the domain is settled, and so."""
        def look():
            seen = self.db("SELECT DISTINCT begin_at FROM seen WHERE policy_domain = ?", domain)
            done = self.db("SELECT begin_at FROM settled WHERE policy_domain = ? AND outcome = ?", domain, outcome)
            return seen and done is not None and set(seen) == set(done)
        wait_for(f"reports on {domain} are settled ({outcome})", look)

    def counted(self, domain, n):
        wait_for(f"{n} messages of {domain} are in the journal",
                 lambda: self.db("SELECT sum(count) FROM seen WHERE policy_domain = ?", domain) == [(n,)])

    def reports(self, address):
        """Those that came to an address, each id once."""
        return {r.id: r for r in (Report(self, m) for _, m in self.sink.to(address))}.values()

    def total(self, address, **want):
        return sum(row["count"] for r in self.reports(address) for row in r.rows if all(row[k] == v for k, v in want.items()))

    def test_reports_come(self):
        record = judge_test.Outbound.key(None, self.house, "k1", "rsa").encode()
        judge_test.Outbound.keys_again(None, self.house)
        self.send("a@asks.test", "good", 3)
        self.send("a@asks.test", "bad", 2, envelope="x@forged.test")
        self.send("a@forged.test", "forged", 2)
        self.send("a@quiet.test", "quiet")
        self.counted("asks.test", 5)
        self.counted("forged.test", 2)
        self.settled("asks.test", 0)
        self.settled("forged.test", 0)
        self.settled("quiet.test", 1)
        wait_for("they came", lambda: self.total("agg@asks.test") == 5 and self.total("agg@forged.test") == 2)
        self.assertEqual(self.total("agg@asks.test", disposition="pass", spf="pass", dkim="fail", ip="127.0.0.1", envelope="asks.test",
                                    spf_result="pass", spf_domain="asks.test"), 3)
        self.assertEqual(self.total("agg@asks.test", disposition="reject", spf="fail", envelope="forged.test", spf_domain="forged.test",
                                    spf_result="fail"), 2)
        self.assertEqual(self.total("agg@forged.test", disposition="quarantine", spf="fail"), 2)
        # who says yes gets it, where he says; who says nothing gets none, and the journal tells
        self.assertEqual(self.total("other@yes.test"), 5)
        self.assertEqual(self.sink.to("x@yes.test") + self.sink.to("x@no.test"), [])
        trouble = " ".join(self.house.trace("x@no.test").split())
        self.assertIn("does not say that it wants these reports", trouble)
        self.assertRegex(self.house.tool("reports", "demo.test").stdout, r"This server sent \d+ reports on \d+ messages that came to")
        for r in self.reports("agg@asks.test"):
            policy = {e.tag[len(NS):]: e.text for e in r.root.find(NS + "policy_published")}
            self.assertEqual(policy, {"domain": "asks.test", "p": "reject", "sp": "reject", "np": "none", "adkim": "s", "aspf": "r", "fo": "1",
                                      "testing": "n", "discovery_method": "treewalk"})
            self.assertEqual((r.end - r.begin, r.begin % PERIOD), (PERIOD - 1, 0))
            if os.path.exists(SAMPLE):
                ours, theirs = order_of(r.root), order_of(ET.parse(SAMPLE).getroot())
                for tag, children in theirs.items():
                    common = [c for c in ours.get(tag, []) if c in children]
                    self.assertEqual(common, [c for c in children if c in common], tag)
        for sender, text in self.sink.to("agg@asks.test"):
            self.assertEqual(sender, "dmarc-reports@demo.test")
            self.assertTrue(dkim.DKIM(text).verify(dnsfunc=lambda name, timeout=5: {b"k1._domainkey.demo.test.": record}.get(name)))

    def test_switched_off_and_to_nobody(self):
        self.house.tool("domain", "set", "demo.test", "reports", "off")
        self.send("a@asks.test", "off", 2)
        self.settled("asks.test", 2)
        self.house.tool("domain", "set", "demo.test", "reports", "on")
        self.send("a@elsewhere.test", "nobody")
        self.settled("elsewhere.test", 1)  # its receiver is a stranger who never agreed
        self.send("a@demo.test", "ourselves", envelope="a@forged.test")
        self.settled("demo.test", 1)  # nobody reports to himself
        self.assertEqual([r for _, r, m in self.sink.messages], [])

    def test_who_takes_no_large_ones_gets_none(self):
        self.send("a@small.test", "small", 2)
        self.settled("small.test", 0)
        wait_for("it came", lambda: self.total("more@small.test") == 2)
        self.assertEqual(self.sink.to("agg@small.test"), [])

    def test_what_is_counted_survives_a_report_that_kills(self):
        """Before reporter reads anything of a stranger's, what it has counted is journal's."""
        self.send("a@quiet.test", "before")
        wait_for("it is counted", lambda: "judged messages counted 1" in self.house.tool("status").stdout)
        with self.assertRaises(Exception):  # 554: it is no report
            self.house.deliver("x@quiet.test", ["dmarc-reports@demo.test"], "From: x@quiet.test\r\nSubject: report\r\n\r\nnone\r\n")
        old = self.house.kill("reporter")
        wait_for("reporter is back", lambda: [p for p in self.house.pids("reporter") if p not in old])
        self.counted("quiet.test", 1)

    def test_reports_are_not_reported_on(self):
        self.house.tool("alias", "add", "dmarc-reports@demo.test", "alice@demo.test")
        self.house.deliver("a@forged.test", ["dmarc-reports@demo.test"], mail("a@forged.test", "report"))
        self.send("a@quiet.test", "after")
        self.counted("quiet.test", 1)
        self.assertEqual(self.db("SELECT * FROM seen WHERE policy_domain = 'forged.test'"), [])

    def test_failure_reports(self):
        self.send("boss@asks.test", "before", envelope="x@forged.test")  # they are off unless switched on
        self.house.tool("domain", "set", "demo.test", "failure-reports", "on")
        self.send("boss@asks.test", "robot", envelope="x@forged.test", more="Auto-Submitted: auto-replied\r\n")
        self.send("boss@asks.test", "bounce", envelope="")
        self.send("boss@elsewhere.test", "stranger")
        self.send("boss@asks.test", "topsecret", 12, envelope="x@forged.test")
        wait_for("ten came, and no more", lambda: len(self.sink.to("fail@asks.test")) == 10)
        self.assertEqual(self.sink.to("x@no.test"), [])
        status = self.house.tool("status").stdout
        sender, raw = self.sink.to("fail@asks.test")[0]
        self.assertEqual(sender, "")
        for _, text in self.sink.to("fail@asks.test"):
            for word in (b"alice", b"Alice", b"hello", b"Subject: topsecret", b"robot", b"bounce", b"before"):
                self.assertNotIn(word, text)
        m = email.message_from_bytes(raw)
        self.assertEqual((m.get_content_type(), m.get_param("report-type")), ("multipart/report", "feedback-report"))
        self.assertEqual(m["Auto-Submitted"], "auto-generated")
        _, machine, header = m.get_payload()
        fields = email.message_from_string(machine.get_payload()[0].as_string() if machine.is_multipart() else machine.get_payload())
        want = {"Feedback-Type": "auth-failure", "Version": "1", "Auth-Failure": "dmarc", "Identity-Alignment": "dkim, spf",
                "Reported-Domain": "asks.test", "Source-IP": "127.0.0.1", "Delivery-Result": "reject",
                "Original-Mail-From": "redacted@forged.test", "Original-Rcpt-To": "redacted@demo.test",
                "Reporting-MTA": "dns; mail.demo.test"}
        self.assertEqual({k: fields[k] for k in want}, want)
        self.assertIn("dmarc=fail", fields["Authentication-Results"])
        self.assertTrue(fields["User-Agent"])
        self.assertEqual(header.get_content_type(), "text/rfc822-headers")
        told = email.message_from_string(header.get_payload())
        self.assertEqual(told["To"], "redacted@demo.test")
        self.assertEqual(told["From"], "Somebody <boss@asks.test>")
        self.assertIsNone(told["Subject"])
        self.assertIn("failure reports sent", status)
        # who is started again knows how many there were today
        old = self.house.kill("reporter")
        wait_for("reporter is back", lambda: [p for p in self.house.pids("reporter") if p not in old])
        self.send("boss@asks.test", "again", 3, envelope="x@forged.test")
        self.send("a@quiet.test", "behind them")
        self.counted("quiet.test", 1)
        self.assertEqual(self.db("SELECT count(*) FROM settled WHERE outcome = 4"), [(10,)])
        self.assertEqual(len(self.sink.to("fail@asks.test")), 10)

    def test_what_is_queued_and_not_settled_goes_out_again_as_the_same(self):
        """The moment between relay's yes and journal's: what lies on the disk then is a report without its row in settled."""
        data = tempfile.mkdtemp(prefix="posthorn-test-data-")
        os.chmod(data, 0o755)
        self.addCleanup(shutil.rmtree, data, ignore_errors=True)
        self.house.stop()
        same = {"resolver": self.knot.address, "data": os.path.join(data, "data"),
                "config": f"route * 127.0.0.1:{self.sink.port}\nlimit report-period {PERIOD}\n"}
        self.house = House(accounts=["alice"], **same).start()
        self.send("a@forged.test", "once", 3)
        self.counted("forged.test", 3)
        self.settled("forged.test", 0)
        wait_for("it came", lambda: self.total("agg@forged.test") == 3)
        first = {r.id: r for r in self.reports("agg@forged.test")}
        count = len(self.sink.to("agg@forged.test"))
        self.house.stop()
        db = sqlite3.connect(os.path.join(data, "data", "journal", "reports.db"))
        db.execute("DELETE FROM settled")
        db.commit()
        db.close()
        self.house = House(accounts=[], **same).start()
        self.addCleanup(self.house.stop)
        wait_for("it comes again", lambda: len(self.sink.to("agg@forged.test")) > count)
        self.settled("forged.test", 0)
        for _, raw in self.sink.to("agg@forged.test"):
            again = Report(self, raw)
            self.assertEqual(again.xml, first[again.id].xml)
            self.assertEqual((again.name, again.message["Message-ID"], again.message["Subject"]),
                             (first[again.id].name, first[again.id].message["Message-ID"], first[again.id].message["Subject"]))

    def test_a_domain_that_is_gone_sends_nothing(self):
        self.house.tool("domain", "add", "gone.test")
        self.house.tool("account", "add", "a@gone.test", "--random")
        self.house.deliver("x@forged.test", ["a@gone.test"], mail("x@forged.test", "gone"))
        self.house.tool("account", "remove", "a@gone.test")
        self.house.tool("domain", "remove", "gone.test")
        self.assertNotIn("gone.test", self.house.tool("domain", "list").stdout)
        wait_for("it is settled", lambda: self.db("SELECT outcome FROM settled WHERE envelope_to = 'gone.test'") == [(2,)])
        self.assertEqual(self.sink.to("agg@forged.test"), [])

    def test_killed_in_between(self):
        """What journal has is reported whatever happens to reporter; a copy too many has the same id."""
        for i in range(4):
            self.send(f"a@d{i}.test", f"m{i}", i + 1)
        for i in range(4):
            self.counted(f"d{i}.test", i + 1)
        for n in (1, 2, 3):  # killed just when a report went out
            wait_for("a report comes", lambda n=n: len({r[0] for _, r, _ in self.sink.messages}) >= n)
            old = self.house.kill("reporter")
            wait_for("reporter is back", lambda old=old: [p for p in self.house.pids("reporter") if p not in old])
        for i in range(4):
            self.settled(f"d{i}.test", 0)
            wait_for("all came", lambda i=i: self.total(f"agg@d{i}.test") == i + 1)
            copies = [Report(self, m) for _, m in self.sink.to(f"agg@d{i}.test")]
            for r in copies:
                self.assertLessEqual(sum(c.id == r.id for c in copies), 1 + 3)  # one too many for each death
                self.assertEqual({c.xml for c in copies if c.id == r.id}, {r.xml})


if __name__ == "__main__":
    unittest.main()
