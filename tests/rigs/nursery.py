"""A process that has everything imported, and forks a role of the platform whenever one is asked for.

What it forks is what `pierhead run` runs, with processes of its own, and dies by `kill -9` like any other; it only
starts in a tenth of the time. One line of JSON in: `{"words", "environment", "log"}`; one line out: the process.
"""

import json
import os
import signal
import sys
import traceback

import aiosqlite
import asyncpg

import pierhead.adapters.db.migrations
import pierhead.apps.cli.roles
import pierhead.apps.gateway
import pierhead.apps.registry
import pierhead.apps.server
import pierhead.bootstrap.wire_gateway
import pierhead.bootstrap.wire_guard
import pierhead.bootstrap.wire_registry
import pierhead.bootstrap.wire_server
from pierhead.apps.cli import main

IMPORTED = (aiosqlite, asyncpg, pierhead)


def _become(words: list[str], environment: dict[str, str], log: str) -> None:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(source, target)
    os.environ.update(environment)
    sys.argv = ["pierhead", *words]
    code = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - the process ends here, and nothing above tells why
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system takes away what has died
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(**json.loads(line))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
