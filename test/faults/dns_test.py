"""The DNS is dead in the worst way: it takes every question and never answers. Mail from outside and mail of ours go on,
each within a bound; the resolver is killed while messages wait for it, and nothing is lost or refused for it."""
import socket
import threading
import time
import unittest

from harness.house import House, free_port, wait_for

BOUND = 40  # seconds for one message; a judge waits four, the rest is for a loaded machine with sanitizers


class Silence:
    """A port that takes questions, by UDP and TCP, and says nothing."""

    def __init__(self):
        self.port = free_port()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.udp.settimeout(0.1)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(("127.0.0.1", self.port))
        self.tcp.listen(50)  # the kernel takes connections; nobody reads them
        self.asked = 0
        self.ending = False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while not self.ending:
            try:
                self.udp.recv(4096)
                self.asked += 1
            except socket.timeout:
                pass

    def stop(self):
        self.ending = True
        self.thread.join(10)
        self.udp.close()
        self.tcp.close()


def message(subject, sender="a@far.test"):
    return (f"From: <{sender}>\r\nTo: <bob@demo.test>\r\nSubject: {subject}\r\nMessage-ID: <{subject}@far.test>\r\n\r\nhello\r\n")


class Dead(unittest.TestCase):
    def setUp(self):
        self.silence = Silence()
        self.addCleanup(self.silence.stop)
        self.house = House(resolver=f"127.0.0.1@{self.silence.port}")
        self.house.__enter__()
        self.took = []  # seconds
        self.wrong = []

    def tearDown(self):
        failed = any(e for _, e in getattr(getattr(self, "_outcome", None), "errors", []) or [])
        self.house.__exit__(AssertionError if failed else None, None, None)

    def send(self, number, ours=False, to="bob@demo.test"):
        since = time.monotonic()
        try:
            sender = "alice@demo.test" if ours else f"a@far{number}.test"  # another domain each: nothing is known of it
            how = {"service": "submission", "user": "alice"} if ours else {}
            refused = self.house.deliver(sender, [to], message(f"mark-{number}", sender), timeout=2 * BOUND, **how)
            if refused:
                self.wrong.append(f"{number}: {refused}")
        except Exception as e:  # whatever it is, a sender was not answered 250
            self.wrong.append(f"{number}: {e!r}")
        self.took.append(time.monotonic() - since)

    def at_once(self, *calls):
        threads = [threading.Thread(target=self.send, args=c[:1], kwargs=c[1]) for c in calls]
        for t in threads:
            t.start()
        return threads

    def all_well(self, threads, count):
        for t in threads:
            t.join(3 * BOUND)
        self.assertEqual(self.wrong, [])
        self.assertEqual(len(self.took), len(threads))
        self.assertLess(max(self.took), BOUND)
        self.assertEqual(len(self.house.wait_mail("bob", count)), count)

    def test_mail_goes_on(self):
        """From outside, from our users to our users, and into the queue for elsewhere, all at once."""
        h = self.house
        calls = [(i, {}) for i in range(6)] + [(i, {"ours": True}) for i in range(6, 9)]
        threads = self.at_once(*calls, (9, {"ours": True, "to": "x@elsewhere.test"}))
        self.all_well(threads, 9)
        self.assertGreater(self.silence.asked, 0)
        wait_for("what is for elsewhere waits in the queue", lambda: "elsewhere.test" in h.tool("queue", "list").stdout)
        # the second time it is known that nobody answers
        since = time.monotonic()
        self.send(10)
        self.assertEqual(self.wrong, [])
        self.assertLess(time.monotonic() - since, BOUND / 2)

    def test_resolver_dies_while_messages_wait(self):
        h = self.house
        threads = self.at_once(*[(i, {}) for i in range(5)])
        for _ in range(3):
            asked = self.silence.asked
            wait_for("a question is out, or all is answered",
                     lambda a=asked: self.silence.asked > a or not any(t.is_alive() for t in threads))
            before = h.kill("resolver")
            wait_for("resolver is started again", lambda b=before: [p for p in h.pids("resolver") if p not in b])
        self.all_well(threads, 5)
        h.wait_whole()


if __name__ == "__main__":
    unittest.main()
