"""The official registry API: what it lists, to whom, in which form, and how it refuses."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.official_shapes import ALL_VERSIONS, ERROR, LIST, RESPONSE, check
from tests.official_site import NAMESPACE, VERSIONS, Listed, World, many, policy, rows, world
from tests.web_site import NOW, PUBLIC_URL

from pierhead.core import scope as scopes
from pierhead.core.catalog import DataClass, Stage
from pierhead.core.definitions import ChangeClass
from pierhead.core.reach import EVERY, Row
from pierhead.core.review import Binding, Gate, Review, SignOff, Verdict
from pierhead.core.rule import parse_who

pytestmark = pytest.mark.anyio

OFFICIAL = "io.modelcontextprotocol.registry/official"
OURS = f"{NAMESPACE}/registry"


@pytest.fixture
def made() -> World:
    return world()


@pytest.fixture
async def http(made: World) -> AsyncIterator[httpx2.AsyncClient]:
    async with made.client() as client:
        yield client


async def listed(http: httpx2.AsyncClient, path: str = "/v0.1/servers", **query: str) -> Any:
    answer = await http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    check(LIST, answer.json())
    return answer.json()


def names(page: Any) -> list[str]:
    return [f"{each['server']['name']} {each['server']['version']}" for each in page["servers"]]


async def refused(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    check(ERROR, answer.json())
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["error"])


# what is listed


async def test_everyone_reads_what_everyone_may_reach_and_nothing_else(http: httpx2.AsyncClient) -> None:
    page = await listed(http)
    assert names(page) == [
        "com.example/airflow 0.8.0",
        "com.example/time 2.0.0-rc.1",
        "com.example/time 1.10.0",
        "com.example/time 1.2.0",
    ]
    assert page["metadata"] == {"count": 4}


async def test_a_hosted_server_has_one_remote_which_is_the_gateway(http: httpx2.AsyncClient) -> None:
    for each in (await listed(http, version="latest"))["servers"]:
        slug = each["server"]["name"].partition("/")[2]
        assert each["server"]["remotes"] == [{"type": "streamable-http", "url": f"{PUBLIC_URL}/mcp/{slug}"}]
        assert each["server"].keys() <= {"$schema", "name", "title", "description", "version", "remotes"}


async def test_everyone_reads_the_digests_that_were_signed(made: World) -> None:
    async with made.client() as http:
        one = (await http.get("/v0.1/servers/com.example%2Ftime/versions/latest")).json()
        listed_one = (await listed(http, search="time", version="latest"))["servers"][0]
    (signed,) = [each for each in await made.catalogue.versions("time") if each.version == "1.10.0"]
    expected = {
        "tools": f"sha256:{signed.binding.tools_digest}",
        "entry": f"sha256:{signed.binding.manifest_digest}",
    }
    assert one["_meta"]["com.example/integrity"] == listed_one["_meta"]["com.example/integrity"] == expected


async def test_nothing_of_owner_tools_or_risk_is_told_to_strangers(http: httpx2.AsyncClient) -> None:
    text = (await http.get("/v0.1/servers?include_deleted=true")).text
    for word in ("data-platform", "-help", "look", "because", "strangers", OURS, "127.0.0.1:1"):
        assert word not in text


async def test_the_latest_is_the_highest_release_that_is_deployed(http: httpx2.AsyncClient) -> None:
    page = await listed(http, "/v0.1/servers/com.example%2Ftime/versions", include_deleted="true")
    latest = [each["server"]["version"] for each in page["servers"] if each["_meta"][OFFICIAL]["isLatest"]]
    assert latest == ["1.10.0"]
    assert names(page)[-1] == "com.example/time 1.0.0"
    one = (await http.get("/v0.1/servers/com.example%2Ftime/versions/latest")).json()
    check(RESPONSE, one)
    assert one["server"]["version"] == "1.10.0"


async def test_a_prerelease_is_the_latest_only_where_no_release_is_deployed() -> None:
    made = world([Listed("time", "2.0.0-rc.1", Stage.DEPLOYED), Listed("time", "2.0.0-rc.10", Stage.DEPLOYED)])
    async with made.client() as http:
        assert names(await listed(http, version="latest")) == ["com.example/time 2.0.0-rc.10"]


async def test_a_deprecation_says_what_to_use_and_until_when(http: httpx2.AsyncClient) -> None:
    one = (await http.get("/v0.1/servers/com.example%2Fairflow/versions/latest")).json()["_meta"][OFFICIAL]
    assert one["status"] == "deprecated"
    assert one["statusMessage"].startswith("slow; use pipelines; ends on 20")


async def test_what_was_withdrawn_is_listed_as_deleted_to_whoever_asks(http: httpx2.AsyncClient) -> None:
    page = await listed(http, include_deleted="true")
    deleted = {name for name, each in zip(names(page), page["servers"], strict=True) if _status(each) == "deleted"}
    assert deleted == {"com.example/knowledge 1.0.0", "com.example/time 1.0.0"}
    assert (await http.get("/v0.1/servers/com.example%2Fknowledge/versions/latest")).status_code == 404
    told = await http.get("/v0.1/servers/com.example%2Fknowledge/versions/1.0.0?include_deleted=true")
    assert told.json()["_meta"][OFFICIAL]["statusMessage"] == "quarantined by security; calls are refused"


async def test_a_version_that_was_retired_before_anybody_saw_it_is_never_told_of(http: httpx2.AsyncClient) -> None:
    page = await listed(http, include_deleted="true", version="0.9.0")
    assert page["servers"] == []


async def test_of_a_server_that_takes_no_calls_nothing_is_listed_as_if_it_did() -> None:
    made = world([*VERSIONS, Listed("knowledge", "0.9.0", Stage.DEPLOYED)])
    async with made.client() as http:
        page = await listed(http, search="knowledge", include_deleted="true")
        assert names(page) == ["com.example/knowledge 1.0.0"]
        own = await http.get("/r/me/v0.1/servers?search=knowledge", headers=await made.token("alice"))
        assert own.json()["servers"] == []


async def test_what_reviewers_kept_from_everyone_is_kept_from_them_when_it_is_gone() -> None:
    made = world()
    kept = made.catalogue.kept_versions["knowledge", "1.0.0"]
    made.catalogue.kept_versions["knowledge", "1.0.0"] = replace(kept, conditions=("access: group:data-eng",))
    path = "/v0.1/servers/com.example%2Fknowledge/versions/1.0.0?include_deleted=true"
    async with made.client() as http:
        await refused(await http.get(path), 404)
        for person, status in (("alice", 200), ("bob", 404)):
            assert (await http.get(f"/r/me{path}", headers=await made.token(person))).status_code == status


async def test_what_is_gone_and_cannot_be_read_any_longer_is_told_to_nobody() -> None:
    made = world()
    kept = made.catalogue.kept_versions["knowledge", "1.0.0"]
    made.catalogue.kept_versions["knowledge", "1.0.0"] = replace(kept, document={"description": "no kind"})
    async with made.client() as http:
        assert (await listed(http, include_deleted="true", search="knowledge"))["servers"] == []


async def test_a_long_description_is_cut_after_a_word() -> None:
    made = world()
    async with made.client() as http:
        answer = await http.get(
            "/r/me/v0.1/servers/com.example%2Fwarehouse/versions/latest", headers=await made.token("alice")
        )
    text = answer.json()["server"]["description"]
    assert len(text) <= 100
    assert text.endswith("for all who plan a trip, and for…")


async def test_a_confidential_server_is_not_shown_without_sign_in_whoever_may_reach_it() -> None:
    made = world(highest=DataClass.PUBLIC)
    async with made.client() as http:
        assert {name.partition(" ")[0] for name in names(await listed(http))} == {"com.example/time"}


async def test_a_bad_item_is_left_out_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    made = world([*VERSIONS, Listed("time", "latest", Stage.DEPLOYED), Listed("time", "^1.2", Stage.DEPLOYED)])
    async with made.client() as http:
        assert len((await listed(http))["servers"]) == 4
        made.change(Listed("time", "1.11.0", Stage.DEPLOYED))
        assert len((await listed(http))["servers"]) == 5
    said = [record.message for record in caplog.records]
    assert sorted(text.partition(":")[0] for text in said) == [
        "time ^1.2 is not listed at /v0.1",
        "time latest is not listed at /v0.1",
    ]
    counted = CollectorRegistry(auto_describe=False)
    counted.register(made.official.listings)
    assert b"pierhead_registry_items_dropped_total 2.0" in generate_latest(counted)


async def test_a_change_is_seen_at_once_with_its_policy_and_within_a_second_without(made: World) -> None:
    async with made.client() as http:
        assert "com.example/airflow 0.8.0" in names(await listed(http))
        made.move_policy([], [])
        assert names(await listed(http)) == []
        made.move_policy([policy("time", "", Stage.DEPLOYED, DataClass.PUBLIC, "1.10.0")], rows())
        assert names(await listed(http, version="latest")) == ["com.example/time 1.10.0"]
        made.change(Listed("time", "1.12.0", Stage.DEPLOYED, 1))
        assert names(await listed(http, version="latest")) == ["com.example/time 1.12.0"]


# filters, limits, cursors


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "TIME"}, {"time"}),
        ({"search": "pipelines"}, {"airflow"}),
        ({"search": "presto"}, set[str]()),
        ({"version": "0.8.0"}, {"airflow"}),
        ({"version": "latest"}, {"airflow", "time"}),
        ({"updated_since": "2000-01-01T00:00:00Z"}, {"airflow", "time", "knowledge"}),
        ({"updated_since": "2100-01-01T00:00:00+02:00"}, set[str]()),
        ({"unknown": "member"}, {"airflow", "time"}),
    ],
)
async def test_filters_narrow(http: httpx2.AsyncClient, query: dict[str, str], expected: set[str]) -> None:
    page = await listed(http, **query)
    assert {each["server"]["name"].partition("/")[2] for each in page["servers"]} == expected


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=-1", "limit=many", "limit=1.5", "limit=%C2%B2", "include_deleted=perhaps"),
        *("updated_since=yesterday", "updated_since=2026-11-21", "updated_since=2026-11-21T10:00:00"),
        *("cursor=abc", "cursor=1.abc.def", "limit=1&limit=2", f"search={'x' * 300}"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    await refused(await http.get(f"/v0.1/servers?{query}"), 400)


@pytest.mark.parametrize(("limit", "count"), [("", 30), ("1", 1), ("100", 100), ("101", 100), ("9999999", 100)])
async def test_a_page_has_at_most_its_limit(limit: str, count: int) -> None:
    made = _crowd(120)
    async with made.client() as http:
        page = await listed(http, **({"limit": limit} if limit else {}))
        assert page["metadata"]["count"] == len(page["servers"]) == count


async def test_pages_follow_each_other_without_gap_or_repeat_under_the_first_ones_filters() -> None:
    made = _crowd(57)
    async with made.client() as http:
        page = await listed(http, limit="10", search="server-00", version="latest")
        found = names(page)
        while cursor := page["metadata"].get("nextCursor"):
            page = await listed(http, limit="10", cursor=cursor, search="nothing of the kind")
            found += names(page)
    assert found == sorted(set(found))
    assert len(found) == 57


async def test_the_last_page_has_no_cursor_even_if_it_is_full() -> None:
    made = _crowd(20)
    async with made.client() as http:
        page = await listed(http, limit="10")
        page = await listed(http, limit="10", cursor=page["metadata"]["nextCursor"])
        assert page["metadata"] == {"count": 10}


async def test_a_cursor_is_good_for_its_own_view_alone(made: World) -> None:
    async with made.client() as http:
        cursor = (await listed(http, limit="1"))["metadata"]["nextCursor"]
        await refused(await http.get(f"/r/ads/v0.1/servers?cursor={cursor}"), 400)
        alice, bob = await made.token("alice"), await made.token("bob")
        own = (await http.get("/r/me/v0.1/servers?limit=1", headers=alice)).json()["metadata"]["nextCursor"]
        await refused(await http.get(f"/r/me/v0.1/servers?cursor={own}", headers=bob), 400)
        assert (await http.get(f"/r/me/v0.1/servers?cursor={own}", headers=alice)).status_code == 200


async def test_a_cursor_that_was_touched_anywhere_is_refused(http: httpx2.AsyncClient) -> None:
    cursor = str((await listed(http, limit="1"))["metadata"]["nextCursor"])
    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        await refused(await http.get(f"/v0.1/servers?cursor={cursor[:place]}{other}{cursor[place + 1 :]}"), 400)
    await refused(await http.get(f"/v0.1/servers?cursor={cursor}="), 400)
    await refused(await http.get("/v0.1/servers?cursor=1..%20"), 400)


# addresses


@pytest.mark.parametrize(
    "path",
    ["//v0.1/servers", "/v0.1/servers/", "/v0.1//servers", "///v0.1/servers?limit=30"],
)
async def test_slashes_too_many_change_nothing(http: httpx2.AsyncClient, path: str) -> None:
    plain, other = await http.get("/v0.1/servers"), await http.get(PUBLIC_URL + path)
    assert (other.status_code, other.content) == (200, plain.content)


@pytest.mark.parametrize("name", ["com.example%2Ftime", "com.example%2ftime", "com.example/time"])
async def test_a_name_comes_escaped_or_plain(http: httpx2.AsyncClient, name: str) -> None:
    one = await http.get(f"{PUBLIC_URL}/v0.1/servers/{name}/versions/1.2.0")
    assert one.json()["server"]["version"] == "1.2.0"


@pytest.mark.parametrize("version", ["1.4.0%2Bbuild.7", "1.4.0+build.7", "latest"])
async def test_a_version_may_have_a_plus(made: World, version: str) -> None:
    async with made.client() as http:
        one = await http.get(f"{PUBLIC_URL}/r/ads/v0.1/servers/com.example%2Fpresto/versions/{version}")
        assert one.json()["server"]["version"] == "1.4.0+build.7"


@pytest.mark.parametrize(
    "path",
    [
        "/v0.1",
        "/v0.1/server",
        "/v0/servers",
        "/v0.1/servers/time/versions",
        "/v0.1/servers/com.other%2Ftime/versions",
        "/v0.1/servers/com.example%2Fpresto/versions",
        "/v0.1/servers/com.example%2Fspark/versions/latest",
        "/v0.1/servers/com.example%2Ftime/versions/9.9.9",
        "/v0.1/servers/com.example%2F..%2Ftime/versions/latest",
        "/r/nobody/v0.1/servers",
        "/r/office/v0.1/servers",
    ],
)
async def test_what_is_not_there_and_what_is_not_yours_read_alike(http: httpx2.AsyncClient, path: str) -> None:
    answer = await http.get(PUBLIC_URL + path)
    if path.startswith("/v0/"):
        assert answer.status_code == 404
    else:
        await refused(answer, 404)


async def test_the_older_address_answers_only_where_the_setting_says_so() -> None:
    made = world(has_alias=True)
    async with made.client() as http:
        assert (await http.get("/v0/servers")).content == (await http.get("/v0.1/servers")).content
        assert (await http.get("/v0/servers/com.example%2Ftime/versions/latest")).status_code == 200


async def test_head_and_options_answer_without_a_body(http: httpx2.AsyncClient) -> None:
    got, head = await http.get("/v0.1/servers"), await http.head("/v0.1/servers")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", got.headers["etag"])
    assert head.headers["content-length"] == str(len(got.content))
    asked = await http.options("/v0.1/servers", headers={"origin": "https://any.example"})
    assert (asked.status_code, asked.content) == (204, b"")
    assert asked.headers["access-control-allow-methods"] == "GET, OPTIONS"
    assert asked.headers["access-control-allow-headers"] == "Authorization, Content-Type"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_versions_are_immutable(http: httpx2.AsyncClient, method: str) -> None:
    answer = await http.request(method, f"{PUBLIC_URL}/v0.1/servers/com.example%2Ftime/versions/1.2.0")
    await refused(answer, 501)


async def test_another_method_is_refused_and_told_which_there_are(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v0.1/servers", json={})
    await refused(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_what_nobody_thought_of_is_still_readable_for_a_browser(made: World) -> None:
    made.catalogue.kept_versions["time", "1.2.0"] = None  # type: ignore[assignment] - a broken catalogue
    async with made.client() as http:
        assert "internal error" in await refused(await http.get("/v0.1/servers"), 500)


# caching, and pages of other origins


async def test_what_has_not_changed_is_not_sent_again(made: World) -> None:
    async with made.client() as http:
        first = await http.get("/v0.1/servers")
        assert first.headers["cache-control"] == "public, max-age=60"
        for tag in (first.headers["etag"], f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
            again = await http.get("/v0.1/servers", headers={"if-none-match": tag})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["access-control-allow-origin"] == "*"
        made.change(Listed("time", "1.12.0", Stage.DEPLOYED, 1))
        changed = await http.get("/v0.1/servers", headers={"if-none-match": first.headers["etag"]})
        assert changed.status_code == 200


async def test_a_token_makes_no_difference_to_an_anonymous_list(made: World) -> None:
    async with made.client() as http:
        plain = await http.get("/v0.1/servers")
        for header in (await made.token("alice"), {"authorization": "Bearer nonsense"}):
            assert (await http.get("/v0.1/servers", headers=header)).content == plain.content
    assert made.site.facts() == ["token-issued"]


# audiences


async def test_a_view_shows_what_its_audience_may_reach(http: httpx2.AsyncClient) -> None:
    shown = {name.split("/")[1].split(" ")[0] for name in names(await listed(http, "/r/ads/v0.1/servers"))}
    assert shown == {"airflow", "presto", "time"}
    few = {name.split("/")[1].split(" ")[0] for name in names(await listed(http, "/r/few/v0.1/servers"))}
    assert few == {"presto"}


@pytest.mark.parametrize(
    ("address", "told", "status"),
    [
        ("10.20.1.2", None, 200),
        ("10.21.1.2", None, 404),
        ("127.0.0.1", "10.20.255.255", 200),
        ("10.20.1.2", "192.168.0.1", 404),
        ("10.20.1.2", "unknown", 404),
        ("10.20.1.2", "", 404),
    ],
)
async def test_a_view_of_a_network_is_for_those_who_come_from_there(
    made: World, address: str, told: str | None, status: int
) -> None:
    async with made.client(address) as http:
        headers = {} if told is None else {"pierhead-client": told}
        answer = await http.get("/r/office/v0.1/servers", headers=headers)
        assert answer.status_code == status, answer.text


async def test_a_row_for_another_surface_or_environment_grants_nothing_here(made: World) -> None:
    server = policy("time", "", Stage.DEPLOYED, DataClass.PUBLIC, "1.10.0")
    for row in (
        Row("time", parse_who("everyone"), frozenset({"slack"}), EVERY, EVERY),
        Row("time", parse_who("everyone"), EVERY, frozenset({"production"}), EVERY),
        Row("time", parse_who("nobody"), EVERY, EVERY, EVERY),
        Row("time", parse_who("group:ads or user:alice"), EVERY, EVERY, EVERY),
    ):
        made.move_policy([server], [row])
        async with made.client() as http:
            assert (await listed(http))["servers"] == []


# a person's own view


async def test_without_a_token_a_personal_view_says_where_to_get_one(made: World) -> None:
    async with made.client() as http:
        answer = await http.get("/r/me/v0.1/servers")
        await refused(answer, 401)
        place = f"{PUBLIC_URL}/.well-known/oauth-protected-resource/r/me"
        expected = f'Bearer realm="MCP Registry", scope="registry:read", resource_metadata="{place}"'
        assert answer.headers["www-authenticate"] == expected
        metadata = (await http.get(place)).json()
        assert metadata["resource"] == f"{PUBLIC_URL}/r/me"
        for header in (await made.token("alice", f"{PUBLIC_URL}/api/v1"), {"authorization": "Basic x"}):
            wrong = await http.get("/r/me/v0.1/servers", headers=header)
            await refused(wrong, 401)
            assert wrong.headers["www-authenticate"].endswith('error="invalid_token"')
    assert "sign-in-failed" in made.site.facts()


async def test_a_person_reads_what_they_may_reach_with_the_record_of_it(made: World) -> None:
    async with made.client() as http:
        answer = await http.get("/r/me/v0.1/servers?version=latest", headers=await made.token("alice"))
        check(LIST, answer.json())
        assert answer.headers["cache-control"] == "private"
        assert answer.headers["vary"] == "Authorization"
        found = {each["server"]["name"].partition("/")[2]: each["_meta"][OURS] for each in answer.json()["servers"]}
        assert found.keys() == {"airflow", "time", "warehouse"}
        warehouse = found["warehouse"]
        assert (warehouse["owner"], warehouse["support"]) == ("data-platform", "#warehouse-help")
        assert (warehouse["dataClass"], warehouse["highestEffect"]) == ("internal", "write")
        assert warehouse["egress"] == ["api.weather.example"]
        assert [tool["name"] for tool in warehouse["tools"]] == ["look", "change"]
        assert warehouse["tokenWeight"] == sum(tool["tokenWeight"] for tool in warehouse["tools"])
        assert all(len(tool["digest"]) == 64 and tool["policy"] for tool in warehouse["tools"])
        assert not {"conditions", "message", "successor", "sunsetAt"} & warehouse.keys(), "nobody said any"
        assert "inputSchema" not in warehouse["tools"][0]
        path = "/r/me/v0.1/servers/com.example%2Fwarehouse/versions/latest"
        one = (await http.get(path, headers=await made.token("alice"))).json()["_meta"][OURS]
        assert one["tools"][0]["inputSchema"]["type"] == "object"
        bobs = (await http.get("/r/me/v0.1/servers?search=time&version=latest", headers=await made.token("bob"))).json()
        (time,) = bobs["servers"]
        assert [tool["name"] for tool in time["_meta"][OURS]["tools"]] == ["look"]


async def test_the_record_of_one_version_has_its_review_its_health_and_its_use(made: World) -> None:
    binding = Binding("warehouse", "1.4.0", "0" * 64, "0" * 64, "0" * 64)
    signed = SignOff(
        Gate.SECURITY, Verdict.APPROVE_WITH_CONDITIONS, "carol", NOW, "ok", ("surfaces: ide",), (), NOW + 9
    )
    made.catalogue.kept_reviews["r1"] = Review(
        id="r1",
        binding=binding,
        change=ChangeClass.FIRST,
        submitted_by="alice",
        submitted_at=NOW - 60,
        required=frozenset({Gate.SECURITY, Gate.LEGAL}),
        due_at=((Gate.LEGAL, NOW + 60), (Gate.SECURITY, NOW + 60)),
        sign_offs=(signed,),
        comments=(),
        closed_at=None,
        lock=1,
    )
    async with made.client() as http:
        headers = await made.token("alice")
        path = "/r/me/v0.1/servers/com.example%2Fwarehouse/versions/latest"
        answer = (await http.get(path, headers=headers)).json()
        check(RESPONSE, answer)
        told = answer["_meta"][OURS]
        listed = (await http.get("/r/me/v0.1/servers?search=warehouse", headers=headers)).json()["servers"]
        nothing = "/r/me/v0.1/servers/com.example%2Fairflow/versions/latest"
        other = (await http.get(nothing, headers=headers)).json()["_meta"][OURS]
    security, legal, genai = told["review"]["gates"]
    assert (security["state"], security["conditions"]) == ("approved-with-conditions", ["surfaces: ide"])
    assert security["expiresAt"]
    assert (legal["state"], "expiresAt" in legal, genai["state"]) == ("pending", False, "not-required")
    assert legal["dueAt"]
    assert told["use"]["calls"] >= told["use"]["succeeded"] > 0
    assert told["use"]["people"] >= 1
    assert told["use"]["minutesLow"] < told["use"]["minutesSaved"] < told["use"]["minutesHigh"]
    assert (told["use"]["coverage"], told["use"]["expired"]) == (1, 0)
    assert told["tools"][0]["minutesSaved"]["validUntil"]
    assert (told["cost"]["tokensACall"], told["cost"]["definitionTokens"]) == (1_000, told["tokenWeight"])
    assert "currency" not in told["cost"]
    assert told["use"]["lastCallAt"]
    assert told["operation"]["protocolRevisions"][:2] == ["2026-07-28", "2025-11-25"]
    assert told["health"]["condition"] == "up"
    assert told["integrity"]["checkedAt"]
    assert told["integrity"]["isAsSigned"] in {True, False}
    assert "review" not in other
    assert not {"use", "health", "review"} & listed[0]["_meta"][OURS].keys(), "lists stay short"


async def test_a_personal_view_says_why_something_was_withdrawn(made: World) -> None:
    async with made.client() as http:
        path = "/r/me/v0.1/servers/com.example%2Fknowledge/versions/1.0.0?include_deleted=true"
        told = (await http.get(path, headers=await made.token("alice"))).json()["_meta"][OURS]
    assert told["reason"] == "it tells the models of strangers what to do"
    assert told["tools"] == []


async def test_data_class_limits_no_personal_view() -> None:
    made = world(highest=DataClass.PUBLIC)
    server = replace(policy("time", "", Stage.DEPLOYED, DataClass.RESTRICTED, "1.10.0"))
    made.move_policy([server], rows())
    async with made.client() as http:
        assert (await listed(http))["servers"] == []
        personal = (await http.get("/r/me/v0.1/servers?search=time", headers=await made.token("bob"))).json()
        assert len(personal["servers"]) == 3


def _status(each: Any) -> str:
    return str(each["_meta"][OFFICIAL]["status"])


def _crowd(count: int) -> World:
    versions, servers, its_rows = many(count)
    made = world(versions)
    made.move_policy(servers, its_rows)
    return made


# what owners change


TIME = "/v0.1/servers/com.example%2Ftime"


async def patched(made: World, person: str, path: str, **update: object) -> httpx2.Response:
    async with made.client() as http:
        return await http.patch(PUBLIC_URL + path, json=update, headers=await made.token(person))


async def test_an_owner_deprecates_withdraws_and_brings_back_one_version(made: World) -> None:
    path = f"{TIME}/versions/1.2.0/status"
    for status, message, stage in (
        ("deprecated", "use 1.10.0", Stage.DEPRECATED),
        ("deleted", "broken", Stage.SUSPENDED),
        ("active", "", Stage.DEPLOYED),
    ):
        answer = await patched(made, "alice", path, status=status, statusMessage=message)
        assert answer.status_code == 200, answer.text
        check(RESPONSE, answer.json())
        official = answer.json()["_meta"][OFFICIAL]
        assert official["status"] == status
        assert made.catalogue.kept_versions["time", "1.2.0"].stage is stage
        assert answer.headers["cache-control"] == "no-store"
    moves = [move for move in made.catalogue.kept_moves if move.by == "alice" and move.version == "1.2.0"]
    assert [(move.step, move.reason) for move in moves] == [
        ("deprecate", "use 1.10.0"),
        ("suspend", "broken"),
        ("resume", "status set to active through the registry API"),
    ]
    moved = [fact for fact in made.catalogue.facts if fact.kind == "server-moved"]
    assert len(moved) == 3


async def test_a_deprecation_shows_its_message_to_everyone(made: World) -> None:
    await patched(made, "alice", f"{TIME}/versions/1.10.0/status", status="deprecated", statusMessage="use another")
    async with made.client() as http:
        one = (await http.get(f"{TIME}/versions/1.10.0")).json()["_meta"][OFFICIAL]
    assert (one["status"], one["statusMessage"]) == ("deprecated", "use another")


async def test_all_versions_move_together_or_none_does(made: World) -> None:
    answer = await patched(made, "alice", f"{TIME}/status", status="deleted")
    check(ALL_VERSIONS, answer.json())
    assert answer.json()["updatedCount"] == 3
    stages = {name: version.stage for (server, name), version in _versions(made).items() if server == "time"}
    assert {stages[name] for name in ("1.2.0", "1.10.0", "2.0.0-rc.1")} == {Stage.SUSPENDED}
    assert (stages["1.0.0"], stages["3.0.0"]) == (Stage.RETIRED, Stage.IN_REVIEW)
    made.change(Listed("time", "1.2.0", Stage.DEPRECATED))
    await refused(await patched(made, "alice", f"{TIME}/status", status="active"), 400)
    assert made.catalogue.kept_versions["time", "1.10.0"].stage is Stage.SUSPENDED


@pytest.mark.parametrize(
    ("person", "path", "status", "expected"),
    [
        ("alice", f"{TIME}/versions/1.2.0/status", "active", 400),
        ("alice", f"{TIME}/versions/1.0.0/status", "active", 400),
        ("alice", f"{TIME}/versions/1.2.0/status", "gone", 400),
        ("alice", f"{TIME}/versions/3.0.0/status", "active", 404),
        ("alice", f"{TIME}/versions/9.9.9/status", "active", 404),
        ("alice", "/v0.1/servers/com.other%2Ftime/status", "deleted", 404),
        ("alice", "/v0.1/servers/com.example%2Fnothing/status", "deleted", 404),
        ("alice", "/v0.1/servers/com.example%2Fknowledge/versions/1.0.0/status", "active", 403),
        ("bob", f"{TIME}/versions/1.2.0/status", "deleted", 403),
        ("bob", "/v0.1/servers/com.example%2Fwarehouse/status", "deleted", 404),
        ("carol", "/v0.1/servers/com.example%2Fknowledge/versions/1.0.0/status", "active", 200),
    ],
)
async def test_a_status_that_may_not_be_set_says_why(
    made: World, person: str, path: str, status: str, expected: int
) -> None:
    before = dict(_versions(made))
    answer = await patched(made, person, path, status=status)
    if expected == 200:
        assert answer.status_code == 200, answer.text
    else:
        await refused(answer, expected)
        assert _versions(made) == before


async def test_changing_anything_asks_for_a_token_that_may_write(made: World) -> None:
    async with made.client() as http:
        for method, path in (
            ("PATCH", f"{TIME}/status"),
            ("POST", "/v0.1/publish"),
            ("PATCH", f"{TIME}/versions/1/status"),
        ):
            answer = await http.request(method, path, json={"status": "deleted"})
            await refused(answer, 401)
            assert 'scope="registry:read registry:write"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("person", "scope", "path", "expected", "needed"),
    [
        ("alice", "", f"{TIME}/versions/1.2.0/status", 403, "registry:read registry:write"),
        ("alice", "openid mcp", f"{TIME}/versions/1.2.0/status", 403, "registry:read registry:write"),
        ("alice", scopes.READ, f"{TIME}/versions/1.2.0/status", 403, "registry:read registry:write"),
        ("alice", scopes.WRITE, f"{TIME}/versions/1.2.0/status", 200, ""),
        ("frank", scopes.WRITE, f"{TIME}/versions/1.2.0/status", 403, scopes.EVERY),
        ("frank", scopes.ADMIN, f"{TIME}/versions/1.2.0/status", 200, ""),
        ("carol", scopes.WRITE, "/v0.1/servers/com.example%2Fknowledge/versions/1.0.0/status", 403, scopes.EVERY),
        ("carol", scopes.ADMIN, "/v0.1/servers/com.example%2Fknowledge/versions/1.0.0/status", 200, ""),
        ("bob", scopes.ADMIN, f"{TIME}/versions/1.2.0/status", 403, ""),
        ("bob", scopes.READ, "/v0.1/servers/com.example%2Fwarehouse/status", 403, "registry:read registry:write"),
        ("bob", scopes.READ, "/v0.1/servers/com.example%2Fnothing/status", 403, "registry:read registry:write"),
        ("bob", scopes.ADMIN, "/v0.1/servers/com.example%2Fwarehouse/status", 404, ""),
    ],
)
async def test_a_token_does_no_more_than_its_scopes_say(
    made: World, person: str, scope: str, path: str, expected: int, needed: str
) -> None:
    status = "active" if "knowledge" in path else "deprecated"
    before = dict(_versions(made))
    async with made.client() as http:
        headers = await made.token(person, scope=scope)
        answer = await http.patch(PUBLIC_URL + path, json={"status": status}, headers=headers)
    if expected == 200:
        assert answer.status_code == 200, answer.text
        return
    await refused(answer, expected)
    assert _versions(made) == before
    if needed:
        place = f"{PUBLIC_URL}/.well-known/oauth-protected-resource/r/me"
        way = f'Bearer realm="MCP Registry", scope="{needed}", resource_metadata="{place}", error="insufficient_scope"'
        assert answer.headers["www-authenticate"] == way
        assert needed in answer.json()["error"]


async def test_every_token_of_this_audience_reads(made: World) -> None:
    async with made.client() as http:
        for scope in ("", scopes.READ, scopes.WRITE, "mcp"):
            headers = await made.token("alice", scope=scope)
            assert (await http.get("/r/me/v0.1/servers", headers=headers)).status_code == 200
            asked = "/v0.1/x/com.example/can-use?server=warehouse"
            assert (await http.get(asked, headers=headers)).status_code == 200


async def test_the_way_to_a_token_names_the_least_that_is_needed(made: World) -> None:
    async with made.client() as http:
        found = (await http.get("/.well-known/oauth-protected-resource/r/me")).json()
        assert found["scopes_supported"] == [scopes.READ]
        issuer = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert issuer["scopes_supported"] == [*scopes.LEVELS, "mcp", "mcp.read", "mcp.write"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"status":"deleted","status":"active"}', b'{"status":1}', b"{}"])
async def test_a_body_that_two_parsers_could_read_differently_is_refused(made: World, body: bytes) -> None:
    async with made.client() as http:
        answer = await http.patch(f"{TIME}/status", content=body, headers=await made.token("alice"))
        await refused(answer, 400)


DETAIL = {
    "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
    "name": "com.example/clock",
    "description": "A clock, from elsewhere.",
    "title": "Clock",
    "version": "1.2.3",
    "packages": [
        {
            "registryType": "pypi",
            "identifier": "mcp-clock",
            "version": "1.2.3",
            "transport": {"type": "stdio"},
        }
    ],
    "_meta": {OURS: {"owner": "web", "support": "#web", "access": {"groups": ["ads"]}}},
}


async def published(made: World, person: str, detail: object) -> httpx2.Response:
    async with made.client() as http:
        return await http.post("/v0.1/publish", json=detail, headers=await made.token(person))


async def test_a_published_server_is_registered_and_cannot_be_called_by_that_alone(made: World) -> None:
    answer = await published(made, "bob", DETAIL)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["server"]["name"] == "com.example/clock"
    assert told["server"]["remotes"] == [{"type": "streamable-http", "url": f"{PUBLIC_URL}/mcp/clock"}]
    assert told["_meta"][OURS]["stage"] == "registered"
    entry = made.catalogue.kept_entries["clock"]
    assert (entry.by, entry.document["owner"], entry.document["kind"]) == ("bob", "web", "stdio")
    assert entry.current == ""
    async with made.client() as http:
        await refused(await http.get("/r/ads/v0.1/servers/com.example%2Fclock/versions/latest"), 404)


@pytest.mark.parametrize(
    ("changed", "expected", "said"),
    [
        ({"name": "io.github.somebody/clock"}, 403, "names here begin with com.example/"),
        ({"_meta": {}}, 400, "does not say who owns"),
        ({"_meta": {OURS: {"owner": "web", "support": "#web", "kind": "sql"}}}, 400, "kind"),
        ({"packages": [], "remotes": []}, 400, "no remote and no package"),
        ({"version": ""}, 400, "version"),
        ({"$schema": "https://elsewhere.example/schema.json"}, 400, "$schema"),
        ({"packages": [{**DETAIL["packages"][0], "version": "9.9.9"}]}, 400, "not in registry.allowed_commands"),  # type: ignore[index,dict-item]
    ],
)
async def test_what_cannot_be_published_says_what_to_change(
    made: World, changed: dict[str, Any], expected: int, said: str
) -> None:
    answer = await published(made, "bob", {**DETAIL, **changed})
    assert said in await refused(answer, expected)
    assert "clock" not in made.catalogue.kept_entries


async def test_publishing_asks_for_a_token_that_may(made: World) -> None:
    async with made.client() as http:
        for scope in ("", scopes.READ):
            headers = await made.token("bob", scope=scope)
            await refused(await http.post("/v0.1/publish", json=DETAIL, headers=headers), 403)
        assert "clock" not in made.catalogue.kept_entries
        headers = await made.token("bob", scope=scopes.WRITE)
        assert (await http.post("/v0.1/publish", json=DETAIL, headers=headers)).status_code == 200
        changed = {**DETAIL, "title": "Another"}
        headers = await made.token("frank", scope=scopes.WRITE)
        assert scopes.EVERY in await refused(await http.post("/v0.1/publish", json=changed, headers=headers), 403)
        headers = await made.token("frank", scope=scopes.ADMIN)
        assert (await http.post("/v0.1/publish", json=changed, headers=headers)).status_code == 200


async def test_publishing_over_the_server_of_others_is_refused(made: World) -> None:
    assert (await published(made, "bob", DETAIL)).status_code == 200
    assert "owner" in await refused(await published(made, "alice", {**DETAIL, "title": "Mine"}), 403)


# may I?


@pytest.mark.parametrize(
    ("person", "query", "decision"),
    [
        ("alice", "server=warehouse", "permit"),
        ("alice", "server=com.example/warehouse&tool=look", "permit"),
        ("alice", "server=warehouse&tool=change", "approval"),
        ("bob", "server=warehouse", "refuse"),
        ("bob", "server=time&tool=change", None),
        ("bob", "server=nothing", None),
        ("bob", "server=com.other/time", None),
        ("bob", "server=knowledge", None),
    ],
)
async def test_may_i_use_it_is_answered_as_a_call_would_be(
    made: World, person: str, query: str, decision: str | None
) -> None:
    async with made.client() as http:
        answer = await http.get(f"/v0.1/x/com.example/can-use?{query}", headers=await made.token(person))
        if decision is None:
            await refused(answer, 404)
        else:
            assert answer.json()["decision"] == decision
            assert answer.headers["cache-control"] == "no-store"
        await refused(await http.get(f"/v0.1/x/com.other/can-use?{query}", headers=await made.token(person)), 404)
        await refused(await http.get(f"/v0.1/x/com.example/can-use?{query}"), 401)


def _versions(made: World) -> Any:
    return made.catalogue.kept_versions
