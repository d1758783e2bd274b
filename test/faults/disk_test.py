"""A disk that is full (a small tmpfs; root only): mail is answered 452, reading and deleting work, and when there is
room again everything goes on by itself (THREATS 61)."""
import os
import smtplib
import subprocess
import tempfile
import unittest

from harness.house import House, is_root, wait_for


def can_mount():
    if not is_root():
        return False
    folder = tempfile.mkdtemp(prefix="posthorn-mount-")
    try:
        ok = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], stderr=subprocess.DEVNULL).returncode == 0
        if ok:
            subprocess.run(["umount", folder], check=True)
        return ok
    finally:
        os.rmdir(folder)


@unittest.skipUnless(can_mount(), "mounting a tmpfs needs root and a kernel that lets it")
class DiskFull(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="posthorn-disk-")
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.data)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "none", self.data], check=True)
        # what somebody else puts on the same disk
        self.filler = os.path.join(self.data, "filler")
        self.addCleanup(self.clean)

    def clean(self):
        subprocess.run(["umount", "-l", self.data], check=False)
        subprocess.run(["rm", "-rf", "--one-file-system", self.folder], check=False)

    def fill(self, leave):
        st = os.statvfs(self.data)
        with open(self.filler, "ab") as f:
            left = st.f_bavail * st.f_frsize - leave
            while left > 0:
                f.write(b"\xff" * min(left, 1 << 20))
                left -= 1 << 20

    def test_full_disk(self):
        with House(data=self.data) as house:
            message = b"From: a@far.test\r\nSubject: keep\r\n\r\n" + os.urandom(30000).hex().encode() + b"\r\n"
            for _ in range(5):
                house.deliver("a@far.test", ["bob@demo.test"], message)
            house.wait_mail("bob", 5)
            self.fill(leave=8 << 20)
            codes, kept = [], 5
            for _ in range(400):
                try:
                    house.deliver("a@far.test", ["bob@demo.test"], message)
                    kept += 1
                except smtplib.SMTPResponseException as e:
                    codes.append(e.smtp_code)
                except smtplib.SMTPRecipientsRefused as e:
                    codes += [c for c, _ in e.recipients.values()]
                if len(codes) >= 5:
                    break
            self.assertTrue(codes, "the disk was never full")
            self.assertEqual(set(codes), {452})

            # reading and deleting take from the reserve that mail leaves
            c = house.imap("bob")
            self.assertEqual(int(c.select("INBOX")[1][0]), kept)
            kind, data = c.fetch("1", "(BODY.PEEK[])")
            self.assertEqual(kind, "OK")
            self.assertTrue(data[0][1].endswith(message))
            kind, data = c.store("1:3", "+FLAGS", r"(\Deleted)")
            self.assertEqual(kind, "OK", data)
            kind, data = c.expunge()
            self.assertEqual((kind, len(data)), ("OK", 3), data)
            kept -= 3

            # somebody else takes the reserve too: what cannot be done is said, what can be done is done
            self.fill(leave=0)
            kind, data = c.fetch("1:*", "(BODY.PEEK[])")
            self.assertEqual((kind, len([d for d in data if isinstance(d, tuple)])), ("OK", kept))
            kind, data = c.store("1", "+FLAGS", r"(\Flagged)")
            if kind != "OK":
                self.assertIn(b"disk is full", data[0])
            with self.assertRaises((smtplib.SMTPException, OSError)):
                house.deliver("a@far.test", ["bob@demo.test"], message)
            c.logout()
            c = house.imap("bob")
            self.assertEqual(int(c.select("INBOX")[1][0]), kept)
            c.logout()

            os.truncate(self.filler, 0)

            def taken():
                try:
                    house.deliver("a@far.test", ["bob@demo.test"], b"From: a@far.test\r\nSubject: again\r\n\r\nx\r\n")
                    return True
                except (smtplib.SMTPException, OSError):
                    return False
            wait_for("mail is taken again", taken)
            self.assertEqual(len(house.mailbox("bob")), kept + 1)
            story = house.trace("bob@demo.test")
            self.assertIn("452", story)


if __name__ == "__main__":
    unittest.main()
