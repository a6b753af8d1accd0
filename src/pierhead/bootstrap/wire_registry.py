"""Puts the registry together: database, policy, record, sign-in, pages.

One typed function. The registry opens no journal: its own facts commit in its database with what they tell of.
Above: `apps/registry` mounts the parts. Not here: listening, processes.
"""

import json
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pierhead.adapters.data_lane import GatewayData
from pierhead.adapters.db import (
    Database,
    DatabaseAudit,
    DatabaseCatalogue,
    DatabaseDecisionNews,
    DatabaseFacts,
    DatabaseHealths,
    DatabaseInboxNews,
    DatabaseManifests,
    DatabasePeople,
    DatabasePlans,
    DatabasePolicies,
    DatabaseRecords,
    DatabaseServerKeys,
    DatabaseSignIn,
    DatabaseStandings,
    DatabaseStates,
    open_database,
)
from pierhead.adapters.foreign.vetting import VettingHook
from pierhead.adapters.oidc import Tokens
from pierhead.adapters.packet_keys import PinnedKeys
from pierhead.adapters.sealed import KeySeal
from pierhead.adapters.snapshot_signature import SnapshotSigner
from pierhead.adapters.system import RandomIds, SystemClock, SystemIds
from pierhead.adapters.token_signer import JoseSigner
from pierhead.bootstrap.approval_settings import ApprovalSettings
from pierhead.bootstrap.company_policies import declared_policies, engine
from pierhead.bootstrap.declared_policy import judged_fleet
from pierhead.bootstrap.entries import EntryDeclarations
from pierhead.bootstrap.fleet import Fleet
from pierhead.bootstrap.keys import Keys, derived
from pierhead.bootstrap.mesh_settings import MeshSettings, registered
from pierhead.bootstrap.notify_settings import NotifySettings
from pierhead.bootstrap.policy_cases import require_good
from pierhead.bootstrap.review_settings import ReviewSettings
from pierhead.bootstrap.settings import RegistrySettings, Settings
from pierhead.bootstrap.sign_in_settings import SignInSettings
from pierhead.bootstrap.wire_approvals import ApprovalSetting, approval_desk, decision_news, duty_desk, inbox_news
from pierhead.bootstrap.wire_clients import known_clients
from pierhead.bootstrap.wire_people import exchange_desk, people_desk
from pierhead.bootstrap.wire_push import push_desk
from pierhead.bootstrap.wire_sign_in import company_issuer, identity_provider, own_issuer
from pierhead.core.cost import Price
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.review import WORKING_DAYS, Gate
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import CompanyPolicies
from pierhead.core.workload import Registered
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.count_approvals import ApprovalCounts
from pierhead.usecases.declare_absence import DutyDesk
from pierhead.usecases.enrol_server import EnrolmentDesk
from pierhead.usecases.exchange_token import ExchangeDesk
from pierhead.usecases.federate import FederatedPeople, Federation
from pierhead.usecases.grant_tokens import Terms, TokenDesk
from pierhead.usecases.hear_in_browser import PushDesk
from pierhead.usecases.memory_sign_in import KnownPeople
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_official import Standings
from pierhead.usecases.ports_review import NOBODY, Vetting
from pierhead.usecases.ports_sign_in import People
from pierhead.usecases.publish_policy import Composition, PolicySource, publish_policy
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.rights import Rights
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.trust_fleet import enter_fleet
from pierhead.usecases.warn_owners import OwnerNews
from pierhead.usecases.watch_health import QUIET_INTERVALS
from pierhead.usecases.withdraw_person import CurrentPeople, PeopleDesk

ADMINS: Final = frozenset({"platform-admin"})
AUDITORS: Final = frozenset({"security-reviewers"}) | ADMINS
_BY: Final = "fleet"


@dataclass(frozen=True, slots=True)
class RegistrySetting:
    """Where the registry stands. `surface` and `environment` are those of callers at the public port."""

    data: Path
    fleet: Fleet
    public_url: str
    surface: str
    environment: str
    database_url: str = ""
    """Empty: SQLite in the data directory."""
    rules: RegistrySettings = field(default_factory=lambda: Settings().registry)
    notify: NotifySettings = field(default_factory=lambda: Settings().notify)
    review: ReviewSettings = field(default_factory=lambda: Settings().review)
    sign_in: SignInSettings = field(default_factory=lambda: Settings().sign_in)
    approvals: ApprovalSettings = field(default_factory=lambda: Settings().approvals)
    price: Price | None = None
    """What tokens cost, if the operator says it."""
    teams: tuple[str, ...] = ()
    """Which groups are teams, for showback."""
    mesh: MeshSettings = field(default_factory=lambda: Settings().mesh)
    fleet_file: Path | None = None
    """Where `fleet` stands, if its company policies are to be followed while the registry runs."""

    @property
    def registered(self) -> Registered:
        """Where every workload stands."""
        return registered(self.mesh, self.fleet.workloads, self.environment)


