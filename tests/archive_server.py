"""A web server on this machine that gives archives away, and the archives."""

import hashlib
import http.server
import io
import zipfile


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; `cut` ends each answer after so many bytes, `say_length` False leaves out Content-Length."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.cut = None
        self.say_length = True
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/set/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        content = self.server.files.get(self.path.removeprefix("/set/"))
        if content is None:
            self.send_error(404)
            return None
        self.send_response(200)
        if self.server.say_length:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.do_HEAD()
        if content is not None:
            self.wfile.write(content[: self.server.cut])
        self.close_connection = True

    def log_message(self, *words):
        """Stay quiet."""


def digest(content):
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def zipped(files):
    """Return a ZIP archive of names or ZipInfo, and contents."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()
