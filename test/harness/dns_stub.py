"""A small name server for tests, in this process: UDP and TCP on one port of several loopback addresses, which may give
different answers. It is an authoritative server to who asks so (RD off), and a resolver to who wants one (RD on): for
both it has only the records it was given.

    stub = DnsStub(["127.0.0.1", "127.0.0.2"])
    stub.load("example.org MX 10 mail.example.org\\n")      # lines as in a zone file, absolute names
    stub.servers["127.0.0.2"].lame = True
    stub.port
"""
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.rdata


class Server:
    """One address: how it behaves."""
    lame = False      # REFUSED to everything, when asked as an authority
    silent = False    # no answer at all
    zone = None       # its own records instead of the common ones
    serial = None
    junk = False      # bytes that are no answer
    cut = False       # over UDP nothing but "ask again over TCP"
    slow = 0          # seconds before an answer


class DnsStub:
    def __init__(self, addresses=("127.0.0.1",)):
        self.common = {}
        self.servers = {a: Server() for a in addresses}
        self.bad = {}          # name -> "SERVFAIL"
        self.asked = []
        self.sockets = []
        self.port = self._bind(list(addresses))
        self.running = True
        for s in self.sockets:
            threading.Thread(target=self._udp if s[0].type == socket.SOCK_DGRAM else self._tcp, args=s, daemon=True).start()

    def _bind(self, addresses):
        for _ in range(100):
            made = []
            try:
                port = 0
                for a in addresses:
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        s = socket.socket(socket.AF_INET, kind)
                        made.append((s, a))
                        s.bind((a, port))
                        port = s.getsockname()[1]
                        if kind == socket.SOCK_STREAM:
                            s.listen(50)
                self.sockets = made
                return port
            except OSError:
                for s, a in made:
                    s.close()
        raise OSError("no port is free on all of " + " ".join(addresses))

    @staticmethod
    def parse(text):
        zone = {}
        for line in text.splitlines():
            words = line.split()
            if len(words) < 3 or words[0].startswith(";"):
                continue
            name, rest = line.split(None, 1)
            while rest.split(None, 1)[0].isdigit() or rest.split(None, 1)[0].upper() == "IN":  # NAME [TTL] [IN] TYPE RDATA
                rest = rest.split(None, 1)[1]
            kind, rdata = rest.split(None, 1)
            t = dns.rdatatype.from_text(kind)
            r = dns.rdata.from_text(dns.rdataclass.IN, t, rdata, origin=dns.name.root, relativize=False)
            zone.setdefault(dns.name.from_text(name), {}).setdefault(t, []).append(r)
        return zone

    def load(self, text):
        self.common = self.parse(text)

    def stop(self):
        self.running = False
        for s, a in self.sockets:
            s.close()

    # --- answering

    def _zone_of(self, name, zone):
        while name != dns.name.root:
            if dns.rdatatype.SOA in zone.get(name, {}):
                return name
            name = name.parent()
        return None

    def _answer(self, query, address):
        server = self.servers[address]
        q = query.question[0]
        zone = server.zone if server.zone is not None else self.common
        recursive = bool(query.flags & dns.flags.RD)
        if server.silent and not recursive:
            return None
        r = dns.message.make_response(query, recursion_available=True)
        self.asked.append((address, recursive, q.name.to_text(), dns.rdatatype.to_text(q.rdtype)))
        if self.bad.get(q.name.to_text(omit_final_dot=True).lower()) == "SERVFAIL":
            r.set_rcode(dns.rcode.SERVFAIL)
            return r
        apex = self._zone_of(q.name, zone)
        if server.lame and not recursive or not apex and not recursive:
            r.set_rcode(dns.rcode.REFUSED)
            return r
        if apex and not recursive:
            r.flags |= dns.flags.AA
        name, seen = q.name, 0
        while True:
            here = zone.get(dns.name.from_text(name.to_text().lower()))
            if here is None:
                if not any(n.is_subdomain(name) for n in zone):
                    r.set_rcode(dns.rcode.NXDOMAIN)
                break
            if q.rdtype in here:
                records = here[q.rdtype]
                if q.rdtype == dns.rdatatype.SOA and server.serial:
                    records = [x.replace(serial=server.serial) for x in records]
                r.answer.append(dns.rrset.from_rdata_list(name, 300, records))
                break
            if dns.rdatatype.CNAME not in here or seen > 8:
                break
            r.answer.append(dns.rrset.from_rdata_list(name, 300, here[dns.rdatatype.CNAME]))
            name = here[dns.rdatatype.CNAME][0].target
            seen += 1
        return r

    def _udp(self, s, address):
        while self.running:
            try:
                data, peer = s.recvfrom(4096)
                query = dns.message.from_wire(data)
                r = self._answer(query, address)
                how = self.servers[address] if not query.flags & dns.flags.RD else Server()
                if r:
                    wire = r.to_wire(max_size=65535)
                    if len(wire) > 1232 or how.cut:  # as a server that avoids fragments
                        r.answer.clear()
                        r.flags |= dns.flags.TC
                        wire = r.to_wire()
                    if how.junk:
                        wire = data[:2] + b"\x84\x00" + b"\xff" * 300
                    if how.slow:
                        threading.Timer(how.slow, self._send, (s, wire, peer)).start()
                    else:
                        s.sendto(wire, peer)
            except OSError:
                return
            except Exception as e:  # a question that dnspython does not take gets no answer
                print("dns stub:", e, flush=True)

    @staticmethod
    def _send(s, wire, peer):
        try:
            s.sendto(wire, peer)
        except OSError:
            pass  # the test is over

    def _tcp(self, s, address):
        while self.running:
            try:
                c, peer = s.accept()
            except OSError:
                return
            threading.Thread(target=self._tcp_one, args=(c, address), daemon=True).start()

    def _tcp_one(self, c, address):
        with c:
            try:
                while True:
                    head = c.recv(2, socket.MSG_WAITALL)
                    if len(head) < 2:
                        return
                    data = c.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                    r = self._answer(dns.message.from_wire(data), address)
                    if not r:
                        return
                    wire = r.to_wire(max_size=65535)
                    c.sendall(struct.pack("!H", len(wire)) + wire)
            except OSError:
                return
