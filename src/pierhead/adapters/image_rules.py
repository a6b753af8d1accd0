"""What a Dockerfile, a bill of materials and a lock file break of the standard: S31 to S34. Nothing is built.

Above: `bootstrap/wire_check`. Not here: what runs in the image (`source_rules`), where it runs (`cluster_rules`).
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final

from pierhead.core.semver import precedence
from pierhead.core.standard import Breach, Evidence, Look
from pierhead.core.standard_rules import breach

_WEEK: Final = timedelta(days=7)
_FROM: Final = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}$")
_PIPED: Final = re.compile(r"\b(curl|wget)\b[^|&;]*\|\s*(sudo\s+)?(ba|z|da)?sh\b")
_SECRET: Final = re.compile(
    r"\b\w*(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIALS?)\w*(?<!_FILE)(?<!_PATH)"
    r"\s*[= ]\s*[\"']?[^\s\"'$]+",
    re.IGNORECASE,
)
_SECRET_FILE: Final = re.compile(
    r"(^|/|\s)(\.env|id_rsa|id_ed25519|\.aws|\.ssh|\.netrc|\.npmrc|\.pypirc|[\w.-]+\.(pem|key|p12|pfx))(\s|$)"
)
_PINNED: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
#: The first version of each without a hole that is known of those before it. Newer lists come with releases.
FLOORS: Final[Mapping[str, str]] = {
    "aiohttp": "3.12.14",
    "certifi": "2024.7.4",
    "cryptography": "44.0.1",
    "fastmcp": "3.2.0",
    "h11": "0.16.0",
    "jinja2": "3.1.6",
    "mcp": "1.30.0",
    "python-multipart": "0.0.18",
    "pyyaml": "5.4.0",
    "requests": "2.32.4",
    "starlette": "0.49.1",
    "urllib3": "2.5.0",
}
_SECOND_MCP: Final = ("2.0.0", "2.2.0")


def check_images(files: Mapping[str, str], materials: Mapping[str, str], locks: Mapping[str, str]) -> Evidence:
    """The evidence of the source I: S34 of Dockerfiles, S33 of a bill of materials beside a lock file."""
    found = [each for name, text in files.items() for each in _image(name, text)]
    unlooked: dict[tuple[str, Look], str] = {}
    if not files:
        unlooked["S34", Look.IMAGE] = "no Dockerfile"
    pinned = {name: version for text in locks.values() for name, version in pins(text).items()}
    if materials and pinned:
        found += [each for name, text in materials.items() for each in _materials(name, text, pinned)]
    else:
        unlooked["S33", Look.IMAGE] = "no bill of materials beside a lock file"
    return Evidence(tuple(found), frozenset({Look.IMAGE}), unlooked)


def check_locks(files: Mapping[str, str], today: date) -> Evidence:
    """Evidence of the source M about S31 and S32; a lock file that has no dates leaves S32 unseen."""
    found = [each for name, text in files.items() for each in _lock(name, text)]
    dated = [each for name, text in files.items() for each in _ages(name, text, today)]
    has_dates = any("upload-time" in text for text in files.values())
    unlooked = {} if has_dates else {("S32", Look.MANIFEST): "the lock file has no dates"}
    return Evidence((*found, *dated), frozenset({Look.MANIFEST}), unlooked)


def _image(name: str, text: str) -> Iterator[Breach]:
    stages: set[str] = set()
    user, last = "", 1
    for number, line in _instructions(text):
        last = number
        word, _, rest = line.partition(" ")
        if found := _FROM.match(line):
            if found[1].lower() not in {*stages, "scratch"} and not _DIGEST.search(found[1]):
                yield breach("S34", f"{name}:{number}", "the base image is named by a tag")
            stages |= {found[2].lower()} if found[2] else set()
            user = ""
        user = rest.strip() if word.upper() == "USER" else user
        if what := _layer(word.upper(), line):
            yield breach("S34", f"{name}:{number}", what)
    if user.split(":")[0] in {"", "root", "0"}:
        yield breach("S34", f"{name}:{last}", "it runs as root")


def _layer(word: str, line: str) -> str:
    """What is wrong with what an instruction puts into the image."""
    if word in {"ENV", "ARG"} and _SECRET.search(line):
        return f"a secret in {word}, which every layer keeps"
    if word in {"COPY", "ADD"} and (_SECRET_FILE.search(line) or (word == "ADD" and "://" in line)):
        return "it copies a secret, or what an address gives today"
    return "what an address gives today is piped into a shell" if word == "RUN" and _PIPED.search(line) else ""


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Each instruction on one line, with the number of its first."""
    whole, began = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        began = began or number
        whole = f"{whole} {line.strip()}".strip()
        if whole.endswith("\\"):
            whole = whole[:-1]
            continue
        yield began, whole
        whole, began = "", 0


