"""What ./check runs after the packages are there: builds, runs the suites, counts.

Every meson test, every case of a Python test, every fuzz target and every tidy rule counts as one test. A suite is a
function below; the order is the order in which they run: what fails fast and often comes first."""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build-check")
FUZZ = os.path.join(ROOT, "build-check-fuzz")
RELEASE = os.path.join(ROOT, "build-check-release")
JOBS = str(max(2, min(os.cpu_count() or 2, 8)))
ENV = dict(os.environ, CI="true", LC_ALL="C.UTF-8", TZ="UTC", PYTHONDONTWRITEBYTECODE="1",
           ASAN_OPTIONS="abort_on_error=0:detect_stack_use_after_return=0:allocator_may_return_null=1",
           UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
ENV.pop("POSTHORN_CONFIG", None)

passed, failed, skipped = [], [], []
started = time.monotonic()


def say(text):
    print(text, flush=True)


def clock():
    s = int(time.monotonic() - started)
    return f"{s // 60:2d}:{s % 60:02d}"


def result(name, state, note="", seconds=None):
    {"ok": passed, "FAIL": failed, "skip": skipped}[state].append(name)
    took = f" ({seconds:.1f} s)" if seconds is not None and seconds >= 0.1 else ""
    say(f"{clock()} {state:4} {name}{took}{': ' + note if note else ''}")


def tail(text, lines=30):
    for l in text.rstrip().splitlines()[-lines:]:
        say("          | " + l[:400])


def run(command, timeout, **kw):
    """(status, output); a command that hangs is ended with all its children."""
    kw.setdefault("env", ENV)
    p = subprocess.Popen(command, cwd=kw.pop("cwd", ROOT), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True, **kw)
    try:
        out, _ = p.communicate(timeout=timeout)
        return p.returncode, out
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, _ = p.communicate()
        return -1, (out or "") + f"\nended after {timeout} s"


def configure(folder, compiler, *options):
    env = dict(ENV, CC=compiler)
    new = not os.path.exists(os.path.join(folder, "build.ninja"))
    if not new:
        status, out = run(["meson", "configure", folder] + list(options), 120, env=env)
        if status == 0:
            return True
        shutil.rmtree(folder)
    elif os.path.exists(folder):
        shutil.rmtree(folder)
    status, out = run(["meson", "setup", folder] + list(options), 300, env=env)
    if status:
        tail(out)
    return status == 0


def build(name, folder, compiler, *options, targets=()):
    t = time.monotonic()
    if not configure(folder, compiler, *options):
        result(name, "FAIL", "meson setup")
        return False
    status, out = run(["ninja", "-C", folder, "-j", JOBS] + list(targets), 1200)
    if status:
        errors = [l for l in out.splitlines() if re.search(r"error:|FAILED|undefined reference|warning:", l)]
        tail("\n".join(errors[:20]) + "\n" + "\n".join(out.splitlines()[-10:]), 40)
        result(name, "FAIL", "ninja", time.monotonic() - t)
        return False
    result(name, "ok", "", time.monotonic() - t)
    return True


# --- suites

def meson_suite(suite):
    """Tests that meson knows, from the log it leaves."""
    log = os.path.join(BUILD, "meson-logs", f"testlog-{suite}.json")
    if os.path.exists(log):
        os.unlink(log)
    listing = run(["meson", "test", "-C", BUILD, "--list", "--suite", suite, "--no-rebuild"], 60)[1]
    if not re.search(r"^posthorn", listing, re.M):
        return
    run(["meson", "test", "-C", BUILD, "--suite", suite, "--no-rebuild", "--logbase", f"testlog-{suite}",
         "--num-processes", "2" if suite != "jail" else "1"], 900)
    if not os.path.exists(log):
        result(suite, "FAIL", "meson left no log")
        return
    with open(log) as f:
        for line in f:
            t = json.loads(line)
            name = t["name"].split(" / ")[-1]
            state = {"OK": "ok", "EXPECTEDFAIL": "ok", "SKIP": "skip"}.get(t["result"], "FAIL")
            result(f"{suite}/{name}", state, "" if state == "ok" else t["result"].lower(), t.get("duration"))
            if state == "FAIL":
                tail((t.get("stdout") or "") + (t.get("stderr") or ""), 40)


def unit():
    meson_suite("unit")


def fuzz_smoke():
    meson_suite("fuzz-smoke")


def wire():
    meson_suite("wire")
    python_suite("wire")


def jail():
    meson_suite("jail")
    python_suite("jail")


def tidy():
    listing = run([sys.executable, "tools/tidy", "--list"], 60)[1]
    status, out = run([sys.executable, "tools/tidy"], 300)
    for line in listing.splitlines():
        rule = line.split()[0]
        found = [l for l in out.splitlines() if f": {rule}: " in l]
        gone = [l for l in found if "skipped" in l]
        if gone:
            result(f"tidy/{rule}", "skip", gone[0].split("skipped, ")[-1])
        elif found:
            result(f"tidy/{rule}", "FAIL", f"{len(found)} findings")
            tail("\n".join(found[:15]))
        else:
            result(f"tidy/{rule}", "ok")
    if not listing.strip() or (status and "findings" not in out):
        result("tidy", "FAIL", "did not run")
        tail(out)


def clang_tidy():
    if not shutil.which("clang-tidy"):
        result("clang-tidy", "skip", "there is no clang-tidy")
        return
    t = time.monotonic()
    status, out = run([sys.executable, "tools/tidy", "--full", BUILD, "layers"], 900)
    found = [l for l in out.splitlines() if ": clang-tidy: " in l]
    result("clang-tidy", "FAIL" if found or status else "ok", f"{len(found)} findings" if found else "", time.monotonic() - t)
    tail("\n".join(found[:20]))


def python_suite(suite, at_once=3):
    """Each test/SUITE/*_test.py in a process of its own, some at once (they wait more than they work), the largest first,
    since they mostly take longest; it prints a line a case (harness/run.py)."""
    folder = os.path.join(ROOT, "test", suite)
    files = sorted(f for f in os.listdir(folder) if f.endswith("_test.py")) if os.path.isdir(folder) else []
    files.sort(key=lambda f: -os.path.getsize(os.path.join(folder, f)))

    def one(f):
        t = time.monotonic()
        status, out = run([sys.executable, "test/harness/run.py", os.path.join(folder, f)], 900,
                          env=dict(ENV, POSTHORN_BUILD=BUILD))
        return f, status, out, time.monotonic() - t
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, f) for f in files]):
            f, status, out, took = done.result()
            name = f[:-len("_test.py")]
            seen = False
            for m in re.finditer(r"^@(ok|skip|FAIL) (\S+)(?: (.*))?$", out, re.M):
                seen = True
                result(f"{suite}/{name}.{m.group(2)}", m.group(1), m.group(3) or "")
            if status not in (0, 1) or not seen:
                result(f"{suite}/{name}", "FAIL", f"ended with {status}", took)
            if status:
                tail("\n".join(l for l in out.splitlines() if not l.startswith(("@ok", "@skip"))), 60)


