"""What secrets look like in texts: by the names they stand behind, and by their own shape.

Texts of logs, errors, plans and documents; what is kept of arguments is `redaction`'s alone. One function replaces,
`without_secrets`; each replacement names its kind: `[redacted:jwt]`. A secret of no known name and no known shape is
not found. Above: `sdk/redacting`, which every answer of a domain server goes through.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

#: A reader in pieces holds back so many characters, so that no shape below is cut; keys in PEM are smaller too.
LONGEST_SECRET: Final = 8_192

_PROSE: Final = r"(?:not|the|set|is|was|has|failed|invalid|expired|missing|error|unable|could|cannot|required|denied)"
_KEPT: Final = re.compile(
    rf"""["'\\]*(?:\[redacted:|\*{{3,}}|\$\{{|\{{\{{|(?:true|false|null|none|nil)\b|{_PROSE}\Z|[("'\\]*\Z)""",
    re.IGNORECASE,
)
_IS_CODE: Final = re.compile(
    r"(?:\b(?:Expired|Invalid|Missing|Malformed|Unrecognized|Bad)\w*|\w*(?:Error|Exception|Failure|Fault))\Z"
)
_NUMBER: Final = re.compile(r"\d{1,12}(?:\.\d+)?\Z")

#: Behind these words stands a secret. Tokens, keys and credentials are counted and named too, so some are told apart.
_NAMES: Final = (
    r"pass(?:word|wd|phrase|code)s?|pwd|secrets?|tokens?|credentials?|(?<![a-z])pass(?![a-z])"
    r"|(?:access|private|api|account|shared|auth|encryption|signing|master|client|storage|secret)[._-]?keys?"
    r"|hook[._-]?url|connection[._-]?string|session[._-]?id"
)
_NAME_HINTS: Final = ("pass", "pwd", "secret", "token", "credential", "key", "hook", "connection", "session")
_VALUE: Final = (
    r"(?P<value>\\\"[^\"\\\r\n]*\\\"|\"(?:[^\"\\\r\n]|\\.)*\"|'(?:[^'\\\r\n]|\\.|'')*'"
    r"|\[redacted:[a-z-]+\]|\$\{[^}\s]*\}|[^\s,;&\"'<>()\[\]{}|\\]+)"
)


def _assigned(names: str) -> re.Pattern[str]:
    given = r"(?P<between>\\?[\"']?\s{0,3}(?:=>|:=|=|:)\s{0,3})"
    return re.compile(rf"(?P<name>(?:{names}))(?P<rest>[\w.-]{{0,40}}){given}{_VALUE}", re.IGNORECASE)


_ASSIGNED: Final = _assigned(_NAMES)
_FLAG: Final = re.compile(
    r"(?P<flag>(?<!\S)--?[\w-]{0,40}(?:password|passwd|secret|token|api-?key|access-?key|credentials?)[\w-]{0,20}"
    r"[ \t]+)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|(?!-)[^\s\"']+)",
    re.IGNORECASE,
)
_SCHEMES: Final = r"(?:basic|bearer|digest|negotiate|token|ntlm|apikey|aws4-hmac-sha256)"
_PEM_BEGIN: Final = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM_END: Final = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM: Final = re.compile(rf"{_PEM_BEGIN}(?s:.*?)(?:{_PEM_END}|\Z)")
_PEM_REST: Final = re.compile(_PEM_END)
_PEM_LINE: Final = re.compile(r"[A-Za-z0-9+/=]{40,}(?:\\[rn])*\s*\Z")
_PEM_LAST: Final = re.compile(r"[A-Za-z0-9+/=]+\s*\Z")