@dataclass(frozen=True, slots=True)
class RegistryAdapters:
    """Ports, filled."""

    setting: RegistrySetting
    keys: Keys
    clock: Clock
    database: Database
    registry: RegistryDesk
    enrolments: EnrolmentDesk
    catalogue: DatabaseCatalogue
    policy: ServedPolicy
    signer: SnapshotSigner
    facts: DatabaseFacts
    records: DatabaseRecords
    states: DatabaseStates
    healths: DatabaseHealths
    desk: TokenDesk
    data: GatewayData
    tokens: Tokens
    """Verifies what callers of the API present, as the gateway does; the keys are the registry's own."""
    standings: Standings
    federation: Federation | None
    """Where people sign in, if that is not here."""
    approvals: ApprovalDesk
    plans: DatabasePlans
    decision_news: DatabaseDecisionNews
    people: PeopleDesk
    exchanges: ExchangeDesk | None
    """None where people sign in here."""
    duty: DutyDesk
    counts: ApprovalCounts
    inbox_news: DatabaseInboxNews
    push: PushDesk | None
    """None where no browser is told of approvals."""


def _company(fleet: Fleet) -> CompanyPolicies:
    """The company's policies, under which every case of the fleet file holds. Errors: Invalid; Misconfigured."""
    company = declared_policies(fleet.policies, dict.fromkeys(fleet.servers, ()))
    if fleet.tests:
        require_good(judged_fleet(fleet))
    return company


async def registry_adapters(setting: RegistrySetting, opened: AsyncExitStack) -> RegistryAdapters:
    """Open the database, publish what the fleet file says, and fill every port; `opened` closes it again.

    Errors: Misconfigured; Invalid, for a fleet file that fails its cases, and for company policies that cannot be read.
    """
    company = _company(setting.fleet)  # before anything is opened: while a case fails, the published policy stays
    keys, clock = Keys.at(setting.data), SystemClock()
    database = await open_database(setting.database_url or f"sqlite:///{setting.data.resolve() / 'pierhead.db'}")
    opened.push_async_callback(database.close)
    catalogue, policy = DatabaseCatalogue(database), ServedPolicy(engine)
    registry = _registry(setting, database, catalogue, policy, company)
    await enter_fleet(setting.fleet.documents, registry)
    await publish_policy(registry.source, _BY)
    data = GatewayData.at(setting.public_url)
    opened.push_async_callback(data.close)
    signer = JoseSigner(keys.read("token.jwk").decode())
    federation = await _federation(setting.sign_in, database, clock, keys)
    federated = federation.people if federation else None
    desk = _desk(setting, database, signer, CurrentPeople(federated or _known(setting), policy, _issuer(setting)))
    people = await people_desk(database, clock, policy, desk, federated)
    duty = duty_desk(database, desk.people, asking := _approval_setting(setting))
    return RegistryAdapters(
        setting=setting,
        keys=keys,
        clock=clock,
        database=database,
        registry=registry,
        enrolments=_enrolments(setting, registry, keys),
        catalogue=catalogue,
        policy=policy,
        signer=SnapshotSigner.of(keys.read("snapshot.key")),
        facts=DatabaseFacts(database),
        records=DatabaseRecords(database),
        states=DatabaseStates(database),
        healths=DatabaseHealths(database, clock, setting.rules.probe_s * QUIET_INTERVALS),
        desk=desk,
        data=data,
        tokens=_tokens(setting, signer, clock, policy),
        standings=DatabaseStandings(database),
        federation=federation,
        approvals=approval_desk(database, catalogue, duty, asking),
        plans=DatabasePlans(database, RandomIds("pln_")),
        decision_news=decision_news(database, opened),
        people=people,
        exchanges=exchange_desk(federation, people, setting.sign_in, desk.audit),
        duty=duty,
        counts=asking.counts,
        inbox_news=inbox_news(database, opened),
        push=push_desk(setting.notify, keys, database),
    )


def _approval_setting(setting: RegistrySetting) -> ApprovalSetting:
    return ApprovalSetting(
        public_url=setting.public_url,
        others=setting.rules.approvers,
        tells_people=setting.notify.tells_people,
        alarmed=tuple(sorted(AUDITORS)),
        approvals=setting.approvals,
        counts=ApprovalCounts(),
        trusts_fleet=setting.rules.review == "trust-fleet",
    )


def _enrolments(setting: RegistrySetting, registry: RegistryDesk, keys: Keys) -> EnrolmentDesk:
    master = keys.read("assertion.key")
    return EnrolmentDesk(
        registry=registry,
        platform=setting.public_url,
        policy_key=keys.read("snapshot.pub"),
        assertion_key=lambda label: derived(master, label),
        chance=secrets.token_bytes,
    )


