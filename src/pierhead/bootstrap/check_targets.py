"""What `pierhead check` was asked to look at, found and read: a server of a fleet file, code, a folder, a file.

Nothing is started and nothing is written. Above: `wire_check`. Not here: what the rules say of it.
"""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.fleet import Fleet, FleetServer
from pierhead.bootstrap.plugins import fleet_server, own_server, server_kinds
from pierhead.bootstrap.secret_references import Secrets
from pierhead.bootstrap.variables import with_variables
from pierhead.core.definitions import definition
from pierhead.core.errors import Invalid, NotFound
from pierhead.core.json import Json
from pierhead.usecases.check_declared import Declared
from pierhead.usecases.check_listing import Listing

if TYPE_CHECKING:
    from pierhead.sdk.server import Server

_HINT: Final = "name a server of the fleet file, MODULE:NAME, a folder, or a file: see docs/how-to/check-a-server.md"
_LARGEST: Final = 4 * 1024 * 1024
_NOT_OURS: Final = frozenset({".venv", "venv", "node_modules", ".git", "__pycache__", "tests", "build", "dist"})


@dataclass(frozen=True, slots=True)
class Target:
    """What was found. `sources` are Python files by name, `files` what else lies there by what it is."""

    name: str
    listing: Listing | None = None
    declared: Declared | None = None
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    images: Mapping[str, str] = field(default_factory=dict[str, str])
    clusters: Mapping[str, str] = field(default_factory=dict[str, str])
    locks: Mapping[str, str] = field(default_factory=dict[str, str])
    materials: Mapping[str, str] = field(default_factory=dict[str, str])
    entry: FleetServer | None = None
    code: str = ""
    folder: Path | None = None
    waivers: Path | None = None
    """Where its waivers would lie, if none are named."""

    @property
    def is_nothing(self) -> bool:
        files = (self.sources, self.images, self.clusters, self.locks, self.materials)
        return self.listing is None and self.declared is None and not any(files)

    def beside(self, other: "Target") -> "Target":
        """This, with the files of another."""
        return replace(
            self,
            sources={**self.sources, **other.sources},
            images={**self.images, **other.images},
            clusters={**self.clusters, **other.clusters},
            locks={**self.locks, **other.locks},
            materials={**self.materials, **other.materials},
            listing=self.listing or other.listing,
            declared=self.declared or other.declared,
        )


def find_target(named: str, fleet: Path, data: Path) -> Target:
    """What `named` is: a server of the fleet file, `MODULE:NAME`, or a path. Of a name that is both, the server.

    Errors: NotFound; Invalid (`bad-target`), for a file that is none of those that can be checked; Misconfigured.
    """
    path = Path(named)
    if path.name != named and path.exists():
        return _at(path)
    module, colon, name = named.partition(":")
    if colon and module and name and "/" not in named:
        return _code(named, Path.cwd())
    known = fleet_file.load(fleet, data)
    if named in known.servers:
        return replace(_with_its_folder(_of_fleet(known, named)), waivers=fleet.parent / "waivers.yaml")
    if path.exists():
        return _at(path)
    raise NotFound(
        f"there is no server, code or file {named!r}", hint=f"{_HINT}; {fleet} has {', '.join(known.servers)}"
    )


def _at(path: Path) -> Target:
    return _folder(path) if path.is_dir() else read_file(path)


def _with_its_folder(found: Target) -> Target:
    """What lies beside a server's code belongs to it: lock file, image, cluster files."""
    if not found.code or found.folder is None:
        return found
    return replace(found.beside(_files_in(found.folder)), sources=found.sources)


def _of_fleet(fleet: Fleet, name: str) -> Target:
    entry = fleet.servers[name]
    document = fleet.documents[name]
    if entry.guest is not None:
        tools = [told.tool(tool) for tool, told in entry.declared.items()]
        declared = Declared(document, tools, entry.guest.command, is_guest=True)
        return Target(name, declared=declared, entry=entry)
    if entry.place:
        return Target(name, declared=Declared(document, ()), entry=entry)
    server = fleet_server(entry.kind, entry.name, with_variables(entry.settings, Secrets.unread()))
    found = _of_server(server, document, entry.risk.egress)
    folder = str(entry.settings.get("folder", ""))
    written = _python(Path(folder)) if "code" in entry.settings else _package(server_kinds()[entry.kind].module)
    code = str(entry.settings.get("code", ""))
    place = Path(folder) if code else None
    return replace(found, name=name, entry=entry, sources=written, code=code, folder=place)


def _of_server(server: "Server", document: Mapping[str, Json] | None, egress: Iterable[str] = ()) -> Target:
    """A server of the SDK, as it would be listed: nothing of it runs."""
    tools = server.manifest()
    listing = Listing(
        server=server.name,
        tools=tuple(definition(tool) for tool in tools),
        description=server.description,
        instructions=server.low_level.instructions or "",
        hosts=frozenset(egress) if document is not None else None,
        is_hosted=True,
    )
    asking = frozenset(name for name, bound in server.tools.items() if bound.declaration.asks is not None)
    return Target(server.name, listing, Declared(document, tools, asking=asking))


def _code(code: str, folder: Path) -> Target:
    server = own_server(code, folder)
    module = code.partition(":")[0]
    beside = folder / f"{module.replace('.', '/')}.py"
    written = {beside.name: beside.read_text("utf-8")} if beside.is_file() else _package(module.partition(".")[0])
    found = _of_server(server, None)
    return replace(found, sources=written, code=code, folder=folder, waivers=folder / "waivers.yaml")


