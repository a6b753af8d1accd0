"""The fixture `recorded_http`: what was recorded is played again, to any client, and holds no proof of the caller."""

import json
from pathlib import Path

import httpx2
import pytest

from pierhead.testing.recorded import recorded_system

pytest_plugins = ["pytester"]


def recording(folder: Path, *kept: dict[str, object]) -> Path:
    (folder / "recordings").mkdir(exist_ok=True)
    file = folder / "recordings" / "tickets.json"
    file.write_text(json.dumps(kept))
    return file


def test_what_was_recorded_is_played_again_without_the_system_and_without_its_proof(tmp_path: Path) -> None:
    real = recording(
        tmp_path,
        {"method": "GET", "target": "/tickets?page=1&q=a", "status": 200, "text": '{"tickets": ["OPS-17"]}'},
        {"method": "POST", "target": "/tickets", "body": "*", "status": 409, "type": "text/plain", "text": "taken"},
        {"method": "GET", "target": "/state", "status": 200, "text": '"busy"'},
        {"method": "GET", "target": "/state", "status": 200, "text": '"done"'},
    )
    copy = tmp_path / "copies" / "tickets.json"
    told: list[list[object]] = []
    with recorded_system(real) as system, recorded_system(copy, system.url) as recorder:
        told.append(asked(recorder.url))
    assert system.asked == recorder.asked
    with recorded_system(copy) as replay:
        told.append(asked(replay.url))
    assert told[0] == told[1] == [{"tickets": ["OPS-17"]}, 409, "busy", "done", "done"]
    assert "s3cret" not in copy.read_text()


def asked(url: str) -> list[object]:
    proof = {"authorization": "Bearer s3cret"}
    with httpx2.Client(base_url=url, headers=proof) as client:
        found: object = client.get("/tickets", params={"q": "a", "page": "1"}).json()
        refused = client.post("/tickets", json={"title": "disk full"}).status_code
        return [found, refused, *(client.get("/state").json() for _ in range(3))]


TEST = """
import httpx2

def test_tickets(recorded_http):
    answer = httpx2.get(recorded_http("tickets").url + "/%s")
    assert answer.status_code in (200, 501)
"""


@pytest.mark.parametrize(
    ("path", "is_there", "said"),
    [("tickets", True, ""), ("others", True, "nothing is recorded for GET /others"), ("tickets", False, "record it")],
)
def test_a_request_that_nobody_recorded_fails_its_test(
    pytester: pytest.Pytester, path: str, is_there: bool, said: str
) -> None:
    if is_there:
        recording(pytester.path, {"method": "GET", "target": "/tickets", "status": 200, "text": "[]"})
    pytester.makepyfile(TEST % path)
    done = pytester.runpytest("-p", "no:cacheprovider")
    assert (done.ret == 0) is (not said)
    assert said in str(done.stdout)
