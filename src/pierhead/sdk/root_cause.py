"""The record of a root cause: what broke, why, how sure that is, what shows it, and what could be done.

A record is held to the evidence that it cites: `held_to`. Not here: who may write one, where it is kept (`analyses`),
and the finding itself, which is a model's or a person's.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pierhead.core.errors import Invalid

Confidence = Literal["confirmed", "likely", "possible"]

_EVIDENCE: Final = r"^ev_[0-9a-f]{16}$"

Text = Annotated[str, Field(max_length=1_000)]
Quote = Annotated[str, Field(max_length=1_200)]
EvidenceId = Annotated[str, Field(pattern=_EVIDENCE)]
Cited = Annotated[tuple[EvidenceId, ...], Field(max_length=20)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Impact(_Part):
    """What it meant for one table, job or service; `class` is not checked where nobody looked."""

    entity: Annotated[str, Field(min_length=1, max_length=300)]
    kind: Annotated[
        Literal["affected", "healthy", "other_cause", "not_checked"], Field(alias="class", serialization_alias="class")
    ]
    evidence: Cited = ()
    quote: Quote = ""


class Moment(_Part):
    at: Annotated[str, Field(max_length=40)]
    what: Text
    evidence: Cited = ()


class Cause(_Part):
    """`quote` stands in one of the evidence as it is."""

    claim: Annotated[str, Field(min_length=1, max_length=1_000)]
    confidence: Confidence
    evidence: Annotated[tuple[EvidenceId, ...], Field(min_length=1, max_length=20)]
    quote: Quote = ""


class Fix(_Part):
    """What is proposed. It is carried out by whoever approves its plan, never by this record."""

    kind: Literal["rerun", "config", "code", "data", "none"]
    proposal: Text = ""
    plan_id: Annotated[str, Field(max_length=100)] = ""
    risk: Text = ""
    rollback: Text = ""
    approval_class: Literal["none", "confirm", "approve", "four-eyes"] = "none"


class RootCause(_Part):
    """The whole record. `fingerprints` are those of `tracebacks`: the same failure is found again by them."""

    incident: Annotated[str, Field(max_length=300)] = ""
    title: Annotated[str, Field(min_length=1, max_length=200)]
    fingerprints: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=20)] = ()
    impact: Annotated[tuple[Impact, ...], Field(max_length=50)] = ()
    timeline: Annotated[tuple[Moment, ...], Field(max_length=50)] = ()
    root_cause: Cause
    contributing: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    ruled_out: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    not_checked: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    fix: Fix = Fix(kind="none")
    prevention: Annotated[tuple[Text, ...], Field(max_length=20)] = ()

    def cited(self) -> frozenset[str]:
        """Every evidence that it names."""
        parts = (self.root_cause, *self.impact, *self.timeline)
        return frozenset(each for part in parts for each in part.evidence)


def held_to(record: RootCause, ledger: Mapping[str, str], *, is_whole: bool) -> RootCause:
    """The record as far as the evidence bears it: a cause that is `confirmed` without a quote from it is `likely`.

    Shapes: `ledger` has the text of each evidence by its id; `is_whole` says that there is no other, as for whoever
    kept all answers of one investigation. One server knows its own alone: then ids of others prove nothing here.
    Errors: Invalid (`false-citation`), naming every id that is not there and every quote that its evidence does not
    hold.
    """
    faults = [f"there is no evidence {each}" for each in sorted(record.cited() - ledger.keys())] if is_whole else []
    quoted = [("root_cause", record.root_cause), *((f"impact of {each.entity}", each) for each in record.impact)]
    for place, part in quoted:
        texts = [ledger[each] for each in part.evidence if each in ledger]
        if part.quote and len(texts) == len(part.evidence) and not _stands_in(part.quote, texts):
            faults.append(f"the quote of {place} stands in none of its evidence")
    if faults:
        message = "; ".join(faults[:10])
        raise Invalid(message, hint="cite ids of answers that you were given, and quote them", code="false-citation")
    cause = record.root_cause
    known = [ledger[each] for each in cause.evidence if each in ledger]
    if cause.confidence != "confirmed" or (cause.quote and _stands_in(cause.quote, known)):
        return record
    return record.model_copy(update={"root_cause": cause.model_copy(update={"confidence": "likely"})})


def _stands_in(quote: str, texts: Iterable[str]) -> bool:
    """Whether a quote is part of a text; how lines were broken does not count."""
    wanted = " ".join(quote.split())
    return any(wanted in " ".join(text.split()) for text in texts)
