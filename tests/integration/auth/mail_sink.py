"""A mail server that keeps what it is given: enough of SMTP for smtplib, on a port of its own."""

import base64
import contextlib
import email
import email.policy
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class MailSink:
    """What arrived, and how it shall behave."""

    messages: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refusals: int = 0  # so many connections are turned away first
    wants_login: bool = False
    port: int = 0

    def wait_for(self, count: int = 1, seconds: float = 20) -> list[EmailMessage]:
        deadline = time.monotonic() + seconds
        while len(self.messages) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.messages)} of {count} mails arrived")
            time.sleep(0.02)
        return self.messages


@contextlib.contextmanager
def mail_sink(*, refusals: int = 0, wants_login: bool = False) -> Iterator[MailSink]:
    sink = MailSink(refusals=refusals, wants_login=wants_login)

    class Conversation(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            if sink.refusals:
                sink.refusals -= 1
                self.say("421 busy, try again")
                return
            self.say("220 sink")
            while line := self.rfile.readline().decode().strip():
                command = line.split(" ")[0].upper()
                match command:
                    case "EHLO":
                        self.wfile.write(b"250-sink\r\n250 AUTH PLAIN\r\n" if sink.wants_login else b"250 sink\r\n")
                    case "AUTH":
                        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                        sink.logins.append((user, password))
                        self.say("235 welcome")
                    case "DATA":
                        self.say("354 go on")
                        self.keep()
                        self.say("250 kept")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 ok")

        def keep(self) -> None:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line[1:] if line.startswith(b"..") else line)
            message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            sink.messages.append(message)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()
