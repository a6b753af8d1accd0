"""The registry as one ASGI application: internal API, sign-in, lists, pages; each brings its own routes.

Only mounts: what a route does stands in `internal`, `oauth`, `official`, `web` and `api`. Above: the program
(`__init__`).
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from pierhead.apps.authenticate import Listener
from pierhead.apps.registry.api.callers import Callers
from pierhead.apps.registry.api.routes import Api
from pierhead.apps.registry.decisions import Decisions
from pierhead.apps.registry.enrolled import PREFIX as ENROLLED
from pierhead.apps.registry.enrolled import Enrolled
from pierhead.apps.registry.internal import PREFIX, Endpoint, Internal
from pierhead.apps.registry.internal_approvals import InternalApprovals
from pierhead.apps.registry.internal_exchange import InternalExchange
from pierhead.apps.registry.internal_plans import InternalPlans
from pierhead.apps.registry.logout import Logout
from pierhead.apps.registry.oauth import MachineSide, Rate
from pierhead.apps.registry.official.wiring import Official, OfficialSetting, Opened, official
from pierhead.apps.registry.web.attempts import Attempts
from pierhead.apps.registry.web.pages import Web
from pierhead.apps.registry.web.session import Sessions
from pierhead.apps.registry.web.simulations import Simulations
from pierhead.apps.registry.web.site import Site
from pierhead.apps.registry.web.tickets import Tickets
from pierhead.bootstrap.plugins import ai_clients
from pierhead.bootstrap.sign_in_settings import known_programs
from pierhead.bootstrap.wire_registry import ADMINS, AUDITORS, RegistryAdapters
from pierhead.bootstrap.wire_workloads import workloads_of
from pierhead.usecases.count_approvals import ApprovalCounts
from pierhead.usecases.exchange_svid import Svids
from pierhead.usecases.grant_to_programs import Programs
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

_REGISTRATIONS_A_MINUTE = 30
_SIGN_IN_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the registry is made of."""

    internal: Internal
    site: Site
    callers: Callers
    official: Official
    approvals: ApprovalCounts
    programs: Programs
    svids: Svids | None
    """None where the settings name no trust domain."""


def build(parts: Parts) -> Starlette:
    """The application. The internal API comes first, so that no page can shadow it."""
    desk = parts.site.tokens
    routes: list[BaseRoute] = [
        Mount(PREFIX, parts.internal.application()),
        Mount(ENROLLED, Enrolled(parts.internal).application()),
        Route("/healthz", _alive),
        Route("/internal/metrics", Metrics(parts.official, parts.approvals)),
        parts.official.route(),
        *MachineSide(desk, Rate(_REGISTRATIONS_A_MINUTE, desk.clock), parts.programs, parts.svids).routes(),
        *_logout(parts),
        *Api(parts.callers).routes(),
        *Web(parts.site).routes(),
    ]
    return Starlette(routes=routes)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the registry counts, as Prometheus text; the gateway carries nothing below /internal."""

    official: Official
    approvals: ApprovalCounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = CollectorRegistry(auto_describe=False)
        counted.register(self.official.listings)
        counted.register(ApprovalMetrics(self.approvals))
        response = Response(generate_latest(counted), media_type="text/plain; version=0.0.4; charset=utf-8")
        await response(scope, receive, send)


@dataclass(frozen=True, slots=True, eq=False)
class ApprovalMetrics:
    """What people decided, as prometheus_client collects it, which knows collectors by identity."""

    counts: ApprovalCounts

    def collect(self) -> Iterator[Metric]:
        labels = ("server", "channel", "decision")
        decided = CounterMetricFamily("pierhead_approvals_total", "Decisions on approvals", labels=labels)
        for key, number in self.counts.decided.items():
            decided.add_metric(key, number)
        broken = CounterMetricFamily("pierhead_approval_glass_broken_total", "One yes for two", labels=("server",))
        for server, number in self.counts.glass_broken.items():
            broken.add_metric((server,), number)
        yield decided
        yield broken


def _session_key(key: bytes, provider: str) -> bytes:
    """Another key for each sign-in: nobody who was alice of the built-in one is the company's alice."""
    return hmac.digest(key, f"people of {provider}".encode(), "sha256") if provider else key


