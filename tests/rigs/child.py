"""A process that says it is ready: `python child.py PORT NAME`. With `fail` after them it ends at once."""

import http.server
import json
import os
import sys
import threading


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told = {"server": sys.argv[2], "policy": "loaded", "is_as_published": True, "version": "1"}
        body = json.dumps({**told, "tools_digest": "d", "dependencies": []}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    if "fail" in sys.argv:
        sys.exit("it cannot start")
    threading.Thread(target=end_with_stdin, daemon=True).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
