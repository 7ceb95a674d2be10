"""A WinRM service whose NTLM is that of pyspnego; its commands are made up."""

import base64
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ["NTLM_USER_FILE"] = sys.argv[1]

import spnego  # noqa: E402  (reads the variable)

BOUNDARY = b"--Encrypted Boundary"
TYPE = "application/HTTP-SPNEGO-session-encrypted"
commands = {}
ended = threading.Event()


def envelope(body):
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="r">'
        f"<s:Header/><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def answer(message):
    action = re.search(r"<a:Action[^>]*>([^<]*)<", message).group(1).split("/")[-1]
    if action == "Create":
        return "<rsp:Shell><rsp:ShellId>S</rsp:ShellId></rsp:Shell>"
    if action == "Command":
        name = f"C{len(commands)}"
        commands[name] = re.search(r"<rsp:Command>(.*)</rsp:Command>", message, re.S).group(1)
        return f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>"
    if action == "Send" and 'End="true"' in message:
        ended.set()
    if action != "Receive":
        return ""
    command = commands[re.search(r'CommandId="([^"]*)"', message).group(1)]
    said = "hello from pyspnego\r\n"
    if "EncodedCommand" in command:
        ended.wait(20)
        said = "done\r\n"
    said = base64.b64encode(said.encode()).decode()
    return (
        f'<rsp:ReceiveResponse><rsp:Stream Name="stdout">{said}</rsp:Stream>'
        '<rsp:CommandState State="x/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode>'
        "</rsp:CommandState></rsp:ReceiveResponse>"
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    context = None

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", kind="text/plain", offer=None):
        self.send_response(status)
        if offer:
            self.send_header("WWW-Authenticate", offer)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        given = self.headers.get("Authorization", "")
        if given.startswith("Negotiate "):
            token = base64.b64decode(given.split()[1])
            if token[8] == 1:
                self.context = spnego.server(protocol="ntlm")
            try:
                token = self.context.step(token)
            except spnego.exceptions.SpnegoError:
                self.context = None
                return self.reply(401, offer="Negotiate")
            if not self.context.complete:
                return self.reply(401, offer="Negotiate " + base64.b64encode(token).decode())
        elif not (self.context and self.context.complete):
            return self.reply(401, offer="Negotiate")
        if not body:
            return self.reply(200)
        start = body.index(b"application/octet-stream\r\n") + 26
        length = int.from_bytes(body[start : start + 4], "little")
        signature = body[start + 4 : start + 4 + length]
        sealed = body[start + 4 + length : body.rindex(BOUNDARY + b"--")]
        message = envelope(answer(self.context.unwrap_winrm(signature, sealed).decode()))
        wrapped = self.context.wrap_winrm(message)
        head = (
            f"--Encrypted Boundary\r\n\tContent-Type: {TYPE}\r\n\tOriginalContent: "
            f"type=application/soap+xml;charset=UTF-8;Length={len(message)}\r\n"
            "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        ).encode()
        length = len(wrapped.header).to_bytes(4, "little")
        sealed = head + length + wrapped.header + wrapped.data + BOUNDARY + b"--\r\n"
        self.reply(200, sealed, f'multipart/encrypted;protocol="{TYPE}";boundary="Encrypted Boundary"')


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
