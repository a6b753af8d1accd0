"""`pierhead up`, as a newcomer runs it: the story, what can go wrong, and what must survive."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from tests.running_platform import Up, family, pierhead, processes, until_gone, up

from pierhead.bootstrap.running import bound, find_running, free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BY_CARRIER = "sql=select carrier, count(*) as n from flights group by carrier order by n desc"
LARGEST_KIB = 600 * 1024


def test_it_ends_with_the_url_the_people_and_lines_to_paste(platform: Up) -> None:
    url = f"http://127.0.0.1:{platform.ports[0]}"
    for expected in (
        url,
        "alice",
        "frank",
        f"claude mcp add --transport http warehouse {url}/mcp/warehouse",
        "code --add-mcp",
        "call warehouse run_query",
    ):
        assert expected in platform.said


def test_alice_asks_the_warehouse(platform: Up) -> None:
    answer = platform.run("call", "warehouse", "run_query", BY_CARRIER, "--as", "alice")
    assert answer.returncode == 0, answer.stderr
    rows = json.loads(answer.stdout)["rows"]
    assert sum(row[1] for row in rows) == 336_776
    assert rows[0][0] == "UA"


def test_bob_is_refused_with_the_reason_and_whom_to_ask(platform: Up) -> None:
    answer = platform.run("call", "warehouse", "run_query", "sql=select 1", "--as", "bob")
    assert answer.returncode == 6
    assert "it is open to group:analytics or group:data-eng" in answer.stderr
    assert "hint: ask data-platform in #data-help" in answer.stderr
    assert [line.split(":")[0] for line in answer.stderr.splitlines()] == ["error", "cause", "hint", "docs"]


def test_the_guest_answers_under_our_policy(platform: Up) -> None:
    answer = platform.run("call", "time", "get_current_time", "timezone=Europe/Berlin", "--as", "bob")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["timezone"] == "Europe/Berlin"


def test_what_happened_is_on_the_record_and_counts(platform: Up) -> None:
    platform.run("call", "warehouse", "run_query", BY_CARRIER, "--as", "alice")
    deadline = time.monotonic() + 20
    while not (calls := json.loads(platform.run("audit", "search", "--as", "alice", "--json").stdout)):
        assert time.monotonic() < deadline
    assert {"server": "warehouse", "tool": "run_query", "decision": "permit"}.items() <= calls[0].items()
    verified = platform.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(platform.run("impact", "--json").stdout)["succeeded"] >= 1


def test_a_killed_server_comes_back_and_the_others_answer_meanwhile(platform: Up) -> None:
    killed = platform.children()["server warehouse"]
    os.kill(killed, signal.SIGKILL)
    other = platform.run("call", "time", "get_current_time", "timezone=UTC", "--as", "alice")
    assert other.returncode == 0, other.stderr
    deadline = time.monotonic() + 60
    while (answer := platform.run("call", "warehouse", "list_tables", "--as", "alice")).returncode:
        assert time.monotonic() < deadline, answer.stderr
    assert platform.children()["server warehouse"] != killed


def test_a_second_platform_on_the_same_data_is_refused(platform: Up) -> None:
    before = family(platform.process.pid)
    port, diagnostics = free_ports(2)
    flags = ("--data", str(platform.data), "--port", str(port), "--diagnostics-port", str(diagnostics))
    second = pierhead("up", *flags)
    assert second.returncode == 2
    assert f"a platform already runs on {platform.data} (process {platform.process.pid})" in second.stderr
    assert family(platform.process.pid) == before


def test_the_whole_demo_stays_under_600_mb(platform: Up, capsys: pytest.CaptureFixture[str]) -> None:
    resident = 0
    for pid in family(platform.process.pid):
        status = Path(f"/proc/{pid}/status").read_text()
        resident += int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    with capsys.disabled():
        print(f"\nmemory of the whole demo: {resident / 1024:.0f} MiB resident")
    assert resident < LARGEST_KIB


def test_ctrl_c_leaves_no_process_and_a_second_start_keeps_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as first:
        asked = first.run("call", "time", "get_current_time", "timezone=UTC", "--as", "carol")
        assert asked.returncode == 0, asked.stderr
        pids = family(first.process.pid)
        assert len(pids) == 6
        assert first.stop() == 0
        until_gone(pids)
        assert not (data / "run" / "platform.json").exists()
    keys = {file.name: file.read_bytes() for file in (data / "keys").iterdir()}
    with up(data) as second:
        calls = json.loads(second.run("audit", "search", "--as", "carol", "--json").stdout)
        assert [call["tool"] for call in calls] == ["get_current_time"]
        assert {file.name: file.read_bytes() for file in (data / "keys").iterdir()} == keys
        assert second.run("audit", "verify").returncode == 0


def test_no_orphan_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with up(tmp_path / "data") as platform:
        pids = family(platform.process.pid)
        platform.process.kill()
        platform.process.wait(10)
        until_gone(pids)


def refused(*flags: str) -> str:
    """What `up` says when it does not start: exit code 2, four lines, nothing started."""
    answer = pierhead("up", *flags)
    assert answer.returncode == 2, answer.stderr
    assert "starting" not in answer.stderr
    assert [line.split(":")[0] for line in answer.stderr.splitlines()[-4:]] == ["error", "cause", "hint", "docs"]
    return answer.stderr


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("--data", str(tmp_path), "--port", str(port), "--diagnostics-port", str(free_ports(1)[0]))
    assert f"port {port} on 127.0.0.1 cannot be used" in said
    assert "--port" in said


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot make the data directory" in refused("--data", str(tmp_path / "file" / "data"))


def test_a_broken_fleet_file_is_refused_with_its_place(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("servers:\n  x:\n    kind: sqll\n")
    assert "line 3, column 11: server x is of kind 'sqll'" in refused(
        "--data", str(tmp_path / "d"), "--fleet", str(fleet)
    )


def test_a_server_that_cannot_start_stops_the_start_and_nothing_stays(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("servers:\n  x: {kind: sql, owner: o, support: s, url: 'sqlite:///absent.db', roles: {}}\n")
    port, diagnostics = free_ports(2)
    flags = ("--data", str(tmp_path / "d"), "--fleet", str(fleet), "--port", str(port))
    answer = pierhead("up", *flags, "--diagnostics-port", str(diagnostics))
    assert answer.returncode == 2, answer.stderr
    assert "server-x ended at start" in answer.stderr
    assert not [role for _, _, role in processes() if str(tmp_path) in role]
    bound("127.0.0.1", port).close()


def test_nothing_is_found_where_nothing_runs(tmp_path: Path) -> None:
    answer = pierhead("server", "list", "--data", str(tmp_path))
    assert answer.returncode == 7
    assert "no platform is running" in answer.stderr


def test_a_server_is_shown_with_its_process_and_its_tools(platform: Up) -> None:
    shown = json.loads(platform.tell("server", "show", "warehouse", "--json"))
    assert (shown["stage"], shown["process"]) == ("deployed", "running")
    assert "run_query" in {tool["name"] for tool in shown["tools"]}
    assert "process      running" in platform.tell("server", "show", "warehouse")


def test_the_note_says_where_the_platform_stands(platform: Up) -> None:
    note = find_running(platform.data)
    assert (note.public_url, note.pid) == (f"http://127.0.0.1:{platform.ports[0]}", platform.process.pid)
    assert (platform.data / "run" / "platform.json").stat().st_mode & 0o777 == 0o600
