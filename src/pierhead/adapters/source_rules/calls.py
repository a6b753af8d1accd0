"""Rules about what code calls, whoever calls it: programs, tokens, hosts, SQL, requests, logs."""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Final

from pierhead.adapters.source_rules.tree import (
    Found,
    Module,
    dotted_name,
    is_constant,
    is_made_up,
    is_value,
    keyword,
    names_in,
    text_of,
)

_RUNS: Final = {
    "os.system": "a shell runs it",
    "os.popen": "a shell runs it",
    "subprocess.getoutput": "a shell runs it",
    "subprocess.getstatusoutput": "a shell runs it",
    "asyncio.create_subprocess_shell": "a shell runs it",
    "eval": "what is evaluated is run",
    "exec": "what is executed is run",
    "pickle.load": "a pickle runs what it likes",
    "pickle.loads": "a pickle runs what it likes",
    "marshal.loads": "marshal holds code",
    "shelve.open": "a shelf holds pickles",
    "dill.loads": "a pickle runs what it likes",
    "cloudpickle.loads": "a pickle runs what it likes",
    "jsonpickle.decode": "it makes objects of any class",
    "yaml.unsafe_load": "it makes objects of any class",
    "yaml.full_load": "it makes objects of any class",
}
_SUBPROCESS: Final = re.compile(r"subprocess\.(run|call|check_call|check_output|Popen)")
_SAFE_LOADERS: Final = ("SafeLoader", "CSafeLoader", "BaseLoader")
_EXECUTES: Final = frozenset(
    {"execute", "executemany", "executescript", "exec_driver_sql", "fetchrow", "fetchval", "raw"}
)
_OPEN_HOSTS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what is looked for
_LOGS: Final = re.compile(
    r"(^|\.)(_?log|_?logger|logging|_LOG)\.(debug|info|warning|error|exception|critical|log)$|^print$"
)
_PRIVATE: Final = re.compile(
    r"(^|_)(token|tokens|password|passwd|secret|secrets|authorization|headers|credential|credentials|api_key|apikey|cookie"
    r"|cookies|arguments|kwargs)$",
    re.IGNORECASE,
)
_HANDLES: Final = re.compile(r"(^|_)(token|handle|ticket|session|nonce|cursor|secret|state_id|result_id|job_id)(_id)?$")
_REQUESTS: Final = re.compile(
    r"(requests|httpx|httpx2|aiohttp|urllib\.request)\.(get|post|put|patch|delete|head|request|urlopen)$"
)
_CLIENTS: Final = re.compile(r"(httpx|httpx2)\.(AsyncClient|Client)$")


def _runs(module: Module) -> Iterator[Found]:
    for call, name in module.calls:
        if name in _RUNS and (not call.args or name not in {"eval", "exec"} or not is_constant(call.args[0])):
            yield Found(call.lineno, f"{name}: {_RUNS[name]}")
        elif is_value(keyword(call, "shell"), value=True):
            yield Found(call.lineno, f"{name} with shell=True: a shell runs it")
        elif _SUBPROCESS.fullmatch(name) and call.args and is_made_up(call.args[0]):
            yield Found(call.lineno, f"{name} of a text that was put together")
        elif name == "yaml.load" and not dotted_name(keyword(call, "Loader") or call.args[-1]).endswith(_SAFE_LOADERS):
            yield Found(call.lineno, "yaml.load makes objects of any class")
        elif name.endswith((".from_string", "jinja2.Template")) and call.args and not is_constant(call.args[0]):
            yield Found(call.lineno, f"{name.rpartition('.')[2]}: a template that was given is run")


def _tokens(module: Module) -> Iterator[Found]:
    for call, name in module.calls:
        lacking = [each for each in ("algorithms", "audience", "issuer") if keyword(call, each) is None]
        if lacking and re.fullmatch(r"(jwt|jose\.jwt|jwt\.api_jwt)\.decode", name):
            yield Found(call.lineno, f"a token is decoded without {', '.join(lacking)}")
        taken = keyword(call, "algorithms")
        if taken is not None and "none" in {text.lower() for text in _texts(taken)}:
            yield Found(call.lineno, "the algorithm none is taken")
    for node in module.nodes:
        if isinstance(node, ast.Dict):
            yield from _turned_off(node)


def _turned_off(node: ast.Dict) -> Iterator[Found]:
    for key, value in zip(node.keys, node.values, strict=True):
        if text_of(key).startswith("verify_") and is_value(value, value=False):
            yield Found(node.lineno, f"{text_of(key)} is turned off")


