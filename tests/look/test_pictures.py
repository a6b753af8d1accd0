"""The README's picture: the demo fleet as `pierhead up` starts it, after real calls. PIERHEAD_UPDATE_IMAGES=1 renews
it; without that it stays as it is, since a picture with the day's date in it is never the same twice.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.browsing import sign_in
from tests.components import ROOT
from tests.running_platform import Up, call_rows, eventually, up

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("PIERHEAD_UPDATE_IMAGES"), reason="only to renew the README's picture"),
]

DELAYS = """select a.name, round(avg(f.dep_delay), 1) as minutes from flights f join airlines a on a.carrier = f.carrier
where f.origin = 'JFK' group by 1 order by 2 desc"""
CALLS = (
    ("alice", "warehouse", "list_tables"),
    ("alice", "warehouse", "describe_table", "table=flights"),
    ("alice", "warehouse", "run_query", f"sql={DELAYS}"),
    ("alice", "warehouse", "run_query", "sql=select dest, count(*) as flights from flights group by 1 order by 2 desc"),
    ("alice", "warehouse", "run_query", "sql=select month, avg(visib) as miles from weather group by 1"),
    ("erin", "time", "get_current_time", "timezone=Asia/Tokyo"),
    ("alice", "time", "convert_time", "source_timezone=UTC", "time=09:30", "target_timezone=America/New_York"),
    ("bob", "warehouse", "list_tables"),
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("demo") / "data") as running:
        for person, *wanted in CALLS:
            said = running.run("call", *wanted, "--as", person)
            assert said.returncode == (6 if person == "bob" else 0), said.stderr
        with running.browsing("frank") as browser:
            eventually(lambda: _all_ended(call_rows(browser)), "every call is in the record with its end")
        yield running


def _all_ended(rows: list[dict[str, object]]) -> bool:
    return len(rows) >= len(CALLS) and not {row["outcome"] for row in rows} & {"running", "relayed"}


def test_the_picture_of_the_readme(browser: Browser, demo: Up) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 760}, color_scheme="light", device_scale_factor=2)
    page = context.new_page()
    sign_in(page, demo.url, "frank")
    page.goto(f"{demo.url}/audit")
    target = ROOT / "docs" / "images" / "audit.png"
    page.screenshot(path=target)
    context.close()

    assert target.stat().st_size > 0
