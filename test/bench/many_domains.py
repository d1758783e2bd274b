"""A hosting company: thousands of domains at once. Measures how fast keys are made, what role keys costs with the keys of all
domains, how long a start takes, how long the doctor's full round over every domain takes (keys, plans, our own zone), and
whether listing them all works. Not part of ./check: it takes minutes.

    POSTHORN_BUILD=build-release /usr/bin/python3 test/bench/many_domains.py [--domains 10000] [--made 50]

--made domains get keys that the server makes (that is the rate), all others get key files written beforehand, the same two
keys in all of them; a Knot shows their records. What a hosting company would delegate lies in a zone of our own. Wants knot."""
import argparse
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TEST, os.path.join(TEST, "peers")]
from harness.house import House, cpu_seconds, free_port, wait_for  # noqa: E402
from knot import Knot  # noqa: E402


def key_pair(folder, algorithm, *options):
    pem = os.path.join(folder, algorithm)
    subprocess.run(["openssl", "genpkey", "-algorithm", algorithm, *options, "-out", pem], check=True, stderr=subprocess.DEVNULL)
    der = subprocess.run(["openssl", "pkey", "-in", pem, "-pubout", "-outform", "der"], check=True, stdout=subprocess.PIPE).stdout
    public = der[-32:] if algorithm == "ed25519" else der
    with open(pem) as f:
        return base64.b64encode(public).decode(), f.read()


def key_file(domain, selector, algorithm, public, pem, now):
    text = (f"posthorn-dkim-key 1\ndomain {domain}\nselector {selector}\nalgorithm {algorithm}\nstate signing\nmade {now}\n"
            f"since {now}\npublic {public}\n{pem}")
    return text + f"check {hashlib.sha256(text.encode()).hexdigest()}\n"


def rss_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) // 1024


def line(what, value):
    print(f"{what:62} {value}", flush=True)


def add(h, names):
    begin = time.monotonic()
    for i in range(0, len(names), 60):
        h.tool("domain", "add", *names[i:i + 60])
    return time.monotonic() - begin


def facts(h, role):
    return h.tool("status", "--json", check=False).stdout


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--domains", type=int, default=10000)
    options.add_argument("--made", type=int, default=50)
    options = options.parse_args()
    folder = tempfile.mkdtemp(prefix="posthorn-many-")
    rsa, ed = key_pair(folder, "rsa", "-pkeyopt", "rsa_keygen_bits:2048"), key_pair(folder, "ed25519")
    names = [f"customer{i:05}.test" for i in range(options.domains)]
    records = "".join(f"{selector}._domainkey.{name[:-5]} 3600 TXT " + " ".join(f'"{text[i:i + 250]}"' for i in range(0, len(text), 250)) + "\n"
                      for name in names for selector, text in (("ph-rsa-1", "v=DKIM1; k=rsa; p=" + rsa[0]),
                                                               ("ph-ed-1", "v=DKIM1; k=ed25519; p=" + ed[0])))
    with Knot(more={"test": records}) as knot:
        measure(options, folder, knot, names, rsa, ed)


def measure(options, folder, knot, names, rsa, ed):
    port = free_port()
    h = House(folder=folder, resolver=knot.address, config=f"address 127.0.0.1\nlisten dns 127.0.0.1:{port}\nzone roll.example\n")
    dkim = os.path.join(h.data, "keys", "dkim")

    def files():
        return sum(1 for n in os.listdir(dkim) if not n.startswith("."))
    try:
        with h:
            wait_for("the first keys", lambda: os.path.isdir(dkim) and files() == 2)
            owner = os.stat(dkim).st_uid
            pid = h.pids("keys")[0]
            cpu, begin = cpu_seconds(pid), time.monotonic()
            add(h, [f"made{i:05}.test" for i in range(options.made)])
            wait_for("they have keys", lambda: files() == 2 + 2 * options.made, 600)
            line(f"{options.made} domains added and their keys made, s", f"{time.monotonic() - begin:.1f}")
            line("  processor time of keys a domain (RSA-2048 and Ed25519), ms", f"{1000 * (cpu_seconds(pid) - cpu) / options.made:.0f}")
        now = int(time.time() * 1000)
        for name in names:
            for selector, algorithm, (public, pem) in (("ph-rsa-1", "rsa", rsa), ("ph-ed-1", "ed25519", ed)):
                path = os.path.join(dkim, f"{name},{selector}")
                with open(path, "w") as f:
                    f.write(key_file(name, selector, algorithm, public, pem, now))
                os.chmod(path, 0o600)
                os.chown(path, owner, -1)
        begin = time.monotonic()
        with h:
            line(f"start with {files()} key files, s", f"{time.monotonic() - begin:.1f}")
            line(f"{options.domains} domains added, s", f"{add(h, names):.1f}")
            begin = time.monotonic()

            def seen(name, selector):
                r = subprocess.run(["kdig", "+short", "+tcp", "@127.0.0.1", "-p", str(port), f"{selector}._domainkey.{name}.roll.example", "TXT"],
                                   stdout=subprocess.PIPE, text=True)
                return "v=DKIM1" in r.stdout
            wait_for("our zone has the last one", lambda: seen(names[-1], "ph-rsa-1"), 600)
            line("until our zone holds all of them, s", f"{time.monotonic() - begin:.1f}")
            begin = time.monotonic()
            rows = h.tool_json("dkim", "list")[0]
            line(f"posthorn dkim list: {len(rows)} rows, s", f"{time.monotonic() - begin:.1f}")
            begin = time.monotonic()
            h.tool("dkim", "check", names[-1])
            line("posthorn dkim check of one domain meanwhile, s", f"{time.monotonic() - begin:.1f}")
            for role in ("keys", "doctor", "nameserver", "directory", "resolver"):
                pid = h.pids(role)[0]
                line(f"{role}: memory, MB; processor time so far, s", f"{rss_mb(pid)}; {cpu_seconds(pid):.1f}")
            begin, pid = time.monotonic(), h.pids("doctor")[0]
            h.kill("doctor")
            wait_for("another doctor", lambda: h.pids("doctor") and h.pids("doctor")[0] != pid)

            def round_done():
                return f"\"domains that sign\":\"{options.domains + options.made + 1}\"" in facts(h, "doctor").replace(": ", ":")
            wait_for("it saw every domain", round_done, 600)
            pid = h.pids("doctor")[0]
            time.sleep(60)
            line("a minute after a new doctor's start: its processor time, s", f"{cpu_seconds(pid):.1f}")
            line("  and its memory, MB", f"{rss_mb(pid)}")
    finally:
        h.stop(check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