#: Kind; texts of which one, in lower case, stands in whatever the pattern fits; pattern; what of the match stays.
_SHAPES: Final[tuple[tuple[str, tuple[str, ...], re.Pattern[str], str], ...]] = tuple(
    (kind, hints, re.compile(pattern), kept)
    for kind, hints, pattern, kept in (
        (
            "authorization",
            ("authorization",),
            (
                rf"(?i)(\b(?:proxy-)?authorization\\?[\"']?\s{{0,3}}[=:](?!\W{{0,6}}redacted:)\s{{0,3}}\\?[\"']?)(?:{_SCHEMES}\s+)?"
                r"[^\s\"',;\\]+(?:,\s*\w+=(?:\"[^\"]*\"|[^\s,\"']+))*"
            ),
            r"\1{}",
        ),
        (
            "cookie",
            ("cookie",),
            r"(?i)(\b(?:set-)?cookie\\?[\"']?\s{0,3}:(?!\W{0,6}redacted:)\s{0,3}\\?[\"']?)[^\r\n\"'\\]+",
            r"\1{}",
        ),
        ("bearer", ("bearer",), r"(?i)(\bbearer\s+)(?!\[redacted:)[A-Za-z0-9._~+/=-]{12,}", r"\1{}"),
        ("basic", ("basic",), r"(\b[Bb]asic\s+)(?=[A-Za-z0-9+/]{0,400}[0-9=])[A-Za-z0-9+/]{8,}={0,2}", r"\1{}"),
        ("jwt", ("eyj",), r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*){0,3}", "{}"),
        (
            "url-credentials",
            ("://",),
            r"(?i)(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{1,40}://)(?!\[redacted:)[^\s/:@\"'<>]{0,200}:[^\s/\"'<>]{1,400}@",
            r"\1{}@",
        ),
        (
            "url-credentials",
            ("jdbc:oracle:",),
            r"(?i)(\bjdbc:oracle:[a-z]{2,8}:)[^\s/:@\"'<>]{1,100}/[^\s@\"'<>]{1,200}@",
            r"\1{}@",
        ),
        (
            "signature",
            ("sig=", "signature=", "credential=", "security-token="),
            (
                r"(?i)(\b(?:x-(?:amz|goog)-(?:signature|credential|security-token)|(?<=[?&;])sig|(?<=[?&;])signature)=)"
                r"(?!\[redacted:)[^&\s\"'<>]+"
            ),
            r"\1{}",
        ),
        (
            "aws-key",
            ("akia", "asia", "agpa", "aida", "aroa", "aipa", "anpa", "anva", "abia", "acca"),
            r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}\b",
            "{}",
        ),
        (
            "google-key",
            ("aiza", "ya29.", "gocspx-"),
            r"\bAIza[0-9A-Za-z_-]{35}|\bya29\.[0-9A-Za-z_-]{20,}|\bGOCSPX-[0-9A-Za-z_-]{20,}",
            "{}",
        ),
        (
            "github-token",
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
            r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
            "{}",
        ),
        (
            "slack-token",
            ("xox", "hooks.slack.com"),
            r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9/]{10,}",
            "{}",
        ),
        (
            "service-token",
            (
                "glpat-",
                "k_live_",
                "k_test_",
                "npm_",
                "pypi-",
                "dapi",
                "sk-",
                "hf_",
                "hvs.",
                "hvb.",
                "hvr.",
                "sg.",
                "dop_v1_",
            ),
            (
                r"\bglpat-[A-Za-z0-9_-]{16,}|\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|\bnpm_[A-Za-z0-9]{30,}"
                r"|\bpypi-AgE[A-Za-z0-9_-]{30,}|\bdapi[0-9a-f]{32}(?:-\d)?\b|\bsk-[A-Za-z0-9_-]{20,}|\bhf_[A-Za-z0-9]{30,}"
                r"|\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bdop_v1_[0-9a-f]{40,}"
            ),
            "{}",
        ),
        (
            "sql-password",
            ("identified",),
            (
                r"(?i)(\bidentified\s+(?:with\s+\S{1,60}\s+)?(?:by|as)(?!\s+\[redacted:)\s+(?:password(?!\s+\[redacted:)\s+)?)"
                r"(?:'(?:[^'\\]|\\.|'')*'|\"[^\"]*\"|[^\s;'\"]+)"
            ),
            r"\1{}",
        ),
        (
            "sql-password",
            ("password '", "password  '", "credentials '"),
            r"(?i)(\b(?:password|credentials)\s{1,3})'(?:[^'\\]|\\.|'')*'",
            r"\1{}",
        ),
    )
)


