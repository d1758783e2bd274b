"""rspamd with nothing but its SPF, DKIM and DMARC modules: `with Rspamd(dns="127.0.0.1@port") as r:`, then r.look(message,
ip, sender) gives its answer as a dict. With sign=(domain, selector, key file) it signs instead what r.look(..., user=...)
shows it. On loopback, in a temporary folder."""
import http.client
import json
import os
import shutil
import subprocess
import tempfile

from harness.house import free_port, wait_for

CONF = """
options {{
  filters = "dkim"; cache_file = "{d}/cache"; tempdir = "{d}"; hs_cache_dir = "{d}"; dbdir = "{d}"; local_addrs = [];
  dns {{ nameserver = ["{dns}"]; timeout = 5s; }}
  explicit_modules = ["spf", "dkim", "dmarc", "dkim_signing"];
}}
logging {{ type = "file"; filename = "{d}/log"; level = "error"; }}
metric {{ name = "default"; actions {{ reject = 1500; }} }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; mime = true; }}
modules {{ path = "/usr/share/rspamd/plugins/"; }}
"""
VERIFY = "spf {{ }}\ndkim {{ trusted_only = false; }}\ndmarc {{ }}\n"
SIGN = ('dkim_signing {{ sign_authenticated = true; use_esld = false; check_pubkey = false; '
        'domain {{ "{domain}" {{ selector = "{selector}"; path = "{key}"; }} }} }}\n')


class Rspamd:
    def __init__(self, dns, sign=None):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="posthorn-rspamd-")
        conf = CONF.format(d=self.folder, dns=dns.replace("@", ":"), port=self.port)
        conf += SIGN.format(domain=sign[0], selector=sign[1], key=sign[2]) if sign else VERIFY.format()
        self.conf = os.path.join(self.folder, "rspamd.conf")
        with open(self.conf, "w") as f:
            f.write(conf)

    def __enter__(self):
        self.process = subprocess.Popen(["rspamd", "-i", "-f", "-c", self.conf], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for("rspamd answers", self.answers, 180)  # its start is slow on a busy machine
        except BaseException:
            self.__exit__(True)
            raise
        return self

    def __exit__(self, kind, *_):
        if kind:
            try:
                print("the log of rspamd:\n" + open(os.path.join(self.folder, "log")).read()[-3000:], flush=True)
            except OSError:
                pass
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, seconds=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"rspamd ended with {self.process.returncode}")
        try:
            c = self.connect(5)
            c.request("GET", "/ping")
            return c.getresponse().status == 200
        except OSError:
            return False

    def look(self, message, ip="198.51.100.9", sender="ann@example.test", user=None, connection=None):
        c = connection or self.connect()
        head = {"IP": ip, "From": f"<{sender}>", "Helo": "mx.example.test", "Rcpt": "bob@demo.test"}
        if user:
            head["User"] = user
        c.request("POST", "/checkv2", message, head)
        return json.loads(c.getresponse().read())

    def symbols(self, message, **how):
        return set(self.look(message, **how)["symbols"])
