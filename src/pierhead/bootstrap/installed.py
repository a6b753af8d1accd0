"""What is installed here, as packages with their versions: for lock files and bills of materials.

Not here: installing anything, or asking an index.
"""

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

_NAME: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def version_of(name: str) -> str:
    """The version of an installed package. Errors: PackageNotFoundError."""
    return distribution(name).version


def locked(name: str, extras: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The package and all it needs, as far as they are installed, by name."""
    found: dict[str, str] = {}
    _add(name, frozenset(extras), found, set())
    return sorted(found.items())


def _add(name: str, extras: frozenset[str], found: dict[str, str], seen: set[tuple[str, frozenset[str]]]) -> None:
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    try:
        package = distribution(name)
    except PackageNotFoundError:  # for another system, or another version of Python
        return
    found[name] = package.version
    for needed, wanted in _needs(package, extras):
        _add(needed, wanted, found, seen)


def _needs(package: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in package.requires or ():
        requirement, _, marker = line.partition(";")
        only_for = set(_EXTRA.findall(marker))
        parts = _NAME.match(requirement)
        if parts is None or (only_for and not only_for & extras):
            continue
        wanted = frozenset(each.strip() for each in (parts[2] or "").split(",") if each.strip())
        yield re.sub(r"[-_.]+", "-", parts[1]).lower(), wanted
