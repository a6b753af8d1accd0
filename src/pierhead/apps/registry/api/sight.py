"""Which servers of the catalogue a caller may know of, and how one that was never deployed looks.

What is not theirs to know of reads as one that is not there. Below: `usecases/discover`, which says what is. Above:
every endpoint that names a server.
"""

from collections.abc import Sequence

from pierhead.apps.registry.api.answers import Asked
from pierhead.core.catalog import Server, Stage
from pierhead.core.errors import NotFound
from pierhead.usecases import discover
from pierhead.usecases.ports_catalogue import Entry, Version


def reviews(asked: Asked) -> bool:
    """Whether the caller signs versions, or sees everything."""
    return asked.sees_all or discover.reviews(asked.caller, asked.site.registry.rights)


def may_see(asked: Asked, entry: Entry) -> bool:
    site = asked.site
    return discover.may_see(entry, asked.caller, site.snapshots, site.registry.rights, sees_all=asked.sees_all)


def knows_live(asked: Asked, live: Server) -> bool:
    """Whether the caller may know of a live server. Reviewers know of all."""
    return reviews(asked) or discover.may_know(live, asked.caller, asked.site.snapshots)


def no_such_server() -> NotFound:
    """One text for absent and hidden, so that neither can be told from the other."""
    return NotFound("no such server, or not yours to see", hint="GET /api/v1/servers lists yours")


async def entry_seen(asked: Asked, name: str) -> Entry:
    """The entry of that name. Errors: NotFound."""
    entry = await asked.site.registry.catalogue.entry(name)
    if entry is None or not may_see(asked, entry):
        raise no_such_server()
    return entry


async def versions_seen(asked: Asked, entry: Entry) -> Sequence[Version]:
    """Its versions, newest first."""
    return await asked.site.registry.catalogue.versions(entry.name)


def version_in(versions: Sequence[Version], name: str) -> Version:
    """Errors: NotFound."""
    for version in versions:
        if version.version == name:
            return version
    raise NotFound("the server has no such version", hint="GET /api/v1/servers/{name}/versions lists them")


def undeployed(asked: Asked, entry: Entry, versions: Sequence[Version]) -> Server:
    """A server that no policy holds yet, by its entry and its newest version."""
    declared = asked.site.registry.declarations.read(entry.name, entry.document)
    newest = versions[0] if versions else None
    tools = newest.manifest.tools if newest else ()
    return Server(
        name=entry.name,
        version=newest.version if newest else "",
        kind=declared.kind,
        stage=newest.stage if newest else Stage.REGISTERED,
        owner=declared.owner,
        support=declared.support,
        description=declared.description or (newest.manifest.description if newest else ""),
        upstream="",
        tools={tool.name: tool for tool in tools},
        title=declared.title,
        data_class=declared.risk.data_class,
    )
