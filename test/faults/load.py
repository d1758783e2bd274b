"""A load on a house while something is done to it: clients that deliver and clients that read, and a book of what was
promised. Senders note every message that was answered 250; readers note every answer that is not one a client can
live with. verify() then looks at the mailboxes: each promised message is there exactly once for each recipient, each
other one at most once."""
import collections
import imaplib
import random
import re
import smtplib
import socket
import ssl
import threading
import time

from harness.house import Failure, wait_for

# What a client may see while a role is down: a temporary no, or a line that ends.
GONE = (ConnectionError, socket.timeout, smtplib.SMTPServerDisconnected, ssl.SSLError, EOFError, BrokenPipeError,
        TimeoutError)


class Load:
    def __init__(self, house, senders=3, readers=2, recipients=("alice", "bob"), size=2000, submitters=1):
        self.house = house
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
        if self.wrong:
            raise Failure(f"{len(self.wrong)} things went wrong: {self.wrong[:10]}; {dict(self.counts)}")
        print(f"{len(self.promised)} messages kept; {dict(sorted(self.counts.items()))}", flush=True)
        return len(self.promised)
