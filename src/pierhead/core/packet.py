"""What a submitter gives reviewers beside the definitions: reports, bill of materials, signature, scan.

Values alone: each part is kept whole and read once, when it is taken in (`packet_reading`, `packet_report`). A packet
is bound to one version with exactly these definitions, entry and access. Above: `usecases/keep_packet`, the review
page. Not here: the difference to the version before and who gains access, which nobody has to hand in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final, cast

from pierhead.core.definitions import document_digest
from pierhead.core.json import Json
from pierhead.core.review import Binding


class PartKind(StrEnum):
    """What a part of a packet is. There is one of each at most."""

    TESTS = "tests"
    """A report of tests, JUnit XML."""
    EVALS = "evals"
    """A report of evaluations with a model, JUnit XML."""
    SBOM = "sbom"
    """A software bill of materials, CycloneDX JSON."""
    SIGNATURE = "signature"
    """A DSSE envelope around an in-toto statement."""
    SCAN = "scan"
    """What a scanner found, SARIF 2.1.0."""


LARGEST_PART: Final = 2 * 2**20
LARGEST_SIGNATURE: Final = 64 * 2**10
FILE_NAMES: Final[Mapping[PartKind, str]] = {
    PartKind.TESTS: "tests.xml",
    PartKind.EVALS: "evals.xml",
    PartKind.SBOM: "sbom.cdx.json",
    PartKind.SIGNATURE: "signature.dsse.json",
    PartKind.SCAN: "scan.sarif",
}
"""How each part is called in a submitter's folder, and when it is downloaded."""


def largest(kind: PartKind) -> int:
    """How many bytes a part of that kind may have."""
    return LARGEST_SIGNATURE if kind is PartKind.SIGNATURE else LARGEST_PART


@dataclass(frozen=True, slots=True)
class Report:
    """What a report of tests or evaluations counts: its cases, and how many of them failed or were skipped."""

    cases: int
    failed: int
    skipped: int

    @property
    def passes(self) -> bool:
        """Whether something ran, and nothing of it failed."""
        return self.failed == 0 and self.cases > self.skipped


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill of materials: of what, in which version of CycloneDX, of how many components."""

    subject: str
    spec: str
    components: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What scanners found, by SARIF's own levels."""

    scanners: str
    errors: int
    warnings: int
    notes: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a signature says that it signs: SHA-256 digests. Whether it does is asked when somebody looks."""

    subjects: tuple[str, ...]


Told = Report | Bill | Scan | Statement
_TOLD: Final[Mapping[PartKind, type[Told]]] = {
    PartKind.TESTS: Report,
    PartKind.EVALS: Report,
    PartKind.SBOM: Bill,
    PartKind.SIGNATURE: Statement,
    PartKind.SCAN: Scan,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it was handed in. `bound` is `packet_key` of what it is about; `digest` is SHA-256 of its bytes.

    Units: `size` in bytes; `at` in seconds since 1970-01-01 UTC.
    """

    bound: str
    server: str
    version: str
    kind: PartKind
    digest: str
    size: int
    told: Told
    by: str
    at: float


def packet_key(bound: Binding) -> str:
    """What a packet is bound to: another digest of tools, entry or access has another packet."""
    return document_digest(asdict(bound))


def packet_digest(parts: Iterable[Part]) -> str:
    """One digest over all parts, in any order; empty for a packet without any."""
    digests: dict[str, Json] = {str(part.kind): part.digest for part in parts}
    return document_digest(digests) if digests else ""


def told_to_form(told: Told) -> dict[str, Json]:
    return asdict(told)


def told_from_form(kind: PartKind, form: Mapping[str, object]) -> Told:
    """The same back. Errors: TypeError, for what was not written by `told_to_form`."""
    members = {
        name: tuple(cast("list[str]", value)) if isinstance(value, list) else value for name, value in form.items()
    }
    return _TOLD[kind](**members)  # type: ignore[arg-type] - the form was made of one


def is_tested(parts: Iterable[Part]) -> bool:
    """Whether tests and evaluations were both handed in, and both pass."""
    reports = {part.kind: part.told for part in parts if isinstance(part.told, Report)}
    return all(kind in reports and reports[kind].passes for kind in (PartKind.TESTS, PartKind.EVALS))
