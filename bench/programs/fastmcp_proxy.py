"""FastMCP's proxy as its documentation starts it. Runs in its own environment; knows nothing of ours.

Arguments: the server's URL, the port to listen on.
"""

import sys

import fastmcp
from fastmcp.server import create_proxy

if __name__ == "__main__":
    fastmcp.settings.log_level = "ERROR"
    proxy = create_proxy(sys.argv[1], name="proxy")
    uvicorn_config = {"access_log": False, "loop": "uvloop", "http": "httptools"}
    proxy.run(
        transport="http",
        host="127.0.0.1",
        port=int(sys.argv[2]),
        path="/mcp",
        show_banner=False,
        log_level="error",
        uvicorn_config=uvicorn_config,
    )
