"""Settings: read once, from flags, environment and one TOML file, into a frozen value.

The only module that reads the environment. A key nobody knows and a half-secured setup do not start. Each value
keeps its origin, so that `config show --origin` can say which of several won. Not here: the fleet (`fleet`).
"""

import difflib
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from pierhead.bootstrap.approval_settings import ApprovalSettings
from pierhead.bootstrap.listed import Listed
from pierhead.bootstrap.mesh_settings import MeshSettings, refuse_half_meshed
from pierhead.bootstrap.notify_settings import NotifySettings, check_notify
from pierhead.bootstrap.peer_settings import PeerSettings, refuse_half_peered
from pierhead.bootstrap.review_settings import ReviewSettings, check_review
from pierhead.bootstrap.sign_in_settings import SignInSettings, check_sign_in, secret_of
from pierhead.bootstrap.tls_settings import TlsSettings, refuse_half_tls
from pierhead.bootstrap.value_settings import ValueSettings, check_value
from pierhead.core.catalog import DataClass
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.usecases.check_guest import GuestRules, parse_artefact

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PREFIX: Final = "PIERHEAD__"
_FILE_SUFFIX: Final = "_FILE"
_RESERVED_LABELS: Final = frozenset({"mcp", "modelcontextprotocol"})
_SHORT_NAMES: Final = {"PIERHEAD_DATA": ("platform", "data"), "PIERHEAD_PORT": ("platform", "port")}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlatformSettings(_Section):
    """Where the platform listens and keeps its files."""

    host: str = Field("127.0.0.1", description="address of the public listener; the built-in sign-in serves loopback")
    port: int = Field(8420, ge=1, le=65535, description="the one public port")
    diagnostics_port: int = Field(9464, ge=1, le=65535, description="/healthz, /readyz and /metrics")
    public_url: str = Field("", description="the URL clients use; empty: http://HOST:PORT")
    data: Path = Field(Path(".pierhead"), description="the data directory")
    environment: str = Field("local", description="environment of every call that enters through this listener")
    surface: str = Field("ide", description="surface of every call that enters through this listener")
    replica: str = Field(
        "", pattern=r"^[a-z0-9-]{0,40}$", description="names this gateway's chain, where several share one registry"
    )

    @property
    def gateway(self) -> str:
        """The writer of this gateway's records: two that shared a name would break each other's chain."""
        return f"gateway-{self.replica}" if self.replica else "gateway"

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


class PolicySettings(_Section):
    """How old the last confirmed policy may grow. Neither limit can be switched off."""

    stale_s: float = Field(60, gt=0, le=3600, description="after this many seconds only reads run")
    expired_s: float = Field(900, gt=0, le=86400, description="after this many seconds everything is refused")


class ShutdownSettings(_Section):
    """How long an ending process may finish what it began."""

    drain_s: float = Field(25, gt=0, le=300, description="seconds to finish calls and streams after a stop")


class ServeSettings(_Section):
    """What `pierhead serve` serves, where its flags do not say."""

    db: SecretStr = Field(SecretStr(""), description="the url of the database, which may hold a password")
    password: SecretStr = Field(SecretStr(""), description="the login's password, so that no url need hold it")
    port: int = Field(8080, ge=0, le=65535, description="the port; 0 takes any that is free")
    refresh_s: float = Field(30, ge=1, le=86400, description="seconds after which the schema is read again")


class DatabaseSettings(_Section):
    """Where the registry keeps what it knows."""

    url: SecretStr = Field(
        SecretStr(""), description="postgresql://... for many replicas; empty: SQLite in the data directory"
    )


class BackupSettings(_Section):
    """How backups are sealed."""

    passphrase: SecretStr = Field(SecretStr(""), description="seals the keys in a backup; empty: it holds no keys")