def clients():
    python_suite("clients")


def vectors():
    """Public test suites, where ../shared/vectors is; without it each says that it was skipped."""
    python_suite("vectors")


def peers():
    python_suite("peers")


def faults():
    python_suite("faults", 2)


def fuzz_targets():
    with open(os.path.join(ROOT, "test/fuzz/meson.build")) as f:
        return re.findall(r"^\s*\['(\w+)',", f.read(), re.M)


def fuzz(seconds):
    """Every target for some time, two at once, from its corpus. What it finds is kept in build-check-fuzz/findings."""
    targets = fuzz_targets()
    if not build("build/fuzz", FUZZ, "clang", "-Dfuzz=true", "-Dbuildtype=debugoptimized", "-Db_sanitize=address,undefined",
                 targets=[f"test/fuzz/{t}_fuzz" for t in targets]):
        return
    waiting, running = list(targets), []
    findings = os.path.join(FUZZ, "findings")
    os.makedirs(findings, exist_ok=True)
    while waiting or running:
        while waiting and len(running) < 2:
            t = waiting.pop(0)
            work = os.path.join(FUZZ, "corpus", t)
            os.makedirs(work, exist_ok=True)
            log = open(os.path.join(FUZZ, f"{t}.log"), "w+", errors="replace")
            words = os.path.join(ROOT, "test/fuzz", f"{t}.dict")
            p = subprocess.Popen([os.path.join(FUZZ, f"test/fuzz/{t}_fuzz"), f"-max_total_time={seconds}", "-timeout=10",
                                  "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={findings}/{t}-"] +
                                 ([f"-dict={words}"] if os.path.exists(words) else []) +
                                 [work, os.path.join(ROOT, "test/corpus", t)],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENV, start_new_session=True)
            running.append((t, p, log, time.monotonic()))
        time.sleep(0.2)
        for job in list(running):
            t, p, log, since = job
            if p.poll() is None and time.monotonic() - since < seconds + 120:
                continue
            running.remove(job)
            if p.poll() is None:
                os.killpg(p.pid, signal.SIGKILL)
            status = p.wait()
            log.seek(0)
            text = log.read()
            log.close()
            runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
            result(f"fuzz/{t}", "FAIL" if status else "ok", f"{runs.group(1)} runs" if runs else "", time.monotonic() - since)
            if status:
                tail(text, 40)


