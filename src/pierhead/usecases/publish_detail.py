"""A `server.json` that somebody publishes under our own namespace: registered, and submitted once it can be read.

The document says where the server is; who owns it, who may use it and which of its tools exist stands in its `_meta`,
under `NAMESPACE/registry`, in the members of a fleet file. Nothing of it can be called by that alone: its guard must
have read its definitions, and its reviewers must have signed them. Above: `apps/registry/official`. Below:
`import_server`, `register_server`, `publish_version`. Not here: another registry's names (the import of the API).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pierhead.core.catalog import Stage, Step, Taker
from pierhead.core.errors import Forbidden, Invalid
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.scope import require_scope
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.import_server import Imported, import_server
from pierhead.usecases.official_forms import Place
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.register_server import change_entry, register_server
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.rights import is_owner, level_of

_REASON = "published through the registry API"
_SUBMITTABLE = frozenset({Stage.REGISTERED, Stage.REJECTED})


@dataclass(frozen=True, slots=True)
class Published:
    """What became of it. `stage` is registered while nobody knows its definitions; `notes` is what is left to do."""

    imported: Imported
    version: str
    stage: Stage
    notes: tuple[str, ...]


async def publish_detail(detail: Mapping[str, Json], caller: Caller, place: Place, desk: RegistryDesk) -> Published:
    """Register the server or change its entry, and submit its version if its definitions are known.

    Errors: Forbidden, for another namespace, where registering is refused, and for a token that may not; Invalid;
    Conflict (`changed-meanwhile`).
    """
    name = place.server_of(str(detail.get("name", "")))
    if not name:
        raise Forbidden(
            f"names here begin with {place.namespace}/", hint="publish under that namespace", code="not-yours"
        )
    imported = import_server(dict(detail), _given(detail, place), desk.rights.guests, name)
    known = await desk.catalogue.entry(name)
    if known is None:
        await register_server(name, imported.document, caller, desk)
    else:
        if is_owner(known, caller, desk.rights):
            require_scope(caller.scopes, level_of(known, Taker.OWNER, caller))
        await change_entry(name, imported.document, known.lock, caller, desk)
    if await desk.manifests.one(name) is None:
        awaited = "its definitions are not read yet: submit it when its page shows them"
        return Published(imported, imported.version, Stage.REGISTERED, (*imported.notes, awaited))
    version = await publish_version(name, None, caller, desk)
    if version.stage in _SUBMITTABLE:
        version = await take_step(StepAsked(name, version.version, Step.SUBMIT, _REASON), caller, desk)
    return Published(imported, version.version, version.stage, imported.notes)


def _given(detail: Mapping[str, Json], place: Place) -> Mapping[str, Json]:
    """What the publisher says of the server in our own words."""
    meta, ours = detail.get("_meta"), f"{place.namespace}/registry"
    given = cast("Mapping[str, Json]", meta).get(ours) if isinstance(meta, Mapping) else None
    if not isinstance(given, Mapping):
        raise Invalid(
            f"the server.json does not say who owns the server: _meta has no {ours}",
            hint="put owner, support, access and tools there, as in a fleet file",
            code="bad-import",
        )
    return cast("Mapping[str, Json]", given)
