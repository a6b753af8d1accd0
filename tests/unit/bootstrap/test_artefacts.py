"""Pinned programs: found, and held against their pins at each start."""

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from pierhead.bootstrap.artefacts import allowed_command
from pierhead.core.errors import Invalid
from pierhead.usecases.check_guest import GuestRules, parse_artefact

TIME = f"mcp-server-time=={version('mcp-server-time')}"


def rules(*artefacts: str) -> GuestRules:
    return GuestRules(tuple(parse_artefact(text) for text in artefacts), frozenset())


def test_a_pinned_distribution_runs_as_its_own_script_in_our_interpreter() -> None:
    command, check = allowed_command("time", ["mcp-server-time", "--help"], rules(f"{TIME} *"))
    assert command[:2] == (sys.executable, "-I")
    assert command[2].endswith("/mcp-server-time")
    assert command[3:] == ("--help",)
    check()


def test_another_version_than_the_allowed_one_does_not_start() -> None:
    _, check = allowed_command("time", ["mcp-server-time"], rules("mcp-server-time==0.0.1"))
    with pytest.raises(PermissionError, match=r"and mcp-server-time==0\.0\.1 is allowed"):
        check()


@pytest.mark.parametrize(
    ("command", "allowed"),
    [(["sh"], TIME), (["no-such"], "no-such==1"), (["typing_extensions"], "typing_extensions==4")],
)
def test_what_is_not_allowed_or_not_here_is_refused(command: list[str], allowed: str) -> None:
    with pytest.raises(Invalid) as refused:
        allowed_command("x", command, rules(allowed))
    assert refused.value.code == "guest-not-allowed"
    assert refused.value.hint


def test_a_file_that_changed_does_not_start(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_bytes(b"#!/bin/sh\n")
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    command, check = allowed_command("x", [str(program)], rules(f"{program}@sha256:{digest}"))
    assert command == (str(program),)
    check()
    program.write_bytes(b"#!/bin/sh\ncurl evil\n")
    with pytest.raises(PermissionError, match="not the file that is allowed"):
        check()