def _doors(module: Module) -> Iterator[Found]:
    for call, _ in module.calls:
        for each in call.keywords:
            if each.arg in {"allow_origins", "allowed_hosts", "allowed_origins", "allow_hosts"} and "*" in _texts(
                each.value
            ):
                yield Found(call.lineno, f"{each.arg} names everybody")
            elif each.arg == "host" and text_of(each.value) in _OPEN_HOSTS:
                yield Found(call.lineno, "it listens to every machine")
            elif each.arg == "enable_dns_rebinding_protection" and is_value(each.value, value=False):
                yield Found(call.lineno, "the check of Host and Origin is turned off")


def _texts(node: ast.AST) -> set[str]:
    return {text_of(each) for each in ast.walk(node)}


def _passed_on(module: Module) -> Iterator[Found]:
    """What was read of `Authorization` and is given as a header of a request."""
    held = {
        name
        for node in module.nodes
        if isinstance(node, ast.Assign) and _reads_token(node.value)
        for name in _targets(node)
    }
    for call, name in module.calls:
        headers = keyword(call, "headers")
        if headers is not None and (_reads_token(headers) or names_in(headers) & held or _is_whole(headers)):
            yield Found(call.lineno, f"{name.rpartition('.')[2]} is given the caller's own headers")


def _reads_token(node: ast.AST) -> bool:
    """`request.headers["authorization"]`, or `.get("authorization")` of headers."""
    for each in ast.walk(node):
        if (
            isinstance(each, ast.Subscript)
            and "headers" in ast.unparse(each.value)
            and text_of(each.slice).lower() == "authorization"
        ):
            return True
        if isinstance(each, ast.Call) and dotted_name(each.func).endswith("headers.get") and each.args:
            return text_of(each.args[0]).lower() == "authorization"
    return False


def _is_whole(node: ast.AST) -> bool:
    return any(
        dotted_name(each).endswith("request.headers") for each in ast.walk(node) if isinstance(each, ast.Attribute)
    ) and not any(
        isinstance(each, ast.Subscript) or (isinstance(each, ast.Attribute) and each.attr == "get")
        for each in ast.walk(node)
    )


def _targets(node: ast.Assign) -> set[str]:
    return {each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _statements(module: Module) -> Iterator[Found]:
    for call, name in module.calls:
        if name.rpartition(".")[2] in _EXECUTES and "." in name and call.args and _is_sql(call.args[0]):
            yield Found(call.lineno, "SQL that was put together from text")
        elif (
            name.endswith(".startswith")
            and call.args
            and {"select", "with"} & {each.lower().strip() for each in _texts(call.args[0])}
        ):
            yield Found(call.lineno, "a statement is judged by its first word")


def _is_sql(node: ast.AST) -> bool:
    """Put together from text, beyond `EXPLAIN` before a statement that was judged already."""
    if isinstance(node, ast.BinOp) and text_of(node.left).strip().upper().startswith("EXPLAIN"):
        return not isinstance(node.right, ast.Name | ast.Attribute)
    return is_made_up(node)


def _requests(module: Module) -> Iterator[Found]:
    for call, name in module.calls:
        if not (_REQUESTS.fullmatch(name) or _CLIENTS.fullmatch(name)):
            continue
        if is_value(keyword(call, "follow_redirects"), value=True) or is_value(
            keyword(call, "allow_redirects"), value=True
        ):
            yield Found(call.lineno, "it follows redirects to anywhere")
        if is_value(keyword(call, "verify"), value=False):
            yield Found(call.lineno, "it takes any certificate")
        waits = keyword(call, "timeout")
        if _is_none(waits) or (waits is None and name.startswith(("requests.", "urllib"))):
            yield Found(call.lineno, "it waits for ever")


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _handles(module: Module) -> Iterator[Found]:
    for node in module.nodes:
        if isinstance(node, ast.Assign) and any(_HANDLES.search(name) for name in _targets(node)):
            for call, name in module.calls_in(node.value):
                if name.startswith("random.") or name in {"uuid.uuid1", "itertools.count", "next", "time.time"}:
                    yield Found(call.lineno, f"a handle is made by {name}, which can be guessed")


def _logs(module: Module) -> Iterator[Found]:
    for call, name in module.calls:
        if not _LOGS.search(name):
            continue
        told = [*call.args, *(each.value for each in call.keywords)]
        private = sorted({each for node in told for each in _told(node) if _PRIVATE.search(each)})
        if private:
            yield Found(call.lineno, f"it logs {', '.join(private)}")


def _told(node: ast.AST) -> Iterator[str]:
    """The names whose values get into the text."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and dotted_name(each.func) in {
            "len",
            "sorted",
            "type",
            "bool",
            "redact",
            "digest",
        }:
            return
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr


CALL_RULES: Final[tuple[tuple[str, Callable[[Module], Iterator[Found]]], ...]] = (
    ("S21", _tokens),
    ("S22", _doors),
    ("S23", _passed_on),
    ("S24", _runs),
    ("S26", _statements),
    ("S28", _requests),
    ("S29", _handles),
    ("S39", _logs),
)
