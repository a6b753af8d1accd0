"""The supervisor, with real processes: ready, restarted, drained, killed, and never orphaned."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pierhead.adapters.processes import Child, Supervisor, is_ready
from pierhead.bootstrap.running import bound, find_running, free_ports, hold, prepare_directory
from pierhead.core.errors import Misconfigured, UpstreamUnreachable

pytestmark = pytest.mark.anyio

SERVE = """
import http.server, os, signal, sys
from pierhead.adapters.processes import end_with_parent
end_with_parent(1.0)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, {on_term})
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
OBEDIENT = SERVE.format(on_term="lambda *_: os._exit(0)")
STUBBORN = SERVE.format(on_term="signal.SIG_IGN")


def child(tmp_path: Path, program: str, name: str = "one") -> Child:
    port = free_ports(1)[0]
    return Child(name, (sys.executable, "-c", program, str(port)), port, "/", tmp_path / f"{name}.log")


class Heard:
    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []

    async def report(self, name: str, state: str, reason: str) -> None:
        self.states.append((state, reason))

    def supervisor(self) -> Supervisor:
        return Supervisor(self.report, lambda: 0.0)


async def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """A zombie has ended: only its parent has not asked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_killed_child_comes_back_on_its_port(tmp_path: Path) -> None:
    heard, one = Heard(), child(tmp_path, OBEDIENT)
    supervisor = heard.supervisor()
    await supervisor.start(one, 20)
    first = supervisor.pids()["one"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: [state for state, _ in heard.states] == ["starting", "running", "restarting", "running"])
    assert supervisor.pids()["one"] != first
    assert await is_ready(one.port, "/")
    assert "killed by SIGKILL" in heard.states[2][1]
    assert await supervisor.stop(["one"], 5)
    assert not supervisor.pids()


async def test_a_stopped_child_is_not_restarted(tmp_path: Path) -> None:
    heard, one = Heard(), child(tmp_path, OBEDIENT)
    supervisor = heard.supervisor()
    await supervisor.start(one, 20)
    assert await supervisor.stop(["one"], 5)
    assert not await is_ready(one.port, "/")
    assert [state for state, _ in heard.states] == ["starting", "running"]


async def test_a_child_that_does_not_drain_is_killed(tmp_path: Path) -> None:
    supervisor = Heard().supervisor()
    await supervisor.start(child(tmp_path, STUBBORN), 20)
    pid = supervisor.pids()["one"]
    assert not await supervisor.stop(["one"], 0.3)
    assert not alive(pid)


@pytest.mark.parametrize(("code", "kind"), [(2, Misconfigured), (1, UpstreamUnreachable)])
async def test_a_child_that_ends_at_start_is_explained_from_its_log(tmp_path: Path, code: int, kind: type) -> None:
    program = f"import sys; print('error: no such thing'); sys.exit({code})"
    with pytest.raises(kind, match="no such thing"):
        await Heard().supervisor().start(child(tmp_path, program), 20)


async def test_a_child_that_is_late_is_gone(tmp_path: Path) -> None:
    supervisor = Heard().supervisor()
    with pytest.raises(UpstreamUnreachable, match="not ready within"):
        await supervisor.start(child(tmp_path, "import time; time.sleep(60)"), 0.3)
    await until(lambda: not supervisor.pids())


@pytest.mark.parametrize("program", [OBEDIENT, STUBBORN])
async def test_no_orphan_is_left_when_the_supervisor_is_killed(tmp_path: Path, program: str) -> None:
    (tmp_path / "child.py").write_text(program)
    port = free_ports(1)[0]
    parent = f"""
import asyncio, pathlib, sys
from pierhead.adapters.processes import Child, Supervisor
async def report(*_): pass
async def main():
    supervisor = Supervisor(report, lambda: 0.0)
    argv = (sys.executable, {str(tmp_path / "child.py")!r}, "{port}")
    await supervisor.start(Child("one", argv, {port}, "/", pathlib.Path({str(tmp_path / "log")!r})), 20)
    print(supervisor.pids()["one"], flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE)
    assert supervisor.stdout is not None
    pid = int(await supervisor.stdout.readline())
    assert alive(pid)
    supervisor.kill()
    await supervisor.wait()
    await until(lambda: not alive(pid))


async def test_a_data_directory_belongs_to_one_platform(tmp_path: Path) -> None:
    prepare_directory(tmp_path)
    held = hold(tmp_path)
    with pytest.raises(Misconfigured, match=f"process {os.getpid()}") as refused:
        hold(tmp_path)
    assert refused.value.code == "in-use"
    os.close(held)
    os.close(hold(tmp_path))


async def test_a_directory_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="cannot make the data directory"):
        prepare_directory(tmp_path / "file" / "data")


async def test_a_port_in_use_is_explained() -> None:
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(Misconfigured, match="cannot be used"):
            bound("127.0.0.1", taken.getsockname()[1])


async def test_where_nothing_runs_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnreachable, match="no platform is running"):
        find_running(tmp_path)