def _logout(parts: Parts) -> Iterator[Route]:
    """Where a provider tells of logouts, if people sign in at one."""
    if parts.site.federation is not None:
        yield Logout(parts.site.federation, parts.site.people, parts.callers.failed).route()


async def _alive(_: Request) -> PlainTextResponse:
    """The process answers; nothing more is asked."""
    return PlainTextResponse("ok")


def _for_servers(adapters: RegistryAdapters) -> Mapping[str, Endpoint]:
    """What servers ask while a tool runs."""
    return {
        **InternalApprovals(adapters.approvals, adapters.decision_news).routes(),
        **InternalPlans(adapters.plans).routes(),
        **InternalExchange(adapters.exchanges).routes(),
    }


def parts_of(adapters: RegistryAdapters) -> Parts:
    """The parts, from what bootstrap opened."""
    return _with_lists(_internal(adapters), _site(adapters), adapters)


def _internal(adapters: RegistryAdapters) -> Internal:
    """What servers and gateways ask."""
    return Internal(
        key=adapters.keys.read("internal.key"),
        registry=adapters.registry,
        policy=adapters.policy,
        seal=adapters.signer.seal,
        facts=adapters.facts,
        pages=adapters.facts,
        records=adapters.records,
        states=adapters.states,
        processes=adapters.states,
        desk=adapters.desk,
        healths=adapters.healths,
        clock=adapters.clock,
        makes_tokens=adapters.federation is None,
        approvals=_for_servers(adapters),
    )


def _site(adapters: RegistryAdapters) -> Site:
    """What the pages and the API work from."""
    setting = adapters.setting
    session_key = _session_key(adapters.keys.read("session.key"), setting.sign_in.issuer)
    is_secure = setting.public_url.startswith("https://")
    return Site(
        tokens=adapters.desk,
        sessions=Sessions(
            session_key, adapters.clock, is_secure=is_secure, void_before=adapters.desk.people.void_before
        ),
        federation=adapters.federation,
        attempts=Attempts(session_key, adapters.clock, setting.public_url),
        tickets=Tickets(adapters.clock),
        simulations=Simulations(adapters.clock),
        snapshots=adapters.policy,
        records=adapters.records,
        processes=adapters.states,
        auditors=AUDITORS,
        admins=ADMINS,
        surface=setting.surface,
        environment=setting.environment,
        registered=setting.registered,
        data=adapters.data,
        registry=adapters.registry,
        feed=adapters.policy,
        decisions=Decisions(adapters.clock),
        healths=adapters.healths,
        ai_clients=tuple(ai_clients().values()),
        namespace=setting.rules.namespace,
        approvals=adapters.approvals,
        enrolments=adapters.enrolments,
        duty=adapters.duty,
        reauthenticate_s=setting.approvals.reauthenticate_s,
        thresholds=setting.approvals.thresholds,
        people=adapters.people,
        news=adapters.inbox_news,
        push=adapters.push,
        price=setting.price,
        teams=setting.teams,
    )


def _with_lists(internal: Internal, site: Site, adapters: RegistryAdapters) -> Parts:
    """What takes tokens besides: the API and the public lists."""
    setting = adapters.setting
    listener = Listener(adapters.tokens, setting.surface, setting.environment)
    failed = FailedSignIns(adapters.desk.audit, adapters.clock, _SIGN_IN_WINDOW_S)
    setting_of_lists = OfficialSetting(
        namespace=setting.rules.namespace,
        has_alias=setting.rules.v0_alias,
        highest=setting.rules.anonymous_max_data_class,
        audiences=setting.fleet.views,
    )
    opened = Opened(adapters.registry, adapters.standings, adapters.keys.read("cursor.key"))
    lists = official(setting_of_lists, site, listener, failed, opened)
    programs = known_programs(setting.sign_in)
    svids = workloads_of(setting.mesh, adapters.clock)
    return Parts(internal, site, Callers(site, listener, failed), lists, adapters.counts, programs, svids)
