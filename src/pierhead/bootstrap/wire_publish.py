"""Everything that `pierhead publish` hands in, made from a project; nothing is sent from here.

Below: `projects`, `evidence`, `adapters/publisher_key`. Above: `apps/cli/publish`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

from pierhead.adapters.publisher_key import PublisherKey
from pierhead.bootstrap.document import read_document
from pierhead.bootstrap.evidence import bill_of, run_tests
from pierhead.bootstrap.projects import Project
from pierhead.bootstrap.wire_check import CheckAsked, run_check
from pierhead.core.definitions import tools_digest
from pierhead.core.errors import Invalid
from pierhead.core.packet import FILE_NAMES, PartKind
from pierhead.usecases.check_definitions import check_definitions, refuse_hostile
from pierhead.usecases.wire_forms import Manifest, manifest_to_form


@dataclass(frozen=True, slots=True)
class Offer:
    """One version as its author hands it in. `parts` are files in the project's folder `packet`."""

    name: str
    manifest: Mapping[str, Any]
    digest: str
    parts: Mapping[PartKind, Path]
    key: PublisherKey


def offer_of(project: Project, key: Path | None, tests: Path | None, today: date) -> Offer:
    """Load, check, test, bill and sign.

    `tests` is a report that was made already. Errors: Misconfigured (`no-such-code`); Invalid (`hostile-definition`,
    `no-examples`, `below-standard`, `no-lock`, `bad-key`); ToolFailed (`tests-failed`).
    """
    server = project.server()
    manifest = Manifest(server.version, server.description, "", server.manifest(), server.low_level.instructions or "")
    refuse_hostile(check_definitions(server.name, manifest, {}))
    if bare := [tool.name for tool in manifest.tools if not tool.examples]:
        message = f"no examples of {', '.join(bare)}: reviewers and tests need two sets of arguments"
        raise Invalid(message, hint="declare them: examples=[{...}, {...}]", code="no-examples")
    _hold_to_standard(project, server.name, today)
    packet = project.folder / "packet"
    files = {kind: packet / FILE_NAMES[kind] for kind in (PartKind.TESTS, PartKind.SBOM, PartKind.SIGNATURE)}
    bill = bill_of(project.folder, server.name, server.version)
    signer = PublisherKey.at(key or project.folder / "publisher.key")
    packet.mkdir(exist_ok=True)
    if tests is None:
        run_tests(project.folder, files[PartKind.TESTS])
    else:
        files[PartKind.TESTS] = tests
    digest = tools_digest(manifest.instructions, manifest.tools)
    files[PartKind.SBOM].write_bytes(bill)
    files[PartKind.SIGNATURE].write_bytes(signer.envelope(digest))
    form = {name: value for name, value in manifest_to_form(manifest).items() if name != "upstream"}
    return Offer(server.name, form, digest, files, signer)


def _hold_to_standard(project: Project, name: str, today: date) -> None:
    """As `pierhead check` would; a project without a fleet file is held to it by its registry alone."""
    if not entry_of(project, name):
        return
    asked = CheckAsked(target=name, fleet=project.fleet, data=project.folder / ".pierhead", today=today)
    report = run_check(asked, None)
    if report.blocks:
        rules = ", ".join(verdict.rule.id for verdict in report.verdicts if verdict.blocks)
        hint = f"pierhead check {name} --fleet {project.fleet}"
        raise Invalid(f"{name} breaks the security standard: {rules}", hint=hint, code="below-standard")


def entry_of(project: Project, name: str) -> Mapping[str, Any]:
    """What the project's fleet file says of that server; empty where it says nothing."""
    if not project.fleet.is_file():
        return {}
    servers = read_document(project.fleet).values.get("servers")
    found: object = cast("dict[str, object]", servers).get(name) if isinstance(servers, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
