"""The OpenAPI document of a running registry, asked by Schemathesis: no answer is otherwise than the document says.

Asked of the registry's own port: what the gateway refuses by itself has the gateway's form. Schemathesis runs in an
environment of its own, since it brings a plug-in for pytest.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.running_platform import Up, up

from pierhead.bootstrap.running import find_running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = ROOT / "requirements" / "schemathesis.lock"
EXAMPLES: Final = "8"
#: A stream has no end that a generator waits for; its own tests are in tests/unit/apps/registry/test_changes.py.
STREAM: Final = "/api/v1/changes/stream"
#: What fits the schema may still be refused: for an entry no fleet file could hold, a reason made of spaces alone.
NOT_ASKED: Final = "positive_data_acceptance"


def schemathesis() -> Path:
    """The program, installed once; skips the test where it cannot be had."""
    folder = ROOT / ".tools" / "schemathesis"
    program, stamp = folder / "bin" / "schemathesis", folder / ".installed"
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return program
    uv = Path(sys.executable).with_name("uv")
    install = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", folder / "bin" / "python", "-r", LOCK]
    for command in ([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], install):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"component schemathesis: {' '.join(map(str, command[:3]))} failed: {done.stderr[-300:]}")
    stamp.write_bytes(LOCK.read_bytes())
    return program


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A platform of its own: what is made up in an administrator's name may well suspend a server."""
    with up(tmp_path_factory.mktemp("victim") / "data") as running:
        yield running


@pytest.mark.parametrize("person", ["frank", "bob"])
def test_no_request_that_can_be_thought_of_is_answered_otherwise_than_documented(victim: Up, person: str) -> None:
    url = find_running(victim.data).registry_url
    command = [
        *(str(schemathesis()), "run", f"{url}/openapi.json", "--url", url, "--no-color"),
        *("--header", f"Authorization: Bearer {victim.token(person)}"),
        *("--exclude-path", STREAM, "--exclude-checks", NOT_ASKED),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "20261121"),
        *("--workers", "1", "--request-timeout", "20"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