def without_secrets(text: str, names: Collection[str] = ()) -> str:
    """`text` with each secret replaced by `[redacted:<kind>]`; doing so twice changes nothing more.

    `names` are further words behind which secrets stand, of the owner of what is read.
    """
    if names:
        text = _named(tuple(sorted(names))).sub(_replaced_named, text)
    folded = text.lower()
    if "private key" in folded:
        text = _without_keys(text)
    for kind, hints, pattern, kept in _SHAPES:
        if any(hint in folded for hint in hints):
            text = pattern.sub(kept.replace("{}", f"[redacted:{kind}]"), text)
    if any(hint in folded for hint in _NAME_HINTS):
        text = "\n".join(_without_assigned(line) for line in text.split("\n"))
    return text


def is_secret_name(name: str, names: Collection[str] = ()) -> bool:
    """Whether the value of a member of that name is a secret: by the words above, or one of `names`."""
    folded = name.casefold()
    return any(own.casefold() in folded for own in names) or _known_name(name[:_LONGEST_NAME])


_LONGEST_NAME: Final = 200
#: Told apart: cursors of lists, counts and times, and the mere plural of tokens.
_SECRET_MEMBER: Final = re.compile(
    r"(?i)\A(?!(?:next|prev|previous|page|continuation|sync)[._-]?(?:page)?[._-]?tokens?\Z|tokens\Z"
    r"|token[._-]?(?:count|type)|(?:max|min|input|output|total|prompt|completion|num)[._-]?tokens?"
    rf"|.{{0,200}}[._-](?:at|count|seconds|ttl|type|renewer)\Z).{{0,200}}?(?:{_NAMES})"
)


@lru_cache(maxsize=4_096)
def _known_name(name: str) -> bool:
    return _SECRET_MEMBER.search(name) is not None


@lru_cache(maxsize=64)
def _named(names: tuple[str, ...]) -> re.Pattern[str]:
    return _assigned("|".join(re.escape(name) for name in names))


def _without_keys(text: str) -> str:
    """Keys in PEM; of one whose beginning was cut away, the lines before its end."""
    text = _PEM.sub("[redacted:private-key]", text)
    kept: list[str] = []
    begin = 0
    for found in _PEM_REST.finditer(text):
        before = text[begin : found.start()]
        lines = before.splitlines(keepends=True)
        is_short = bool(lines) and _PEM_LAST.match(lines[-1]) is not None
        if is_short and (len(lines) == 1 or _PEM_LINE.match(lines[-2])):
            lines.pop()  # the last line of a key is shorter than the others
        while lines and _PEM_LINE.match(lines[-1]):
            lines.pop()
        kept += ["".join(lines), "[redacted:private-key]"]
        begin = found.end()
    return "".join([*kept, text[begin:]])


def _without_assigned(line: str) -> str:
    folded = line.lower()
    if not any(hint in folded for hint in _NAME_HINTS):
        return line
    return _FLAG.sub(_flag_without, _ASSIGNED.sub(_assigned_without, line))


def _assigned_without(found: re.Match[str]) -> str:
    name, value = found["name"].casefold(), found["value"]
    whole = found.string[max(0, found.start() - 64) : found.start("between")]
    may_count = name == "pass" or name.startswith(("token", "credential", "session"))
    is_counted = may_count and _NUMBER.match(value.strip("\"'"))
    if _KEPT.match(value) or is_counted or _IS_CODE.search(whole):
        return found[0]
    return _replaced(found, _kind(name))


def _flag_without(found: re.Match[str]) -> str:
    return found[0] if _KEPT.match(found["value"]) else f"{found['flag']}[redacted:argument]"


def _kind(name: str) -> str:
    if name.startswith(("pass", "pwd")):
        return "password"
    if name.startswith("token"):
        return "token"
    return "key" if "key" in name else "secret"


def _replaced(found: re.Match[str], kind: str) -> str:
    """The replacement in the quotes that the value had, so that JSON stays JSON."""
    value = found["value"]
    quote = next((mark for mark in ('\\"', '"', "'") if value.startswith(mark)), "")
    return f"{found['name']}{found['rest']}{found['between']}{quote}[redacted:{kind}]{quote}"


def _replaced_named(found: re.Match[str]) -> str:
    is_done = found["value"].strip("\\\"'").startswith("[redacted:")
    return found[0] if is_done else _replaced(found, "named")
