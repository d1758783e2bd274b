"""A house that gets many reports: feeds aggregate reports by SMTP into a whole house, as receivers send them (gzip, proven by
DMARC), and tells how long that took, what it cost reporter and journal, how large reports.db is, and how long posthorn
reports takes to tell them. Then the worst that one message may hold (THREATS 26), each by itself: the processor time and
the peak memory of a fresh reporter. Not part of ./check: figures on a busy machine say little.

    POSTHORN_BUILD=build-release /usr/bin/python3 test/bench/reports.py [--reports 10000] [--rows 50] [--connections 4]
"""
import argparse
import gzip
import os
import random
import struct
import sys
import threading
import time
import zlib

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TEST, os.path.join(TEST, "clients")]
from harness.dns_stub import DnsStub  # noqa: E402
from harness.house import House, cpu_seconds, wait_for  # noqa: E402
from reports_test import mail, record, zeros, zipped  # noqa: E402

DAY = 86400
ORGS = 334  # a report of each for each of 30 days
SOURCES = 2000


def report(rng, i, rows):
    """One of ORGS organisations, one of the last 30 days."""
    org, end = f"o{i % ORGS}.example", (int(time.time()) // DAY - i // ORGS % 30) * DAY
    records = []
    for _ in range(rows):
        n = min(int(rng.expovariate(1 / 150)), SOURCES - 1)
        source = f"198.{18 + n // 250}.{n * 7 % 250}.{n % 250 + 1}"
        if n < 60:
            records.append(record(f"192.0.2.{25 + n % 4}", rng.randrange(1, 500), "pass", "pass", "demo.test", "pass", "demo.test", "pass"))
        elif n % 3:
            records.append(record(source, rng.randrange(1, 20), spf_domain=f"s{n % 40}.example", spf_result="pass"))
        else:
            records.append(record(source, rng.randrange(1, 20), disposition="quarantine"))
    xml = (f'<?xml version="1.0"?><feedback><report_metadata><org_name>{org}</org_name><email>dmarc@{org}</email><report_id>{i}'
           f"</report_id><date_range><begin>{end - DAY}</begin><end>{end - 1}</end></date_range></report_metadata><policy_published>"
           f"<domain>demo.test</domain><p>none</p></policy_published>{''.join(records)}</feedback>").encode()
    return org, mail(gzip.compress(xml), sender=f"dmarc@{org}")


def peak_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def feed(house, reports, connections):
    """Over a few connections, each of which begins anew after 100 messages."""
    lock, left, refused = threading.Lock(), iter(reports), []

    def run():
        c, n = None, 0
        while True:
            with lock:
                one = next(left, None)
            if one is None:
                break
            if c is None or n == 100:
                if c:
                    c.close()
                c, n = house.smtp(), 0
            org, message = one
            c.mail(f"dmarc@{org}")
            c.rcpt("dmarc-reports@demo.test")
            code, text = c.data(message)
            if code != 250:
                refused.append(text)
            n += 1
        if c:
            c.close()
    threads = [threading.Thread(target=run) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return refused


def many(stub, arguments):
    rng = random.Random(7)
    reports = [report(rng, i, arguments.rows) for i in range(arguments.reports)]
    with House(accounts=["bob"], config="address 192.0.2.25\n", resolver=f"127.0.0.1@{stub.port}") as house:
        pids = {role: house.pids(role)[0] for role in ("reporter", "journal", "edge", "judge")}
        before = {role: cpu_seconds(pid) for role, pid in pids.items()}
        begun = time.monotonic()
        refused = feed(house, reports, arguments.connections)
        took = time.monotonic() - begun
        print(f"{arguments.reports} reports of {arguments.rows} rows: {took:.1f} s, {arguments.reports / took:.0f} a second, {len(refused)} refused"
              f" {refused[:1]}")
        for role, pid in pids.items():
            print(f"  {role}: {1000 * (cpu_seconds(pid) - before[role]) / arguments.reports:.2f} ms of CPU a report, {peak_mb(pid):.1f} MB at its peak")
        folder = os.path.join(house.data, "journal")
        print("  " + ", ".join(f"{n} {os.path.getsize(os.path.join(folder, n)) / 1e6:.1f} MB" for n in sorted(os.listdir(folder)) if n.startswith("reports")))
        for days in ("7", "30", "90"):
            cpu = {role: cpu_seconds(pids[role]) for role in ("reporter", "journal")}
            begun = time.monotonic()
            text = house.tool("reports", "demo.test", "--since", days, timeout=300).stdout
            print(f"  posthorn reports --since {days}: {time.monotonic() - begun:.2f} s, reporter {cpu_seconds(pids['reporter']) - cpu['reporter']:.2f} s, "
                  f"journal {cpu_seconds(pids['journal']) - cpu['journal']:.2f} s; {text.splitlines()[0]}")
        print(f"  after that: reporter {peak_mb(pids['reporter']):.1f} MB, journal {peak_mb(pids['journal']):.1f} MB")


def wrap(inside, records=""):
    return (f'<?xml version="1.0"?><feedback><report_metadata><org_name>o</org_name><report_id>1</report_id></report_metadata>'
            f"<policy_published><domain>demo.test</domain></policy_published>{records}{inside}</feedback>").encode()


def quine():
    """A gzip whose output begins as a gzip again: what one that holds itself looks like after one step."""
    return gzip.compress(gzip.compress(b"x" * 100000))


def overlapping(n):
    """A zip whose directory has n entries that all lie in the same deflated zeros."""
    data = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = data.compress(b"\0" * (10 << 20)) + data.flush()
    crc = zlib.crc32(b"\0" * (10 << 20))
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(body), 10 << 20, 5, 0) + b"a.xml" + body
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(body), 10 << 20, 5, 0, 0, 0, 0, 0, 0) + b"a.xml"
    return local + entry * n + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n & 65535, n & 65535, len(entry) * n, len(local), 0)


