"""A real Postfix of its own for tests, and its two load programs: `with Postfix(relay_to=port) as p:`. Everything lies in
a temporary folder; nothing of a system Postfix is read or written. Postfix has to start as root."""
import os
import re
import shutil
import subprocess
import tempfile

from harness.house import accepts, free_port, make_certificate, wait_for

MAIN = """compatibility_level = 3.6
queue_directory = {d}/spool
data_directory = {d}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {d}/log
maillog_file_prefixes = /
myhostname = peer.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
virtual_mailbox_domains = peer.test
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = inline:{{ bob@peer.test=bob/, eve@peer.test=eve/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
transport_maps = inline:{{ demo.test=smtp:[127.0.0.1]:{relay_to} }}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = {tls_in}
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtp_tls_security_level = may
smtpd_peername_lookup = no
smtp_host_lookup = native
message_size_limit = 5000000
alias_maps =
alias_database =
{more}
"""

MASTER = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    def __init__(self, relay_to=1, tls=True, more=""):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="posthorn-postfix-")
        os.chmod(self.folder, 0o755)
        d = self.folder
        for name in ("etc", "spool", "lib", "mail"):
            os.mkdir(os.path.join(d, name))
        import pwd
        user = pwd.getpwnam("postfix")
        shutil.chown(os.path.join(d, "lib"), "postfix")
        shutil.chown(os.path.join(d, "mail"), "postfix")
        cert, key = make_certificate(d, "peer.test")
        with open(os.path.join(d, "etc", "main.cf"), "w") as f:
            f.write(MAIN.format(d=d, uid=user.pw_uid, gid=user.pw_gid, relay_to=relay_to, cert=cert, key=key, more=more,
                                tls_in="may" if tls else "none"))
        with open(os.path.join(d, "etc", "master.cf"), "w") as f:
            f.write(MASTER.format(port=self.port))

    def __enter__(self):
        r = subprocess.run(["postfix", "-c", os.path.join(self.folder, "etc"), "start"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        if r.returncode:
            raise AssertionError("Postfix does not start: " + r.stdout + self.log())
        wait_for("Postfix answers", lambda: accepts(self.port))
        return self

    def __exit__(self, kind, *_):
        if kind:
            print("the log of Postfix:\n" + self.log()[-4000:], flush=True)
        subprocess.run(["postfix", "-c", os.path.join(self.folder, "etc"), "abort"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def mailbox(self, user):
        """What it delivered to user, as bytes with LF line ends."""
        new = os.path.join(self.folder, "mail", user, "new")
        return [open(os.path.join(new, n), "rb").read() for n in sorted(os.listdir(new))] if os.path.isdir(new) else []


class Sink:
    """smtp-sink with options; the messages it took, as it saw them (its dump doubles no dots and ends lines with LF)."""

    def __init__(self, *options):
        self.port = free_port()
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="posthorn-sink-")
        os.chmod(self.folder, 0o777)

    def __enter__(self):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(["smtp-sink", *user, "-4", "-R", self.folder, "-d", "m.", *self.options,
                                         f"127.0.0.1:{self.port}", "100"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for("smtp-sink answers", lambda: accepts(self.port))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def messages(self):
        out = []
        for n in sorted(os.listdir(self.folder)):
            with open(os.path.join(self.folder, n), "rb") as f:
                text = f.read()
            if re.search(rb"^X-Rcpt-Args:", text, re.M):
                out.append(text)
        return out