def _materials(name: str, text: str, pinned: Mapping[str, str]) -> Iterator[Breach]:
    try:
        components: list[Any] = json.loads(text).get("components", [])
        listed = {_plain(str(each["name"])): str(each.get("version", "")) for each in components}
    except (ValueError, KeyError, AttributeError, TypeError):
        yield breach("S33", name, "it is no bill of materials")
        return
    lacking = sorted(pinned.keys() - listed.keys())
    other = sorted(each for each in pinned.keys() & listed.keys() if listed[each] != pinned[each])
    for what, which in (("lacks", lacking), ("has other versions of", other)):
        if which:
            yield breach("S33", name, f"it {what} {', '.join(which[:5])}" + (" and more" if len(which) > 5 else ""))  # noqa: PLR2004 - enough to begin


def pins(text: str) -> dict[str, str]:
    """What a lock file pins, by name: of `requirements`, or of uv."""
    if text.lstrip().startswith("version =") or "[[package]]" in text:
        packages: list[Any] = tomllib.loads(text).get("package", [])
        return {_plain(each["name"]): str(each["version"]) for each in packages if "version" in each}
    found = (_PINNED.match(line.strip()) for line in text.splitlines())
    return {_plain(each[1]): each[2] for each in found if each}


def _lock(name: str, text: str) -> Iterator[Breach]:
    try:
        found = pins(text)
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        yield breach("S31", f"{name}:1", "it cannot be read")
        return
    lines = text.splitlines()
    for package, version in found.items():
        number = next((at for at, line in enumerate(lines, 1) if package in _plain(line)), 1)
        least = (
            _SECOND_MCP[1]
            if package == "mcp" and precedence(version) >= precedence(_SECOND_MCP[0])
            else FLOORS.get(package)
        )
        if least is not None and precedence(_three(version)) < precedence(least):
            yield breach(
                "S31", f"{name}:{number}", f"{package} {version} is known to be broken", f"{package} >= {least}"
            )
    if "[[package]]" not in text:
        yield from _unlocked(name, lines)


def _unlocked(name: str, lines: list[str]) -> Iterator[Breach]:
    """A requirement that is not pinned; and those without a hash, as one."""
    bare: list[tuple[int, str]] = []
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    for number, line in enumerate(whole, start=1):
        said = line.strip()
        if not said or said.startswith(("#", "-")):
            continue
        if not _PINNED.match(said):
            yield breach("S31", f"{name}:{number}", f"{said.split(' ')[0][:60]!a} is not pinned")
        elif "--hash=" not in said:
            bare.append((number, f"{said.split(' ')[0][:60]!a}"))
    if bare:
        number, first = bare[0]
        more = f", and {len(bare) - 1} more like it" if bare[1:] else ""
        yield breach("S31", f"{name}:{number}", f"{first} has no hash{more}", "uv pip compile --generate-hashes")


def _ages(name: str, text: str, today: date) -> Iterator[Breach]:
    """Packages of uv's lock that were uploaded within a week."""
    if "upload-time" not in text:
        return
    for each in tomllib.loads(text).get("package", []):
        given = [one.get("upload-time", "") for one in (*each.get("wheels", []), each.get("sdist", {}))]
        newest = max((str(one)[:10] for one in given if one), default="")
        if newest and today - date.fromisoformat(newest) < _WEEK:
            yield breach("S32", f"{name}:1", f"{each['name']} is of {newest}")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _three(version: str) -> str:
    """With three numbers: `5.4` is `5.4.0`."""
    numbers = re.findall(r"\d+", version.partition("+")[0])[:3]
    return ".".join(str(int(each)) for each in (*numbers, "0", "0")[:3])