def hostile():
    full = record("192.0.2.1", 1, signed="demo.test")
    return {
        "10 GB of zeros, gzip": zeros(10 << 30),
        "billion laughs": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
            b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b"]><feedback>&j;</feedback>",
        "zip in zip": zipped("x.zip", zipped("r.xml", b"x" * (1 << 20))),
        "gzip in gzip": quine(),
        "zip, 60,000 entries in one place": overlapping(60000),
        "9.9 MB of records, packed": gzip.compress(wrap("", full * (9900000 // len(full)))),
        "9.9 MB of records, plain": wrap("", full * (9900000 // len(full))),
        "10 MB of open tags": gzip.compress(b"<feedback>" + b"<a>" * 3300000, 1),
        "10 MB of different names": wrap("".join(f"<n{i}/>" for i in range(900000))),
        "10 MB of broken tags": wrap("<a b=<c " * 1200000),
        "64 KB of attributes in each of 150 tags": wrap("".join("<a " + " ".join(f'b{i}="{k}"' for i in range(7000)) + "/>" for k in range(120))),
        "namespaces": wrap("".join("<a " + " ".join(f'xmlns:n{i}="u{k}"' for i in range(60)) + ">" for k in range(2000))),
        "one text of 10 MB": wrap("x" * 9900000),
        "one comment of 10 MB": wrap("<!--" + "x" * 9900000 + "-->"),
        "character references": wrap("&#65;" * 1900000),
        "CDATA": wrap("<![CDATA[x]]>" * 750000),
        "four attachments of 9.9 MB, all broken": None,
        "4 MB of JSON": b'{"policies":[' + b'{"policy":{}},' * 290000 + b"{}]}",
        "JSON, 3 million brackets": b'{"policies":' + b"[" * 3000000,
    }


def worst(stub):
    print("the worst of one message: answer, wall time, CPU of reporter, its peak above what it had")
    four = "".join(f"<a>{i * 2654435761 % (1 << 32):08x}</a>" for i in range(99000)) + "".join(
        f"{i * 2654435761 % (1 << 32):08x} and some words that are always the same, so that it is packed\n" for i in range(115000))
    four = gzip.compress(wrap(four).replace(b"<domain>", b"<d>").replace(b"</domain>", b"</d>"), 1)
    with House(accounts=["bob"], config="address 192.0.2.25\n", resolver=f"127.0.0.1@{stub.port}") as house:
        for name, data in hostile().items():
            message = mail(data or four, "octet-stream", "r.xml")
            if data is None:
                part = message[message.index(b"\r\n--"):message.rindex(b"\r\n--")]
                part = part[part.index(b"\r\n--", 4):]
                message = message.replace(part, part * 4, 1)
            old = house.kill("reporter")
            wait_for("reporter is back", lambda old=old: [p for p in house.pids("reporter") if p not in old])
            pid = house.pids("reporter")[0]
            wait_for("it is idle", lambda: "reporter" in house.tool("status", check=False).stdout)
            peak, cpu, begun = peak_mb(pid), cpu_seconds(pid), time.monotonic()
            c = house.smtp(timeout=120)
            c.mail("dmarc@o0.example")
            c.rcpt("dmarc-reports@demo.test")
            code, text = c.data(message)
            c.close()
            same = "" if house.pids("reporter") == [pid] else ", AND IT DIED"
            print(f"  {name}: {code} {text.decode()[:60]!r}, {time.monotonic() - begun:.2f} s, {cpu_seconds(pid) - cpu if not same else 0:.2f} s, "
                  f"{(peak_mb(pid) - peak) if not same else 0:.1f} MB{same}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--reports", type=int, default=10000)
    p.add_argument("--rows", type=int, default=50)
    p.add_argument("--connections", type=int, default=4)
    p.add_argument("--only", choices=("many", "worst"))
    arguments = p.parse_args()
    stub = DnsStub()
    try:
        stub.load("".join(f'_dmarc.o{i}.example TXT "v=DMARC1; p=none"\no{i}.example TXT "v=spf1 ip4:127.0.0.0/8 -all"\n' for i in range(ORGS)))
        if arguments.only != "worst":
            many(stub, arguments)
        if arguments.only != "many":
            worst(stub)
    finally:
        stub.stop()


if __name__ == "__main__":
    main()
