"""A standalone master: what runs there, ending it, and starting a driver anew through its submission server.

The page that ends applications takes the token that it shows, since Spark 4.3. Fills `Manager`, the port that managers
of other kinds (YARN, Kubernetes) would fill. Not here: who may, and what is asked before (`acting`).
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

import httpx2

from pierhead.sdk import ToolFailed, UpstreamUnreachable
from pierhead.servers.spark.settings import Standalone

_SECONDS: Final = 15.0
_LOOKS: Final = 40
_PAUSE_S: Final = 0.5
_TOKEN: Final = re.compile(r"<input[^>]*csrfToken[^>]*>")
_VALUE: Final = re.compile(r'value="([^"]*)"')
_SUBMIT: Final = "org.apache.spark.deploy.SparkSubmit"
_LARGEST: Final = 8 * 2**20


class Manager(Protocol):
    """Whoever runs applications."""

    async def state(self, application: str) -> str:
        """How an application is, in capitals: WAITING, RUNNING, FINISHED, FAILED, KILLED; empty where unknown."""
        ...

    async def kill(self, application: str) -> str:
        """End it; the state afterwards. Errors: ToolFailed, UpstreamUnreachable."""
        ...

    async def submit(self, arguments: Sequence[str], properties: Mapping[str, str], program: str) -> str:
        """Start a driver; the id of the submission. Errors: ToolFailed (`not-submitted`), UpstreamUnreachable."""
        ...


class StandaloneManager:
    """At the addresses of one master."""

    def __init__(self, place: Standalone) -> None:
        self._ui = place.ui.rstrip("/")
        self._rest = (place.rest or "").rstrip("/")
        self._http: httpx2.AsyncClient | None = None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def state(self, application: str) -> str:
        return next((str(each.get("state", "")) for each in await self._all() if each.get("id") == application), "")

    async def name(self, application: str) -> str:
        """How it is called; empty where the master does not know it."""
        return next((str(each.get("name", "")) for each in await self._all() if each.get("id") == application), "")

    async def _newest(self, name: str) -> str:
        """The id of the application of that name that began last; empty where there is none."""
        found = [each for each in await self._all() if each.get("name") == name]
        return str(max(found, key=lambda each: int(each.get("starttime", 0)))["id"]) if found else ""

    async def _all(self) -> "list[Mapping[str, Any]]":
        told = await self._json("GET", f"{self._ui}/json/")
        return cast("list[Mapping[str, Any]]", [*told.get("activeapps", []), *told.get("completedapps", [])])

    async def kill(self, application: str) -> str:
        page = (await self._asked("GET", self._ui)).text
        shown = _TOKEN.search(page)
        value = _VALUE.search(shown[0]) if shown else None
        form = {"id": application, "terminate": "true", **({"csrfToken": value[1]} if value else {})}
        await self._asked("POST", f"{self._ui}/app/kill/", form=form)
        state = ""
        for _ in range(_LOOKS):
            state = await self.state(application)
            if state not in {"RUNNING", "WAITING"}:
                return state
            await asyncio.sleep(_PAUSE_S)
        return state

    async def submit(self, arguments: Sequence[str], properties: Mapping[str, str], program: str) -> str:
        body = {
            "action": "CreateSubmissionRequest",
            "appArgs": list(arguments),
            "appResource": program if "://" in program or program.startswith("file:") else f"file:{program}",
            "clientSparkVersion": "4.0.0",
            "environmentVariables": {"SPARK_ENV_LOADED": "1"},
            "mainClass": _SUBMIT,
            "sparkProperties": dict(properties),
        }
        told = await self._json("POST", f"{self._rest}/v1/submissions/create", body=body)
        if not told.get("success"):
            message = str(told.get("message") or "the master did not take it")[:300]
            raise ToolFailed(message, hint="look at the master", code="not-submitted")
        return str(told["submissionId"])

    async def started(self, submission: str, name: str, earlier: str) -> tuple[str, str]:
        """How the submission does, and the application it began, as far as that shows within some seconds."""
        state = ""
        for _ in range(_LOOKS):
            told = await self._json("GET", f"{self._rest}/v1/submissions/status/{submission}")
            state = str(told.get("driverState", ""))
            found = await self._newest(name)
            if (found and found != earlier) or state not in {"", "SUBMITTED", "RUNNING"}:
                return state, found if found != earlier else ""
            await asyncio.sleep(_PAUSE_S)
        return state, ""

    async def _json(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        answer = await self._asked(method, url, body=body)
        try:
            told = answer.json()
        except ValueError:
            message = "the master answered something else than JSON"
            raise ToolFailed(message, hint="see `standalone` in the server's entry", code="upstream-not-json") from None
        return cast("Mapping[str, Any]", told) if isinstance(told, dict) else {}

    async def _asked(
        self, method: str, url: str, *, form: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> httpx2.Response:
        """Once: what ends or starts something is not tried again. Errors: ToolFailed, UpstreamUnreachable."""
        self._http = self._http or httpx2.AsyncClient(timeout=_SECONDS, trust_env=False, follow_redirects=False)
        try:
            answer = await self._http.request(method, url, data=form, json=body)
        except httpx2.HTTPError as failed:
            message = f"the master does not answer ({type(failed).__name__})"
            raise UpstreamUnreachable(message, hint="try again later") from None
        if answer.status_code >= httpx2.codes.BAD_REQUEST or len(answer.content) > _LARGEST:
            code = "upstream-denied" if answer.status_code in {401, 403} else "upstream-refused"
            raise ToolFailed(f"the master answered {answer.status_code}", hint="look at the master", code=code)
        return answer