def _folder(folder: Path) -> Target:
    """A project: its fleet file's only server of its own, or the code that declares one; and its files."""
    found = _files_in(folder)
    server = _server_of(folder)
    found = replace(server.beside(found), sources=_python(folder)) if server else found
    if found.is_nothing:
        raise NotFound(f"there is nothing to check in {folder}", hint=_HINT)
    return replace(found, folder=folder, waivers=folder / "waivers.yaml")


def _files_in(folder: Path) -> Target:
    """What lies beside a server's code: image, lock, cluster files, bill of materials."""
    found = Target(folder.resolve().name)
    for path in sorted(folder.iterdir()):
        if path.is_file() and _is_of_a_server(path):
            found = found.beside(read_file(path))
    for inner in ("deploy", "k8s", "chart/templates", "manifests"):
        for path in sorted((folder / inner).glob("*.yaml")):
            found = found.beside(read_file(path))
    return found


def _is_of_a_server(path: Path) -> bool:
    """Whether a file of a project says something of its server: of JSON, a listing or a bill of materials."""
    if path.name.startswith(".") or path.stat().st_size > _LARGEST:
        return False
    if path.suffix != ".json":
        return bool(_kind(path))
    try:
        _json(path, path.read_text("utf-8", "replace"))
    except Invalid:
        return False
    return True


def _server_of(folder: Path) -> Target | None:
    for name in ("fleet.yaml", "pierhead.yaml"):
        file = folder / name
        if file.is_file():
            known = fleet_file.load(file)
            ours = [each for each, entry in known.servers.items() if "code" in entry.settings]
            if len(ours) == 1:
                return _of_fleet(known, ours[0])
    codes = list(_declarations(folder))
    return _code(*codes[0]) if len(codes) == 1 else None


def _declarations(folder: Path) -> Iterator[tuple[str, Path]]:
    """Where a module of the folder makes a `Server(...)`: its code, and where that is imported from."""
    for root in (folder, folder / "src"):
        for path in sorted((*root.glob("*.py"), *root.glob("*/*.py"))):
            if _NOT_OURS & set(path.relative_to(root).parts):
                continue
            module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            for name in _servers_in(path.read_text("utf-8")):
                yield f"{module}:{name}", root


def _servers_in(text: str) -> Iterator[str]:
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            made = node.value.func
            if (isinstance(made, ast.Name) and made.id == "Server") or (
                isinstance(made, ast.Attribute) and made.attr == "Server"
            ):
                yield node.targets[0].id


def _python(folder: Path) -> dict[str, str]:
    """The project's own Python files, without its tests."""
    found = [path for path in folder.rglob("*.py") if not _NOT_OURS & set(path.relative_to(folder).parts)]
    return {str(path.relative_to(folder)): path.read_text("utf-8", "replace") for path in sorted(found)}


def _package(module: str) -> dict[str, str]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    place = Path(spec.origin)
    return _python(place.parent) if place.name == "__init__.py" else {place.name: place.read_text("utf-8")}


def read_file(path: Path) -> Target:
    """One file, as what it is. Errors: Invalid (`bad-target`)."""
    text, name = path.read_text("utf-8", "replace"), str(path)
    match _kind(path):
        case "image":
            return Target(name, images={name: text})
        case "cluster":
            return Target(name, clusters={name: text})
        case "lock":
            return Target(name, locks={name: text})
        case "python":
            return Target(name, sources={name: text})
        case "json":
            return _json(path, text)
        case _:
            raise Invalid(f"{path} is nothing that can be checked", hint=_HINT, code="bad-target")


def _kind(path: Path) -> str:
    name = path.name
    if name.startswith(("Dockerfile", "Containerfile")):
        return "image"
    if name.endswith(".lock") or (name.startswith("requirements") and name.endswith(".txt")):
        return "lock"
    if path.suffix in {".yaml", ".yml"}:
        return "cluster" if "\nkind:" in f"\n{path.read_text('utf-8', 'replace')}" else ""
    return {".json": "json", ".py": "python"}.get(path.suffix, "")


def _json(path: Path, text: str) -> Target:
    try:
        document: object = json.loads(text)
    except ValueError as broken:
        raise Invalid(f"{path} is no JSON: {broken}", hint=_HINT, code="bad-target") from None
    if isinstance(document, dict) and cast("dict[str, object]", document).get("bomFormat") == "CycloneDX":
        return Target(str(path), materials={str(path): text})
    wires = tools_in(cast("object", document))
    if wires is None:
        raise Invalid(f"{path} is no answer to tools/list", hint=_HINT, code="bad-target")
    return Target(path.stem, listing=Listing("", wires))


def tools_in(document: object) -> tuple[Mapping[str, object], ...] | None:
    """The tools of an answer to `tools/list`: the message, its result, or the list alone; None for none of them."""
    found = document
    for member in ("result", "tools"):
        if isinstance(found, dict) and member in found:
            found = cast("dict[str, object]", found)[member]
    listed = cast("list[object]", found) if isinstance(found, list) else [None]
    tools = [cast("Mapping[str, object]", each) for each in listed if isinstance(each, dict)]
    is_list = len(tools) == len(listed) and all({"name", "inputSchema"} & tool.keys() for tool in tools)
    return tuple(tools) if is_list else None