def _known(setting: RegistrySetting) -> KnownPeople:
    """The people of the fleet file, for the built-in sign-in."""
    return KnownPeople(setting.fleet.people, setting.fleet.claims)


def _issuer(setting: RegistrySetting) -> str:
    """Whose people they are."""
    return _terms(setting).people_of


def _terms(setting: RegistrySetting) -> Terms:
    consent_s = setting.sign_in.consent_days * 86_400.0
    return Terms(setting.public_url, provider=setting.sign_in.issuer, consent_s=consent_s)


def _desk(setting: RegistrySetting, database: Database, signer: JoseSigner, people: People) -> TokenDesk:
    store, clock = DatabaseSignIn(database), SystemClock()
    return TokenDesk(
        store=store,
        clients=known_clients(setting.sign_in, store, setting.rules.guest_rules.allowed_hosts, clock),
        signer=signer,
        people=people,
        audit=DatabaseAudit(database, clock),
        clock=clock,
        terms=_terms(setting),
    )


def _tokens(setting: RegistrySetting, signer: JoseSigner, clock: Clock, policy: ServedPolicy) -> Tokens:
    async def own_keys() -> bytes:
        return json.dumps(signer.public_keys()).encode()

    own = own_issuer(setting.public_url, setting.sign_in, own_keys)
    return Tokens(own, clock, policy, company_issuer(setting.sign_in, clock))


async def _federation(sign_in: SignInSettings, database: Database, clock: Clock, keys: Keys) -> Federation | None:
    """The company's identity provider, and who signed in there; None for the built-in sign-in."""
    if not sign_in.is_elsewhere:
        return None
    store, lasts = DatabasePeople(database, clock), (sign_in.lifetime_s, sign_in.unconfirmed_s)
    people = FederatedPeople(store, clock, sign_in.issuer, *lasts)
    await people.load()
    seal = KeySeal(keys.made("people.key"))
    return Federation(identity_provider(sign_in, clock), people, DatabaseAudit(database, clock), seal)


def _registry(
    setting: RegistrySetting,
    database: Database,
    catalogue: DatabaseCatalogue,
    served: ServedPolicy,
    company: CompanyPolicies,
) -> RegistryDesk:
    rights = _rights(setting.rules)
    source = PolicySource(
        catalogue=catalogue,
        manifests=DatabaseManifests(database),
        policies=DatabasePolicies(database),
        keys=DatabaseServerKeys(database),
        declarations=EntryDeclarations(),
        clock=SystemClock(),
        served=served,
        trusts_fleet=setting.rules.review == "trust-fleet",
        own_hosts=rights.guests.allowed_hosts,
        composition=Composition(company=company),
    )
    return RegistryDesk(
        source,
        rights,
        SystemIds(),
        signatures=PinnedKeys.read(setting.review.key_texts()),
        vetting=_vetting(setting.review, rights),
        review_days=review_days(setting.rules),
        news=OwnerNews(setting.public_url) if setting.notify.tells_people else None,
    )


def _vetting(review: ReviewSettings, rights: Rights) -> Vetting:
    if not review.webhook_url:
        return NOBODY
    return VettingHook(review.webhook_url, review.key, rights.guests.allowed_hosts, review.webhook_s)


def review_days(rules: RegistrySettings) -> Mapping[Gate, int]:
    """How long each gate has: as it is set, and as usual for those that are not. Errors: Misconfigured."""
    _only_gates("review_days", rules.review_days)
    return WORKING_DAYS | {Gate(gate): days for gate, days in rules.review_days.items()}


def _only_gates(setting: str, named: Mapping[str, object]) -> None:
    """Errors: Misconfigured (`bad-setting`)."""
    unknown = sorted(set(named) - set(Gate))
    if unknown:
        message = f"registry.{setting} names no gate: {', '.join(unknown)}"
        raise Misconfigured(message, hint=f"the gates are {', '.join(Gate)}", code="bad-setting")


def _rights(rules: RegistrySettings) -> Rights:
    """Errors: Misconfigured (`bad-setting`), for a policy, a gate or a program that cannot be read."""
    _only_gates("reviewers", rules.reviewers)
    try:
        registrars, guests = parse_who(rules.registrars), rules.guest_rules
    except Invalid as unreadable:
        message = f"in the settings of the registry: {unreadable.message}"
        raise Misconfigured(message, hint=unreadable.hint, code="bad-setting") from None
    return Rights(
        registrars=registrars,
        reviewers={Gate(gate): group for gate, group in rules.reviewers.items()},
        admins=ADMINS,
        guests=guests,
    )