class RegistrySettings(_Section):
    """Who registers and who reviews, what registered servers may run and reach, how often all are looked at."""

    review: Literal["trust-fleet", "required"] = Field(
        "trust-fleet", description="whether the fleet file's servers are vouched for by it, or need the review gate"
    )
    registrars: str = Field("everyone", description="who may register servers, in the words of a policy")
    reviewers: dict[str, str] = Field(
        {"security": "security-reviewers", "legal": "legal-reviewers", "genai": "genai-reviewers"},
        description="the group that decides each gate",
    )
    review_days: dict[str, Annotated[int, Field(ge=1, le=60)]] = Field(
        {"security": 3, "legal": 5, "genai": 3}, description="working days in which each gate should have answered"
    )
    approvers: Listed = Field(
        ("platform-admin",), description="groups that approve calls of a server whose entry names no `approvers`"
    )
    allowed_commands: Listed = Field(
        (), description="programs that registered servers may run: `NAME==VERSION` or `/PATH@sha256:DIGEST`, arguments"
    )
    allowed_hosts: Listed = Field((), description="hosts inside the network that registered servers may reach")
    namespace: str = Field(
        "local.pierhead",
        pattern=r"^[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63}){1,9}$",
        description="what stands before a server's name in /v0.1: your domain, turned round",
    )
    v0_alias: bool = Field(False, description="also answer at /v0, as at /v0.1")
    anonymous_max_data_class: DataClass = Field(
        DataClass.INTERNAL, description="the highest data class that lists without sign-in show"
    )
    relist_s: float = Field(300, ge=1, le=86400, description="seconds after which a guest lists its tools again")
    probe_s: float = Field(30, ge=0.2, le=3600, description="seconds between two looks at each server")

    @property
    def guest_rules(self) -> GuestRules:
        """What registered servers may run and reach. Errors: Invalid (`bad-artefact`)."""
        commands = tuple(parse_artefact(text) for text in self.allowed_commands)
        return GuestRules(commands, frozenset(host.lower() for host in self.allowed_hosts))

    @field_validator("namespace")
    @classmethod
    def _is_ours(cls, namespace: str) -> str:
        if namespace.split(".")[1].lower() in _RESERVED_LABELS:
            raise ValueError("names whose second label is mcp or modelcontextprotocol are reserved")
        return namespace


class Settings(_Section):
    """Everything that can be set."""

    platform: PlatformSettings = PlatformSettings()  # pyright: ignore[reportCallIssue] - defaults fill every field
    policy: PolicySettings = PolicySettings()  # pyright: ignore[reportCallIssue]
    shutdown: ShutdownSettings = ShutdownSettings()  # pyright: ignore[reportCallIssue]
    database: DatabaseSettings = DatabaseSettings()  # pyright: ignore[reportCallIssue]
    backup: BackupSettings = BackupSettings()  # pyright: ignore[reportCallIssue]
    serve: ServeSettings = ServeSettings()  # pyright: ignore[reportCallIssue]
    registry: RegistrySettings = RegistrySettings()  # pyright: ignore[reportCallIssue]
    review: ReviewSettings = ReviewSettings()  # pyright: ignore[reportCallIssue]
    notify: NotifySettings = NotifySettings()  # pyright: ignore[reportCallIssue]
    approvals: ApprovalSettings = ApprovalSettings()  # pyright: ignore[reportCallIssue]
    mesh: MeshSettings = MeshSettings()  # pyright: ignore[reportCallIssue]
    sign_in: SignInSettings = SignInSettings()  # pyright: ignore[reportCallIssue]
    tls: TlsSettings = TlsSettings()  # pyright: ignore[reportCallIssue]
    peers: PeerSettings = PeerSettings()  # pyright: ignore[reportCallIssue]
    value: ValueSettings = ValueSettings()  # pyright: ignore[reportCallIssue]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value came from: `flag`, `env NAME`, `file PATH` or `default`."""

    section: str
    key: str
    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings in force, the file that was read (if any), and the origin of every value."""

    settings: Settings
    file: Path | None
    origins: tuple[Origin, ...]


def this_machine() -> tuple[str, Mapping[str, str]]:
    """What this machine runs, as Python calls it, and the environment: where AI clients keep their files."""
    return sys.platform, os.environ  # noqa: TID251 - read here, and handed on as a value


_Place = tuple[str, str]
_Layer = Mapping[_Place, tuple[object, str]]


def read_settings(
    flags: Mapping[_Place, object], config: Path | None = None, environment: Mapping[str, str] | None = None
) -> Resolved:
    """Read and check the settings.

    Shapes: `flags` maps (section, key) to a value given on the command line. Precedence: flag, environment,
    environment `_FILE`, file, default.
    Errors: Misconfigured (`unknown-setting`, `bad-setting`, `half-secured`).
    """
    variables = os.environ if environment is None else environment  # noqa: TID251 - read here, and nowhere else
    file = find_file(config, variables)
    layers: list[_Layer] = [
        {place: (value, "flag") for place, value in flags.items()},
        dict(_from_environment(variables)),
        dict(_from_file(file)) if file else {},
    ]
    merged: dict[_Place, tuple[object, str]] = {}
    for layer in reversed(layers):
        merged.update(layer)
    settings = _validated(merged)
    _refuse_half_secured(settings)
    check_sign_in(settings.sign_in, variables)
    return Resolved(settings, file, tuple(_origins(settings, merged)))


def credential(name: str) -> str | None:
    """A variable that an entry names for a credential. Read when it is needed, and kept nowhere."""
    return os.environ.get(name)  # noqa: TID251 - read here, and nowhere else


def client_secret(given: SignInSettings) -> str:
    """Pierhead's secret at the identity provider. Errors: Misconfigured."""
    return secret_of(given, os.environ)  # noqa: TID251 - read here, and nowhere else


