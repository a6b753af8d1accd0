"""What the tools of a knowledge server do: find, read, name owners. Each sees the caller's sources and no others."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from pierhead.sdk import Caller, NotFound, note
from pierhead.sdk.envelope import Envelope, Limits, Link, Page, summed_up
from pierhead.servers.knowledge.answers import (
    FoundIncident,
    FoundOwner,
    FoundSection,
    Hits,
    Incidents,
    OwnersFound,
    ProposedEdit,
    Slice,
    Sources,
    SourceStanding,
)
from pierhead.servers.knowledge.documents import place_of
from pierhead.servers.knowledge.edits import Proposed, propose
from pierhead.servers.knowledge.index import Hit, Index, Kept
from pierhead.servers.knowledge.keeping import Keeper
from pierhead.servers.knowledge.owners import Owners, Registered, nobody, owners_by_path
from pierhead.servers.knowledge.settings import KnowledgeSettings, SourceSettings

Data = TypeVar("Data")

#: An index that was not refreshed for so many of its intervals is stale.
_STALE: Final = 3
_LONGEST_CAUSE: Final = 500
_MOST_LOOKED_AT: Final = 50
_CAUSES: Final = ("root cause", "cause", "analysis")


class Desk:
    """Over one index, which it opens and keeps like the folders while it runs."""

    def __init__(self, chosen: KnowledgeSettings, registered: Registered = nobody) -> None:
        self._chosen = chosen
        self._registered = registered
        self._owners = Owners(chosen.ownership)
        self._index: Index | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def open(self, folder: Path | None) -> None:
        """Open the index in `folder`, in memory without one, and begin to keep it."""
        self._index = await asyncio.to_thread(_opened, folder)
        keeper = Keeper(self._index, self._chosen.sources, self._chosen.refresh_s)
        self._keeping = asyncio.create_task(keeper.keep_for_ever())

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        if self._index is not None:
            await asyncio.to_thread(self._index.close)

    @property
    def index(self) -> Index:
        if self._index is None:
            raise RuntimeError("the desk is not open")
        return self._index

    async def search(self, caller: Caller, query: str, sources: Sequence[str], limit: int) -> Envelope[Hits]:
        """Errors: NotFound (`no-such-source`)."""
        chosen = self._chosen_sources(caller, sources)
        hits = await asyncio.to_thread(self.index.find, query, tuple(chosen), limit)
        found = [self._section(hit) for hit in hits]
        summary = (
            f"{len(found)} of {', '.join(chosen)}: " + "; ".join(hit.title for hit in found) if found else "nothing"
        )
        return await self._enveloped(
            Envelope(
                summary=summed_up(summary),
                data=Hits(hits=found),
                page=Page(returned=len(found)),
                links=[Link(title=hit.title, url=hit.url) for hit in found if hit.url],
            ),
            chosen,
        )

    async def get(self, caller: Caller, doc_id: str, section: str, offset: int, max_bytes: int) -> Envelope[Slice]:
        """Errors: NotFound (`no-such-document`), for a hidden one as well."""
        chosen = self._readable(caller)
        found = await asyncio.to_thread(self.index.document, doc_id, tuple(chosen))
        if found is None:
            raise NotFound(f"there is no document {doc_id!r}", hint="search for it", code="no-such-document")
        document, parts = found
        places = [place for place, _, _ in parts]
        section = place_of(section) if section and section not in places else section
        if section and section not in places:
            message = f"{doc_id} has no section {section!r}"
            raise NotFound(message, hint=f"its sections: {', '.join(places[:20])}", code="no-such-document")
        text = "\n\n".join(f"{heading}\n{body}" for place, heading, body in parts if section in {"", place}).encode()
        piece = text[offset : offset + max_bytes].decode(errors="ignore")
        end = offset + len(piece.encode())
        rest = end < len(text) and end > offset
        told = Slice(
            **self._of(document),
            version=document.version,
            sections=places[:100],
            text=piece,
            offset=offset,
            next_offset=end if rest else None,
        )
        limits = Limits(why="bytes", seen=len(text), next=f"offset={end}, or one section") if rest else None
        summary = f"{document.title}: {len(piece.encode())} of {len(text)} bytes"
        link = [Link(title=document.title, url=told.url)] if told.url else []
        return await self._enveloped(
            Envelope(summary=summed_up(summary), data=told, limits=limits, links=link), {document.source: None}
        )

    async def propose(self, caller: Caller, doc_id: str, patch: str, reason: str) -> Envelope[ProposedEdit]:
        """Errors: NotFound (`no-such-document`), Forbidden (`no-edits`), Invalid (`bad-patch`), ToolFailed."""
        found = await asyncio.to_thread(self.index.document, doc_id, tuple(self._readable(caller)))
        if found is None:
            raise NotFound(f"there is no document {doc_id!r}", hint="search for it", code="no-such-document")
        document, _ = found
        proposed = Proposed(document.id, document.path, patch, reason, caller.name)
        change = await asyncio.to_thread(propose, self._chosen.sources[document.source], proposed)
        note(doc_id=document.id, change=change.id, is_new=change.is_new)
        told = ProposedEdit(
            change=change.id, doc_id=document.id, place=change.place, base=change.base, is_new=change.is_new
        )
        summary = f"{change.place} {'waits for review' if change.is_new else 'was proposed before'}"
        return Envelope(summary=summary, data=told).observed(
            f"edits of {document.source}", await asyncio.to_thread(self.index.now)
        )

    async def incidents(
        self, caller: Caller, query: str, fingerprint: str, since: float, limit: int
    ) -> Envelope[Incidents]:
        """Past incidents by their fingerprint, or by words; the newest first without either."""
        chosen = {name: its for name, its in self._readable(caller).items() if its.holds == "incidents"}
        known = await asyncio.to_thread(self.index.all_of, tuple(chosen), 0.0) if chosen else []
        kept = sorted((each for each in known if _happened(each) >= since), key=_happened, reverse=True)
        if fingerprint:
            kept = [each for each in kept if fingerprint in each.facts.get("fingerprint", "").replace(",", " ").split()]
        elif query:
            recent = {each.id for each in kept}
            most = _MOST_LOOKED_AT if since else limit
            hits = await asyncio.to_thread(self.index.find, query, tuple(chosen), most)
            kept = [hit.document for hit in hits if hit.document.id in recent]
        found = [await self._incident(each, tuple(chosen)) for each in kept[:limit]]
        summary = f"{len(found)} of {len(kept)} incidents that fit" if found else "no incident fits"
        limits = Limits(why="rows", seen=len(kept), next="narrow by `since` or words") if len(kept) > limit else None
        return await self._enveloped(
            Envelope(summary=summary, data=Incidents(incidents=found), page=Page(returned=len(found)), limits=limits),
            chosen,
        )

    async def owner_of(self, caller: Caller, thing: str) -> Envelope[OwnersFound]:
        """Errors: NotFound (`no-such-owner`), which says where was looked."""
        told, fault = self._owners.of(thing)
        readable = self._readable(caller)
        found = [*told, *self._registered(thing, caller), *owners_by_path(thing, readable)]
        if not found:
            raise NotFound(
                f"nobody is named as the owner of {thing!r}",
                hint="looked in the owners file, the registry and the CODEOWNERS of your sources; try its full name",
                code="no-such-owner",
            )
        data = OwnersFound(
            owners=[
                FoundOwner(
                    thing=each.thing, team=each.team, on_call=each.on_call, channel=each.channel, told_by=each.told_by
                )
                for each in found[:10]
            ]
        )
        summary = f"{thing} is {found[0].team}'s" + (f", ask in {found[0].channel}" if found[0].channel else "")
        answer = Envelope(
            status="partial" if fault else "ok", summary=summed_up(summary), data=data, missing=[fault] if fault else []
        )
        return answer.observed("owners", await asyncio.to_thread(self.index.now))

    async def standings(self, caller: Caller) -> Envelope[Sources]:
        chosen = self._readable(caller)
        now = await asyncio.to_thread(self.index.now)
        told = [await self._standing(name, source, now) for name, source in chosen.items()]
        stale = [each.name for each in told if each.is_stale]
        summary = f"{len(told)} sources, {sum(each.documents for each in told)} documents"
        summary += f"; stale: {', '.join(stale)}" if stale else ""
        return Envelope(summary=summed_up(summary), data=Sources(sources=told)).observed("index", now)

    def _readable(self, caller: Caller) -> dict[str, SourceSettings]:
        return {name: source for name, source in self._chosen.sources.items() if source.is_open_to(caller)}

    def _chosen_sources(self, caller: Caller, named: Sequence[str]) -> dict[str, SourceSettings]:
        readable = self._readable(caller)
        if not named:
            return readable
        unknown = [name for name in named if name not in readable]
        if unknown:
            message = f"you have no source {', '.join(map(repr, unknown))}"
            raise NotFound(message, hint=f"yours: {', '.join(readable) or 'none'}", code="no-such-source")
        return {name: readable[name] for name in dict.fromkeys(named)}

    def _of(self, document: Kept) -> dict[str, str]:
        source = self._chosen.sources[document.source]
        return {
            "doc_id": document.id,
            "title": document.title,
            "source": document.source,
            "url": source.url.replace("{path}", quote(document.path)) if source.url else "",
            "edited": _written(document.edited),
            "edited_by": document.edited_by,
            "owner": document.facts.get("owner", source.owner),
        }

    def _section(self, hit: Hit) -> FoundSection:
        return FoundSection(**self._of(hit.document), section=hit.place, heading=hit.heading, excerpt=hit.excerpt)

    async def _incident(self, kept: Kept, sources: Sequence[str]) -> FoundIncident:
        found = await asyncio.to_thread(self.index.document, kept.id, sources)
        parts = found[1] if found is not None else []
        cause = next((body for _, heading, body in parts if _is_cause(heading)), "")
        of = self._of(kept)
        return FoundIncident(
            doc_id=kept.id,
            title=kept.title,
            date=kept.facts.get("date", of["edited"]),
            severity=kept.facts.get("severity", ""),
            fingerprint=kept.facts.get("fingerprint", ""),
            cause=cause.strip()[:_LONGEST_CAUSE],
            excerpt=(parts[0][2] if parts else "").strip()[:_LONGEST_CAUSE],
            url=of["url"],
            owner=of["owner"],
        )

    async def _standing(self, name: str, source: SourceSettings, now: float) -> SourceStanding:
        its = await asyncio.to_thread(self.index.standing, name)
        late = its.refreshed is None or now - its.refreshed > _STALE * self._chosen.refresh_s
        return SourceStanding(
            name=name,
            holds=source.holds,
            owner=source.owner,
            documents=its.documents,
            newest=_written(its.newest) if its.newest else "",
            refreshed=_written(its.refreshed) if its.refreshed else "",
            is_stale=late or bool(its.fault),
            fault=its.fault,
            unread=[f"{path}: {why}" for path, why in its.unread],
        )

    async def _enveloped(self, answer: Envelope[Data], sources: Mapping[str, object]) -> Envelope[Data]:
        """With evidence; partial where a source it rests on was never read, or cannot be."""
        missing: list[str] = []
        for name in sources:
            its = await asyncio.to_thread(self.index.standing, name)
            if its.refreshed is None:
                missing.append(f"{name}: it is being read for the first time")
            elif its.fault:
                missing.append(f"{name}: {its.fault}")
        told = answer.model_copy(update={"missing": missing, "status": "partial"}) if missing else answer
        return told.observed(f"index of {', '.join(sources) or 'nothing'}", await asyncio.to_thread(self.index.now))


def _opened(folder: Path | None) -> Index:
    if folder is None:
        return Index(None)
    folder.mkdir(parents=True, exist_ok=True)
    return Index(folder / "knowledge.db")


def _is_cause(heading: str) -> bool:
    return heading.rpartition(" > ")[2].casefold() in _CAUSES


def _happened(incident: Kept) -> float:
    """When it was, in Unix seconds: the day that it names, or its last edit where it names none."""
    try:
        return datetime.combine(date.fromisoformat(incident.facts.get("date", "")[:10]), time(), UTC).timestamp()
    except ValueError:
        return incident.edited


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
