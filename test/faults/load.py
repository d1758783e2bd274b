"""A load on a house while something is done to it: clients that deliver, that send reports to dmarc-reports@ and that read,
and a book of what was promised. Senders note every message that was answered 250; readers note every answer that is not one
a client can live with. verify() then looks at the mailboxes: each promised message is there exactly once for each recipient,
each other one at most once; with signed, what was submitted carries our signature. Each promised report is counted once."""
import collections
import gzip
import imaplib
import random
import re
import smtplib
import socket
import ssl
import threading
import time
from email.message import EmailMessage

from harness.house import Failure, wait_for

# What a client may see while a role is down: a temporary no, or a line that ends.
GONE = (ConnectionError, socket.timeout, smtplib.SMTPServerDisconnected, ssl.SSLError, EOFError, BrokenPipeError,
        TimeoutError)


def report_mail(number, domain):
    """A DMARC aggregate report of one organisation on one message of its own source, as mail."""
    end = int(time.time()) - 86400
    xml = (f'<?xml version="1.0"?><feedback><report_metadata><org_name>org{number}.example</org_name><email>r@far.test</email>'
           f"<report_id>load-{number}</report_id><date_range><begin>{end - 86400}</begin><end>{end}</end></date_range>"
           f"</report_metadata><policy_published><domain>{domain}</domain><p>none</p></policy_published><record><row>"
           f"<source_ip>198.51.100.7</source_ip><count>1</count><policy_evaluated><disposition>none</disposition>"
           f"<dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>{domain}</header_from>"
           "</identifiers><auth_results><spf><domain>x.example</domain><result>none</result></spf></auth_results></record></feedback>")
    m = EmailMessage()
    m["From"] = "report@far.test"
    m["To"] = f"dmarc-reports@{domain}"
    m["Subject"] = f"Report Domain: {domain}"
    m.set_content("This is a report.")
    m.add_attachment(gzip.compress(xml.encode()), maintype="application", subtype="gzip", filename="r.xml.gz")
    return m.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Load:
    def __init__(self, house, senders=3, readers=2, recipients=("alice", "bob"), size=2000, submitters=1, reporters=0, signed=False):
        self.house = house
        self.signed = signed  # what is submitted must be
        self.reports = set()  # numbers of those answered for
        self.offered_reports = 0
        self.recipients = [f"{r}@{house.domain}" for r in recipients]
        self.size = size
        self.lock = threading.Lock()
        self.promised = {}  # mark -> recipients answered for
        self.offered = set()
        self.wrong = []  # sentences
        self.counts = collections.Counter()
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.sender, args=(i, False), daemon=True) for i in range(senders)]
        self.threads += [threading.Thread(target=self.sender, args=(100 + i, True), daemon=True) for i in range(submitters)]
        self.threads += [threading.Thread(target=self.reporter, daemon=True) for _ in range(reporters)]
        self.threads += [threading.Thread(target=self.reader, args=(i,), daemon=True) for i in range(readers)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.ending.set()
        for t in self.threads:
            t.join(60)
            if t.is_alive():
                self.wrong.append("a client hangs")
        self.threads = []

    def is_wrong(self, text):
        with self.lock:
            self.wrong.append(text)

    # --- senders

    def sender(self, number, submits):
        rnd = random.Random(number)
        n = 0
        while not self.ending.is_set():
            try:
                c = self.house.smtp("submission" if submits else "smtp", timeout=30)
                if submits:
                    c.login(self.recipients[0], self.house.password[self.recipients[0]])
                for _ in range(rnd.randint(1, 5)):
                    n += 1
                    self.one(c, f"mark-{number}-{n}-end", rnd, submits)
                    if self.ending.is_set():
                        break
                c.quit()
            except smtplib.SMTPResponseException as e:
                self.refused(e.smtp_code, e.smtp_error)
            except smtplib.SMTPRecipientsRefused as e:
                for code, text in e.recipients.values():
                    self.refused(code, text)
            except (*GONE, OSError, smtplib.SMTPException):
                self.counts["sender: connection lost"] += 1
                time.sleep(0.01)

    def refused(self, code, text):
        self.counts[f"sender: {code}"] += 1
        if not 400 <= code < 500:
            self.is_wrong(f"SMTP answered {code} {text!r}")
        time.sleep(0.01)

    def one(self, c, mark, rnd, submits):
        sender = self.recipients[0] if submits else "load@far.test"
        wanted = rnd.sample(self.recipients, rnd.randint(1, len(self.recipients)))
        filling = "x" * 76 + "\r\n"
        message = (f"From: <{sender}>\r\nTo: {', '.join(wanted)}\r\nMessage-ID: <{mark}@far.test>\r\nSubject: {mark}\r\n\r\n" +
                   filling * (self.size // len(filling)))
        with self.lock:
            self.offered.add(mark)
        refused = c.sendmail(sender, wanted, message)
        for code, text in refused.values():
            self.refused(code, text)
        with self.lock:
            self.promised[mark] = [w for w in wanted if w not in refused]
        self.counts["sender: kept"] += 1

    def reporter(self):
        while not self.ending.is_set():
            with self.lock:
                number = self.offered_reports = self.offered_reports + 1
            message = report_mail(number, self.house.domain)
            while not self.ending.is_set():  # the same one again, as a queue would
                try:
                    c = self.house.smtp(timeout=30)
                    c.sendmail("report@far.test", [f"dmarc-reports@{self.house.domain}"], message)
                    with self.lock:
                        self.reports.add(number)
                    self.counts["reports: kept"] += 1
                    c.quit()
                except smtplib.SMTPResponseException as e:
                    self.refused(e.smtp_code, e.smtp_error)
                except smtplib.SMTPRecipientsRefused as e:
                    for code, text in e.recipients.values():
                        self.refused(code, text)
                except (*GONE, OSError, smtplib.SMTPException):
                    self.counts["reports: connection lost"] += 1
                if number in self.reports:
                    break
                self.ending.wait(0.05)
            self.ending.wait(0.1)  # they are few

    # --- readers

    def reader(self, number):
        user = self.recipients[number % len(self.recipients)]
        while not self.ending.is_set():
            try:
                c = self.house.imap(user, timeout=30)
                for _ in range(5):
                    kind, data = c.select("INBOX")
                    if kind != "OK":
                        self.no("SELECT", data)
                        break
                    count = int(data[0])
                    if count:
                        kind, data = c.fetch(f"{max(1, count - 5)}:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
                        if kind != "OK":
                            self.no("FETCH", data)
                        kind, data = c.store(str(count), "+FLAGS", r"(\Seen)")
                        if kind != "OK":
                            self.no("STORE", data)
                    kind, data = c.noop()
                    self.counts["reader: rounds"] += 1
                    if self.ending.is_set():
                        break
                c.logout()
            except imaplib.IMAP4.abort:  # BYE or a line that ended
                self.counts["reader: connection lost"] += 1
                time.sleep(0.01)
            except imaplib.IMAP4.error as e:
                self.no("LOGIN", [str(e).encode()])
            except (*GONE, OSError):
                self.counts["reader: connection lost"] += 1
                time.sleep(0.01)

    def no(self, what, data):
        text = b" ".join(d if isinstance(d, bytes) else str(d).encode() for d in data if d).decode(errors="replace")
        self.counts[f"reader: no to {what}"] += 1
        if not re.search(r"UNAVAILABLE|INUSE|SERVERBUG|LIMIT|try again|later|not available|moment", text, re.I):
            self.is_wrong(f"{what} was answered: {text}")
        time.sleep(0.01)

    # --- the book

    def verify(self, seconds=60):
        """Waits until what was promised is there (mail may have gone by way of the queue), then counts."""
        def look():
            there = {r: collections.Counter(re.findall(r"mark-\d+-\d+-end", " ".join(
                m.decode(errors="replace") for m in self.house.mailbox(r, what="BODY.PEEK[HEADER.FIELDS (SUBJECT)]"))))
                for r in self.recipients}
            missing = [(m, r) for m, rs in self.promised.items() for r in rs if not there[r][m]]
            return there, missing
        last = {}

        def complete():
            last["there"], last["missing"] = look()
            return not last["missing"]
        try:
            wait_for("promised messages", complete, seconds)
        except Failure:
            raise Failure(f"{len(last['missing'])} of {len(self.promised)} promised messages are lost: "
                          f"{last['missing'][:10]}") from None
        for r, marks in last["there"].items():
            for mark, n in marks.items():
                if n > 1:
                    self.is_wrong(f"{mark} is there {n} times for {r}")
                if mark not in self.offered:
                    self.is_wrong(f"{mark} was never sent")
        if self.offered_reports:
            self.verify_reports()
        if self.signed:
            self.verify_signed()
        if self.wrong:
            raise Failure(f"{len(self.wrong)} things went wrong: {self.wrong[:10]}; {dict(self.counts)}")
        print(f"{len(self.promised)} messages kept; {dict(sorted(self.counts.items()))}", flush=True)
        return len(self.promised)

    def verify_reports(self):
        """Those answered 250 are counted once, however often they came; one that was not answered may be."""
        told = self.house.tool("reports", self.house.domain).stdout
        # counted, or kept apart because their sender is not proven to be who they say: each report is on one message
        found = re.findall(r"([\d,]+) (?:organisations? reported|reports? on) ([\d,]+) message", told)
        reports, messages = (sum(int(f[i].replace(",", "")) for f in found) for i in (0, 1))
        if not len(self.reports) <= reports <= self.offered_reports or messages != reports:
            self.is_wrong(f"{len(self.reports)} reports were taken, {self.offered_reports} were sent, but: {told}")

    def verify_signed(self):
        """No fault makes mail of ours go out without its signatures."""
        for r in self.recipients:
            for m in self.house.mailbox(r, what="BODY.PEEK[HEADER.FIELDS (SUBJECT DKIM-SIGNATURE)]"):
                mark = re.search(rb"mark-(\d+)-\d+-end", m)
                if mark and int(mark.group(1)) >= 100 and m.count(b"d=" + self.house.domain.encode()) < 2:
                    self.is_wrong(f"{mark.group(0).decode()} was submitted and lacks a signature: {m!r}")