def release():
    """What people run, by the other compiler; and the one test that takes too long with sanitizers: every single allocation of the
    store's ten scenarios fails once."""
    fault = "test/unit/store/store_account_fault_test"
    roles = ["account", "accounts", "directory", "doctor", "edge", "fetcher", "journal", "judge", "keys", "nameserver", "relay", "reporter", "resolver", "supervisor"]
    if not build("build/release", RELEASE, "gcc", "-Dbuildtype=release", "-Dtests=true",
                 targets=["posthorn", fault] + ["posthorn-" + r for r in roles]):
        return
    since = time.monotonic()
    status, out = run([os.path.join(RELEASE, fault)], 900, env=dict(ENV, POSTHORN_THOROUGH="1"))
    result("release/store_account_fault_every_allocation", "FAIL" if status else "ok", "", time.monotonic() - since)
    if status:
        tail(out)


QUICK = ["unit", "fuzz-smoke", "wire", "tidy"]
FULL = QUICK + ["release", "jail", "vectors", "clients", "peers", "faults", "clang-tidy", "fuzz"]


def main():
    p = argparse.ArgumentParser(prog="check")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--fuzz-seconds", type=int, default=5)
    p.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(FULL))
    args = p.parse_args()
    suites = args.suites or (QUICK if args.quick else FULL)
    if set(suites) - set(FULL):
        p.error(f"no such suite: {' '.join(set(suites) - set(FULL))}")
    needs_build = set(suites) - {"tidy", "release", "fuzz"}
    good = True
    if needs_build:
        good = build("build/check", BUILD, "clang", "-Dbuildtype=debugoptimized", "-Db_sanitize=address,undefined",
                     "-Dprobe=true")
    functions = {"unit": unit, "fuzz-smoke": fuzz_smoke, "wire": wire, "tidy": tidy, "release": release, "jail": jail,
                 "vectors": vectors, "clients": clients, "peers": peers, "faults": faults, "clang-tidy": clang_tidy,
                 "fuzz": lambda: fuzz(args.fuzz_seconds)}
    for s in suites:
        if good or s not in needs_build:
            functions[s]()
    if failed:
        say("failed: " + " ".join(failed))
    say(f"{len(passed)} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