def secret_store() -> Path | None:
    """The directory that a secret store is mounted at: PIERHEAD_SECRETS, or what systemd sets for a service."""
    named = os.environ.get("PIERHEAD_SECRETS") or os.environ.get("CREDENTIALS_DIRECTORY")  # noqa: TID251 - as above
    return Path(named) if named else None


def restart_with_secret(place: _Place, secret: str, arguments: Sequence[str]) -> NoReturn:
    """Become the same program again, with a setting in the environment that stood in the command.

    Every user of a machine reads its commands, the environment of a process only its owner.
    """
    section, key = place
    environment = {**os.environ, f"{_PREFIX}{section}__{key}".upper(): secret}  # noqa: TID251 - passed on, not read
    os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606 - our own command, without a shell


def find_file(config: Path | None, variables: Mapping[str, str]) -> Path | None:
    """The configuration file: `--config`, PIERHEAD_CONFIG, then the usual places.

    Errors: Misconfigured, if one that was named is not there.
    """
    named = config or (Path(variables["PIERHEAD_CONFIG"]) if variables.get("PIERHEAD_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise Misconfigured(f"no configuration file at {named}", hint="name one that exists", code="bad-setting")
        return named
    home = Path(variables.get("HOME", "/nonexistent"))
    usual = (Path("pierhead.toml"), home / ".config/pierhead/pierhead.toml", Path("/etc/pierhead/pierhead.toml"))
    return next((path for path in usual if path.is_file()), None)


def _from_file(path: Path) -> Iterator[tuple[_Place, tuple[object, str]]]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise Misconfigured(f"{path}: {broken}", hint="correct the TOML there", code="bad-setting") from None
    except OSError as failed:
        message = f"cannot read {path}: {failed.strerror}"
        raise Misconfigured(message, hint="make it readable", code="bad-setting") from None
    for section, members in document.items():
        if not isinstance(members, dict):
            raise unknown_setting(f"{path}: {section}", section, sections())
        for key, value in cast("dict[str, object]", members).items():
            yield (section, key), (value, f"file {path}")


def _from_environment(variables: Mapping[str, str]) -> Iterator[tuple[_Place, tuple[object, str]]]:
    """Files first, plain values over them, so that a plain value wins."""
    ours = {name: value for name, value in variables.items() if name.startswith(_PREFIX)}
    for name, value in sorted(ours.items(), key=lambda item: not item[0].endswith(_FILE_SUFFIX)):
        section, _, key = name.removeprefix(_PREFIX).lower().partition("__")
        if name.endswith(_FILE_SUFFIX):
            yield (section, key.removesuffix(_FILE_SUFFIX.lower())), (_content(name, value), f"env {name}")
        else:
            yield (section, key), (value, f"env {name}")
    for name, place in _SHORT_NAMES.items():
        if variables.get(name):
            yield place, (variables[name], f"env {name}")


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as failed:
        message = f"{name} names {path}: {failed.strerror}"
        raise Misconfigured(message, hint="point it to a readable file", code="bad-setting") from None


def sections() -> dict[str, type[BaseModel]]:
    """The sections by name."""
    return {name: cast("type[BaseModel]", field.annotation) for name, field in Settings.model_fields.items()}


def _validated(merged: _Layer) -> Settings:
    known = sections()
    document: dict[str, dict[str, object]] = {}
    for (section, key), (value, source) in merged.items():
        if section not in known:
            raise unknown_setting(f"{source}: [{section}]", section, known)
        if key not in known[section].model_fields:
            raise unknown_setting(f"{source}: {section}.{key}", key, known[section].model_fields)
        document.setdefault(section, {})[key] = value
    try:
        return Settings.model_validate(document)
    except ValidationError as invalid:
        faults = "; ".join(_fault(fault, merged) for fault in invalid.errors())
        raise Misconfigured(faults, hint="see: pierhead config schema", code="bad-setting") from None


def _fault(fault: Any, merged: _Layer) -> str:  # noqa: ANN401 - pydantic's own mapping
    """What is wrong with one setting, or with a section as a whole, and where that was said."""
    place = tuple(str(part) for part in fault["loc"][:2])
    sources = dict.fromkeys(source for at, (_, source) in merged.items() if at[: len(place)] == place)
    told = f"{'.'.join(place)}: {str(fault['msg']).lower()}"
    return f"{', '.join(sources)}: {told}" if sources else told


def unknown_setting(where: str, name: str, known: Mapping[str, object]) -> Misconfigured:
    """The error for a name nobody knows, with the nearest one that exists."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
    return Misconfigured(f"unknown setting in {where}", hint=hint, code="unknown-setting")


def _refuse_half_secured(settings: Settings) -> None:
    refuse_half_meshed(settings.mesh)
    refuse_half_peered(settings.peers, settings.mesh)
    refuse_half_tls(settings.tls, settings.platform.url, settings.mesh.trust_domain)
    place = settings.platform
    if place.host not in LOOPBACK and not settings.sign_in.is_elsewhere:
        message = f"platform.host is {place.host}, but the built-in sign-in lets anybody be anyone: loopback only"
        raise Misconfigured(message, hint="use 127.0.0.1, or an identity provider: sign_in.issuer", code="half-secured")
    if place.host not in LOOPBACK and not place.public_url.startswith("https://"):
        message = f"platform.host is {place.host}, and platform.public_url is no https URL: tokens would go in clear"
        raise Misconfigured(message, hint="name the https URL that clients use", code="half-secured")
    try:
        _ = settings.registry.guest_rules
    except Invalid as invalid:
        message = f"registry.allowed_commands: {invalid.message}"
        raise Misconfigured(message, hint=invalid.hint, code="bad-setting") from None
    check_notify(settings.notify, settings.registry.allowed_hosts)
    check_review(settings.review, settings.registry.allowed_hosts)
    check_value(settings.value)
    if settings.policy.expired_s <= settings.policy.stale_s:
        message = "policy.expired_s must be larger than policy.stale_s"
        raise Misconfigured(message, hint="a policy is stale first, expired later", code="bad-setting")
    if settings.platform.port == settings.platform.diagnostics_port:
        message = f"platform.port and platform.diagnostics_port are both {settings.platform.port}"
        raise Misconfigured(message, hint="metrics never stand on the public port; choose another", code="bad-setting")


def _origins(settings: Settings, merged: _Layer) -> Iterator[Origin]:
    for section, model in sections().items():
        values = getattr(settings, section)
        for key in model.model_fields:
            source = merged[section, key][1] if (section, key) in merged else "default"
            yield Origin(section, key, getattr(values, key), source)


def shell_access(environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The platform's address and the access token that a shell was given; empty where it was not.

    `PIERHEAD_URL`, and `PIERHEAD_TOKEN` or the file that `PIERHEAD_TOKEN_FILE` names. Errors: Misconfigured.
    """
    variables = os.environ if environment is None else environment  # noqa: TID251 - read here, and nowhere else
    file = variables.get("PIERHEAD_TOKEN_FILE", "")
    try:
        token = Path(file).read_text("utf-8").strip() if file else variables.get("PIERHEAD_TOKEN", "")
    except (OSError, UnicodeDecodeError):
        message = f"PIERHEAD_TOKEN_FILE names {file}, which cannot be read"
        raise Misconfigured(message, hint="name a file that holds an access token") from None
    return variables.get("PIERHEAD_URL", "").rstrip("/"), token
