"""What survives `kill -9`, a full disk, and in which order the system is asked: a real process, a real disk."""

import asyncio
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import orjson
import pytest

from pierhead.adapters.db import DatabaseAudit, open_database
from pierhead.adapters.journal import Journal, read, verify
from pierhead.adapters.system import SystemClock
from pierhead.bootstrap.wire_audit import verify as verify_data
from pierhead.core.audit_policy import PolicyPublished
from pierhead.core.errors import NotFound

WRITER = Path(__file__).parent.parent / "rigs" / "journal_writer.py"
ROUNDS = 25


def start(directory: Path, calls: int, **more: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(WRITER), str(directory), str(calls)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)  # type: ignore[call-overload]


def effects(directory: Path) -> set[str]:
    spy = directory / "effects"
    return set(spy.read_text().split()) if spy.exists() else set()


def finished_calls(directory: Path) -> set[str]:
    spy = directory / "acknowledged"
    return set(spy.read_text().split()) if spy.exists() else set()


def kept(directory: Path) -> dict[str, list[str]]:
    """The calls of every kind of record, read in one go: the journal grows with each round."""
    calls: dict[str, list[str]] = defaultdict(list)
    for record in read(directory / "gateway"):
        fact = orjson.loads(record.payload)
        if "call_id" in fact:
            calls[fact["kind"]].append(fact["call_id"])
    return calls


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_after_kill_9_at_any_moment_no_effect_is_without_its_intent(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        process = start(tmp_path, 1_000_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.01 + 0.013 * number)  # the random moment of the kill, spread over the rounds
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
        calls = kept(tmp_path)
        assert effects(tmp_path) <= set(calls["call-started"])
        assert finished_calls(tmp_path) <= set(calls["call-finished"])
    journal = Journal.open(tmp_path, "gateway", SystemClock())
    journal.close()
    report = verify(tmp_path / "gateway")
    calls = kept(tmp_path)
    begun, ended = calls["call-started"], calls["call-finished"] + calls["call-lost"]
    assert (report.broken, len(begun)) == ("", len(set(begun)))
    assert sorted(begun) == sorted(ended)
    assert len(effects(tmp_path)) > ROUNDS * 5
    assert calls["call-lost"], "no kill hit a call under way: the test shows nothing"


@pytest.mark.slow
def test_the_system_syncs_before_every_effect(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("component strace: not on PATH")
    log = tmp_path / "strace"
    tracing = [strace, "-f", "-y", "-e", "trace=fdatasync,pwrite64,write", "-s", "200000", "-o", str(log)]
    command = [*tracing, sys.executable, str(WRITER), str(tmp_path), "300"]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    seen: set[str] = set()
    durable: set[str] = set()
    checked = 0
    for line in log.read_text(errors="replace").splitlines():
        if "pwrite64(" in line and ".jsonl>" in line:
            seen |= set(re.findall(r'\\"call_id\\":\\"(\S+?)\\".*?', line))
        elif ("fdatasync(" in line and "unfinished" not in line) or "fdatasync resumed" in line:
            durable |= seen
        elif "write(" in line and "/effects>" in line and (effect := re.search(r'"(\S+) *\\n"', line)):
            assert effect[1] in durable, f"{effect[1]} had its effect before its sync"
            checked += 1
    assert checked == 310  # the rig makes ten more at its end


@pytest.mark.slow
def test_a_disk_that_takes_no_more_refuses_and_takes_again_without_a_restart(tmp_path: Path) -> None:
    """The kernel itself says no: past a limit on file sizes every write fails."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))

    process = start(tmp_path, 3000, preexec_fn=limited)  # calls that are refused have no effect
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    refused, later = (int(number) for number in out.split()[1:])
    assert refused > 0
    assert later == 10, "calls after the limit was lifted"
    assert effects(tmp_path) <= set(kept(tmp_path)["call-started"])
    assert verify(tmp_path / "gateway").broken == ""


def test_verify_checks_journals_and_the_registrys_copy_and_names_what_is_broken(tmp_path: Path) -> None:
    async def story() -> None:
        with pytest.raises(NotFound):
            await verify_data(tmp_path)
        clock = SystemClock()
        journal = Journal.open(tmp_path / "journal", "gateway", clock)
        await journal.record(PolicyPublished(1, "d", "x"))
        journal.close()
        database = await open_database(f"sqlite:///{tmp_path}/pierhead.db")
        await DatabaseAudit(database, clock).record(PolicyPublished(1, "d", "x"))
        await database.close()
        whole = await verify_data(tmp_path)
        assert (whole.broken, whole.records) == ("", 2)
        segment = tmp_path / "journal" / "gateway" / "00000001.jsonl"
        segment.write_bytes(segment.read_bytes().replace(b'"revision":1', b'"revision":2'))
        assert (await verify_data(tmp_path)).broken == (
            "gateway/00000001.jsonl line 1: record 1 does not match its hash"
        )

    asyncio.run(story())
