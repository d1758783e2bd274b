"""A name server for tests of who waits for whom: DnsStub with a gate before its answers.

    gate = DnsGate()
    gate.load("example.test TXT \\"v=spf1 -all\\"\\n")
    gate.expect([{("example.test", "TXT"), ...}, {...}])

With expect(), questions about names below gate.below are held until the whole of the first set has come; then all of these are
answered, and the next set is waited for. Whoever asks one after the other what could go together waits for ever: that questions are
out together is proved without a clock. With gate.delay, every answer takes that many seconds. gate.log holds (seconds, "asked" or
"answered", name, type) in the order of events; gate.others what was asked and not expected."""
import threading
import time

import dns.message
import dns.rdatatype

from harness.dns_stub import DnsStub


class DnsGate(DnsStub):
    def __init__(self, below=".test", delay=0.0):
        self.below, self.delay = below, delay
        self.lock = threading.Lock()
        self.log, self.rounds, self.held, self.others = [], [], {}, []
        self.round = 0
        super().__init__()

    def expect(self, rounds):
        with self.lock:
            self.rounds = [{(n.lower(), t) for n, t in r} for r in rounds]
            self.log, self.held, self.others, self.round = [], {}, [], 0

    def counts(self):
        """How many questions of each round came, while it was the one waited for; another one may be open."""
        with self.lock:
            return self.round, len(self.rounds)

    def missing(self):
        with self.lock:
            return sorted(self.rounds[self.round] - set(self.held)) if self.round < len(self.rounds) else []

    def _send(self, s, peer, query, key):
        r = self._answer(query, self._address)
        with self.lock:
            self.log.append((time.monotonic(), "answered", *key))
        try:
            s.sendto(r.to_wire(max_size=65535), peer)
        except OSError:
            pass  # the test is over

    def _take(self, s, peer, query):
        q = query.question[0]
        key = (q.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(q.rdtype))
        with self.lock:
            self.log.append((time.monotonic(), "asked", *key))
            expected = set().union(*self.rounds) if self.rounds else set()
            if self.rounds and key not in expected:
                self.others.append(key)
            if key not in expected:
                ready = [(s, peer, query, key)]
            else:
                ready = []
                self.held.setdefault(key, []).append((s, peer, query, key))
                while self.round < len(self.rounds) and self.rounds[self.round] <= set(self.held):
                    self.round += 1
                open_ = set().union(*self.rounds[:self.round])
                for k in [k for k in self.held if k in open_]:
                    ready += self.held[k]
                    self.held[k] = []  # it stays known as asked
        for one in ready:
            if self.delay:
                threading.Timer(self.delay, self._send, one).start()
            else:
                self._send(*one)

    def _udp(self, s, address):
        self._address = address
        while self.running:
            try:
                data, peer = s.recvfrom(4096)
                self._take(s, peer, dns.message.from_wire(data))
            except OSError:
                return
