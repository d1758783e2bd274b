"""A next hop that takes every mail and keeps it: `with Sink() as sink, House(config=f"route * 127.0.0.1:{sink.port}\\n") as house: ...`"""
import re
import socketserver
import threading


class Sink:
    """messages: what came, each as (sender, [recipients], bytes as they were before SMTP doubled dots)."""

    def __init__(self):
        self.messages = []
        sink = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 sink\r\n")
                sender, rcpts = None, []
                while line := self.rfile.readline():
                    word = line[:4].upper()
                    if word == b"MAIL":
                        sender, rcpts = re.search(rb"<(.*?)>", line)[1].decode(), []
                    elif word == b"RCPT":
                        rcpts.append(re.search(rb"<(.*?)>", line)[1].decode())
                    elif word == b"DATA":
                        self.wfile.write(b"354 go\r\n")
                        text = b""
                        while (line := self.rfile.readline()) and line != b".\r\n":
                            text += line[1:] if line.startswith(b".") else line
                        sink.messages.append((sender, rcpts, text))
                    self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 sink\r\n")
                    if word == b"QUIT":
                        return
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def to(self, address):
        """What came for that address: [(sender, bytes)]."""
        return [(s, m) for s, r, m in self.messages if address in r]

    def texts(self):
        return [m for _, _, m in self.messages]
