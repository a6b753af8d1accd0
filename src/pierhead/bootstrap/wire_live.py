"""Starts what `pierhead check --live` asks: the whole platform on loopback with that one server, in a folder that ends.

The server is governed as anywhere: sign-in, policy, record. Not here: what is asked (`adapters/live`).
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from pierhead.adapters.live.people import canary, probe_people
from pierhead.adapters.live.probe import Live, Wire, logged, probe, recorded
from pierhead.adapters.token_signer import JoseSigner
from pierhead.bootstrap.check_targets import Target
from pierhead.bootstrap.running import free_ports
from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.core.standard import Breach, Evidence, Look
from pierhead.core.standard_rules import RULES, breach
from pierhead.sdk.schema import value_fault

_STARTS_S: Final = 90.0
_ENDS_S: Final = 30.0
_PEOPLE: Final = ("probe-a", "probe-b")
_PROGRAM: Final = (sys.executable, "-m", "pierhead.apps.cli")
#: What a probe from outside sees; the others need an engine, a canary outside, or the code.
_ASKED: Final = frozenset(
    {*("S15", "S20", "S22", "S23", "S26", "S28", "S29", "S30", "S39", "S40", "S41", "S42", "S43", "S46")}
)


def check_live(target: Target, inputs: int) -> Evidence:
    """Start the target, ask it, stop it. Errors: Invalid (`bad-target`), for what cannot start; UpstreamUnreachable."""
    with tempfile.TemporaryDirectory(prefix="pierhead-check-") as folder:
        found, unseen = _checked(target, Path(folder), inputs)
    unlooked = {
        (rule.id, Look.PROBE): "no probe from outside shows it"
        for rule in RULES.values()
        if Look.PROBE in rule.looks and rule.id not in _ASKED
    }
    unlooked |= {(rule, Look.PROBE): why for rule, why in unseen.items()}
    if not _has_engine(target):
        del unlooked["S27", Look.PROBE]  # no login, so none that can do too much
    else:
        unlooked["S27", Look.PROBE] = "ask its database: pierhead doctor --db URL"
    return Evidence(tuple(found), frozenset({Look.PROBE}), unlooked)


def _has_engine(target: Target) -> bool:
    return target.entry is not None and "url" in target.entry.settings


def _checked(target: Target, folder: Path, inputs: int) -> tuple[list[Breach], Mapping[str, str]]:
    """What broke, and by rule why it could not be looked at."""
    fleet = folder / "fleet.json"
    fleet.write_text(json.dumps(_fleet(target)), "utf-8")
    found: list[Breach] = []
    with _started(folder, fleet) as running:
        tokens = (running.token(_PEOPLE[0]), running.token(_PEOPLE[1]))
        live = Live(f"{running.url}/mcp/{target.name}", tokens, value_fault, inputs, running.false_tokens(tokens[0]))
        running.until_served(live)
        found += probe(live, target.listing.tools if target.listing is not None else ())
        with canary() as known:
            broken, unseen = probe_people(live, live.listed(0, "first"), known)
        found += broken
        found += recorded(running.records())
        found += running.stopped()
    logs = {path.name: path.read_text("utf-8", "replace") for path in sorted((folder / "data" / "logs").glob("*"))}
    return [*found, *logged(logs, tokens)], unseen


def _fleet(target: Target) -> Mapping[str, Any]:
    """A fleet of that one server, for two people who are in every group that its tools name."""
    if target.code and target.folder is not None and target.entry is None:
        entry: dict[str, Any] = {"kind": "python", "code": target.code, "folder": str(target.folder.resolve())}
        entry |= {"owner": "check", "support": "#check"}
    elif target.entry is not None and not target.entry.place and target.declared is not None:
        entry = {**cast("dict[str, Any]", target.declared.entry or {})}
        entry |= {key: target.entry.settings[key] for key in ("url", "folder") if key in target.entry.settings}
    else:
        hint = "name code of the SDK, its folder, or a server of the fleet file"
        raise Invalid(f"{target.name} is nothing that can be started", hint=hint, code="bad-target")
    tools = target.declared.tools if target.declared is not None else ()
    groups = sorted({group for tool in tools for group in tool.policy.groups} | {"check"})
    people = {name: {"groups": groups} for name in _PEOPLE}
    return {"people": people, "servers": {target.name: {**entry, "access": "everyone"}}}


@dataclass(slots=True)
class Running:
    process: "subprocess.Popen[str]"
    data: Path
    url: str

    def token(self, person: str) -> str:
        return self._said("token", "--as", person, "--ttl", "1h").strip()

    def false_tokens(self, true: str) -> Mapping[str, str]:
        """That token with one thing wrong each, signed by the platform's own key."""
        signer = JoseSigner((self.data / "keys" / "token.jwk").read_text("ascii"))
        claims = signer.read(true) or {}
        return {
            "a token for another audience": signer.sign({**claims, "aud": "https://other.example/mcp"}),
            "a token of another issuer": signer.sign({**claims, "iss": "https://other.example"}),
            "a token that ended": signer.sign({**claims, "iat": 1_600_000_000, "exp": 1_600_000_060}),
        }

    def records(self) -> list[Wire]:
        return [cast("Wire", json.loads(line)) for line in self._said("audit", "export").splitlines()]

    def until_served(self, live: Live) -> None:
        """Wait until it lists its tools. Errors: UpstreamUnreachable."""
        deadline = time.monotonic() + _STARTS_S
        while time.monotonic() < deadline:
            try:
                live.listed(0, "check")
            except (KeyError, ValueError):
                time.sleep(0.2)
            else:
                return
        raise UpstreamUnreachable("the server was started, and lists no tools", hint="start it with pierhead up")

    def stopped(self) -> Iterator[Breach]:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            yield breach("S43", "process", f"it runs still {_ENDS_S:g} s after SIGTERM")
        else:
            if code != 0:
                yield breach("S43", "process", f"it ends with {code} after SIGTERM")

    def _said(self, *words: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own program
            [*_PROGRAM, *words, "--data", str(self.data)],
            capture_output=True,
            text=True,
            timeout=_STARTS_S,
            check=False,
        )
        if done.returncode:
            raise UpstreamUnreachable(f"{words[0]} failed: {done.stderr.strip()[:300]}", hint="try pierhead up")
        return done.stdout


@contextmanager
def _started(folder: Path, fleet: Path) -> Generator[Running]:
    """Errors: UpstreamUnreachable, with the last that it said."""
    port, diagnostics = free_ports(2)
    data, log = folder / "data", folder / "up.log"
    words = ["up", "--fleet", str(fleet), "--data", str(data), "--port", str(port)]
    with log.open("w") as talk:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*_PROGRAM, *words, "--diagnostics-port", str(diagnostics)], stdout=subprocess.PIPE, stderr=talk, text=True
        )
    try:
        while "Ctrl-C" not in (line := process.stdout.readline() if process.stdout else ""):
            if not line:
                said = log.read_text("utf-8", "replace").strip().splitlines()[-3:]
                raise UpstreamUnreachable(f"it does not start: {'; '.join(said)}", hint="start it with pierhead up")
        yield Running(process, data, f"http://127.0.0.1:{port}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(_ENDS_S)
        if process.stdout is not None:
            process.stdout.close()
