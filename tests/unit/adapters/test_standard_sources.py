"""Each rule of the standard about code, image, lock file and cluster: one fixture that keeps it, one that breaks it."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

import pytest

from pierhead.adapters.cluster_rules import check_clusters
from pierhead.adapters.image_rules import check_images, check_locks
from pierhead.adapters.source_rules import check_source
from pierhead.core.standard import Evidence, Look
from pierhead.core.standard_rules import RULES

TODAY: Final = date(2026, 11, 22)
_TOOL: Final = (
    '@server.tool(policy="everyone", effect="{effect}", minutes_saved=1{more})\nasync def find({takes}):\n    {body}\n'
)


def tool(body: str = "return 1", takes: str = "order: str", effect: str = "read", more: str = "") -> str:
    return _TOOL.format(body=body, takes=takes, effect=effect, more=more)


#: Rule, what keeps it, what breaks it: each a file of Python.
CODE: Final = (
    ("S13", tool("return folder.read_text()"), tool("path.unlink()")),
    ("S13", tool('await db.execute("SELECT 1")'), tool('await db.execute("DELETE FROM a")')),
    ("S16", tool(), "@server.tool()\ndef find(): ...\n"),
    ("S16", '@mcp.tool()\n@authorize_tool(policy="x")\ndef find(): ...\n', "@mcp.tool\ndef find(): ...\n"),
    ("S17", tool(effect="destructive"), tool(effect="destructive", more=', approval="none"')),
    ("S18", tool(takes="order: str, *, caller: Caller"), tool(takes="order: str, is_admin: bool")),
    ("S19", tool(takes="next_token: str"), tool(takes="password: str")),
    ("S19", 'ctx.elicit("How many?")', 'ctx.elicit("your password", Form)'),
    ("S21", 'jwt.decode(t, k, algorithms=["RS256"], audience="a", issuer="i")', "import jwt\njwt.decode(t, k)"),
    ("S21", 'options = {"verify_exp": True}', 'options = {"verify_signature": False}'),
    ("S21", 'check(t, algorithms=["ES256"])', 'check(t, algorithms=["none"])'),
    ("S22", 'run(host="127.0.0.1")', 'run(host="0.0.0.0")'),
    ("S22", 'Cors(allow_origins=["https://a.example"])', 'Cors(allow_origins=["*"])'),
    ("S22", "Security(enable_dns_rebinding_protection=True)", "Security(enable_dns_rebinding_protection=False)"),
    ("S23", 'get(u, headers={"Accept": "a"})', 't = request.headers["Authorization"]\nget(u, headers={"A": t})'),
    ("S23", 'get(u, headers={"T": request.headers["traceparent"]})', "get(u, headers=dict(request.headers))"),
    ("S23", 'x = request.headers.get("accept")', 'get(u, headers={"A": request.headers.get("authorization")})'),
    ("S24", 'import subprocess\nsubprocess.run(["ls", "--", name])', "import os\nos.system(name)"),
    ("S24", 'eval("1 + 1")', "eval(text)"),
    ("S24", "import yaml\nyaml.load(t, Loader=yaml.SafeLoader)", "import yaml\nyaml.load(t, Loader=yaml.Loader)"),
    ("S24", "import subprocess as sp\nsp.run([name])", "import subprocess as sp\nsp.run(name, shell=True)"),
    ("S24", "import json\njson.loads(t)", "from pickle import loads\nloads(t)"),
    ("S24", 'env.from_string("Hello")', "env.from_string(given)"),
    ("S24", 'import subprocess\nsubprocess.run("ls")', 'import subprocess\nsubprocess.run(f"ls {name}")'),
    ("S24", "pass", "this is no Python"),
    ("S25", tool("p = (base / order).resolve()\n    p.is_relative_to(base)"), tool("return open(order).read()")),
    ("S25", tool("return base_folder.iterdir()"), tool("return folder / order")),
    ("S26", 'db.execute("SELECT * FROM a WHERE b = ?", [b])', 'db.execute(f"SELECT * FROM {table}")'),
    ("S26", 'db.execute("EXPLAIN " + sql)', 'db.execute("SELECT * FROM " + table)'),
    ("S26", 'name.startswith("a")', 'sql.lower().startswith(("select", "with"))'),
    ("S26", 'db.execute("SELECT 1")', 'db.execute("SELECT {}".format(x))'),
    ("S28", "import httpx\nhttpx.get(u)", "import httpx\nhttpx.get(u, follow_redirects=True)"),
    ("S28", "import httpx\nhttpx.AsyncClient()", "import httpx\nhttpx.AsyncClient(verify=False)"),
    ("S28", "import requests\nrequests.get(u, timeout=3)", "import requests\nrequests.get(u)"),
    ("S28", tool('await http.get(f"/a/{quote(order)}")'), tool('await http.get(f"/a/{order}")')),
    ("S28", tool("await http.get(place)"), tool("await http.get(url)", takes="url: str")),
    ("S29", "token = secrets.token_hex(16)", "import random\ntoken = random.randint(1, 9)"),
    ("S30", "seen = {}\n" + tool("seen[caller.key] = 1"), "seen = {}\n" + tool("seen[order] = 1")),
    ("S30", "seen: list = []\n" + tool("return len(seen)"), "seen: list = []\n" + tool("seen.append(order)")),
    ("S30", tool("count = 1"), "count = 0\n" + tool("global count")),
    ("S39", 'log.info("call %s", call_id)', 'log.info("call %s", token)'),
    ("S39", "logger.info(len(arguments))", 'logger.info(f"got {request.headers}")'),
)
_BASE: Final = "FROM python@sha256:" + "a" * 64 + "\n"
_HASH: Final = " --hash=sha256:" + "b" * 64
_UV: Final = (
    'version = 1\n[[package]]\nname = "{name}"\nversion = "{version}"\nwheels = [{{upload-time = "{day}T00:00:00Z"}}]\n'
)
_SBOM: Final = '{{"bomFormat": "CycloneDX", "components": [{{"name": "mcp", "version": "{0}"}}]}}'
_POD: Final = """
kind: Deployment
spec:
  template:
    spec:
      automountServiceAccountToken: false
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      {more}
      containers:
        - name: lunch
          securityContext:
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: {{drop: [ALL]}}
          resources: {{limits: {{cpu: 1, memory: 256Mi}}}}
---
kind: NetworkPolicy
spec:
  policyTypes: [Ingress, Egress]
  ingress: [{{from: [{{podSelector: {{matchLabels: {{app: gateway}}}}}}]}}]
  egress: [{egress}]
"""
_GOOD_EGRESS: Final = "{to: [{podSelector: {matchLabels: {app: dns}}}]}"
_PROXY: Final = """
# envoy
forward_client_cert_details: SANITIZE_SET
use_remote_address: true
headers_with_underscores_action: REJECT_REQUEST
normalize_path: true
stream_idle_timeout: 30s
per_connection_buffer_limit_bytes: 32768
admin:
  address: {socket_address: {address: 127.0.0.1}}
"""

Look_ = Callable[[str], Evidence]


def pod(more: str = "", egress: str = _GOOD_EGRESS) -> str:
    return _POD.format(more=more, egress=egress)


def image(text: str) -> Evidence:
    return check_images({"Dockerfile": text}, {}, {})


def lock(text: str) -> Evidence:
    return check_locks({"a.lock": text}, TODAY)


def materials(text: str) -> Evidence:
    return check_images({}, {"sbom.json": text}, {"a.lock": f"mcp==2.3.0{_HASH}"})


def cluster(text: str) -> Evidence:
    return check_clusters({"a.yaml": text})


FILES: Final[tuple[tuple[str, Look_, str, str], ...]] = (
    ("S31", lock, f"mcp==2.3.0{_HASH}", f"mcp==2.1.0{_HASH}"),
    ("S31", lock, f"# a remark\nfastmcp==3.2{_HASH}", "fastmcp==3.2"),
    ("S31", lock, f"a==1 \\\n   {_HASH}", "a>=1"),
    ("S31", lock, f"a==1{_HASH}\nb==2{_HASH}", f"a==1\nb==2{_HASH}\nc==3"),
    ("S31", lock, _UV.format(name="mcp", version="1.30.0", day="2026-01-01"), "[[package]]\nbroken"),
    (
        "S32",
        lock,
        _UV.format(name="a", version="1", day="2026-11-01"),
        _UV.format(name="a", version="1", day="2026-11-20"),
    ),
    ("S33", materials, _SBOM.format("2.3.0"), _SBOM.format("2.2.0")),
    ("S33", materials, _SBOM.format("2.3.0"), '{"bomFormat": "CycloneDX"}'),
    ("S33", materials, _SBOM.format("2.3.0"), "[]"),
    ("S34", image, _BASE + "USER 1000\n", _BASE),
    ("S34", image, _BASE + "FROM scratch\nUSER 1\n", "FROM python:3.12\nUSER 1\n"),
    ("S34", image, _BASE + "ENV ZONE=UTC\nUSER 1\n", _BASE + "ENV API_TOKEN=abc\nUSER 1\n"),
    ("S34", image, _BASE + "ENV API_TOKEN_FILE=/run/secrets/t\nUSER 1\n", _BASE + "ENV TOKEN_FILED=abc\nUSER 1\n"),
    ("S34", image, _BASE + "RUN pip \\\n  install x\nUSER 1\n", _BASE + "RUN curl https://a.io | sh\nUSER 1\n"),
    ("S34", image, _BASE + "COPY . /app\nUSER 1\n", _BASE + "COPY .env /app/\nUSER 1\n"),
    ("S36", cluster, pod(), pod(more="hostNetwork: true")),
    ("S36", cluster, pod(), pod(more="volumes: [{hostPath: {path: /}}]")),
    ("S36", cluster, pod(), pod().replace("drop: [ALL]", "drop: []")),
    ("S36", cluster, pod(), pod().replace("automountServiceAccountToken: false", "")),
    ("S36", cluster, pod(), "kind: Pod\nspec: {containers: [{name: a}]}"),
    ("S36", cluster, pod(), "kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{}]}}}}}"),
    ("S36", cluster, pod(), "kind: [broken"),
    ("S37", cluster, pod(), pod(egress='{to: [{ipBlock: {cidr: "::/0"}}]}')),
    ("S37", cluster, pod(), pod(egress="{}")),
    ("S37", cluster, pod(), pod().split("---")[0]),
    ("S37", cluster, pod(), pod().replace("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]")),
    ("S37", cluster, pod(), pod().replace("podSelector: {matchLabels: {app: gateway}}", "podSelector: {}")),
    ("S38", cluster, _PROXY, _PROXY.replace("SANITIZE_SET", "FORWARD_ONLY")),
    ("S38", cluster, _PROXY, _PROXY.replace("127.0.0.1", '"::"')),
)


def broken(evidence: Evidence) -> set[str]:
    return {each.rule for each in evidence.breaches}


@pytest.mark.parametrize(("rule", "keeps", "breaks"), CODE)
def test_code_that_keeps_a_rule_and_code_that_breaks_it(rule: str, keeps: str, breaks: str) -> None:
    assert rule not in broken(check_source({"a.py": keeps}))
    found = [each for each in check_source({"a.py": breaks}).breaches if each.rule == rule]
    assert found
    assert all(each.place.startswith("a.py:") for each in found)


@pytest.mark.parametrize(("rule", "look", "keeps", "breaks"), FILES)
def test_a_file_that_keeps_a_rule_and_one_that_breaks_it(rule: str, look: Look_, keeps: str, breaks: str) -> None:
    assert rule not in broken(look(keeps))
    assert rule in broken(look(breaks))


def test_every_rule_about_code_image_and_cluster_has_both_fixtures() -> None:
    fixed = {rule for rule, *_ in CODE} | {rule for rule, *_ in FILES}
    asked = {rule.id for rule in RULES.values() if {Look.CODE, Look.IMAGE, Look.CLUSTER} & set(rule.looks)}
    assert asked <= fixed


def test_a_source_that_says_nothing_of_a_rule_leaves_it_unseen() -> None:
    def unseen(evidence: Evidence) -> Mapping[tuple[str, Look], str]:
        return evidence.unlooked

    assert ("S33", Look.IMAGE) in unseen(image(_BASE + "USER 1\n"))
    assert ("S34", Look.IMAGE) in unseen(materials(_SBOM.format("2.3.0")))
    assert ("S32", Look.MANIFEST) in unseen(lock(f"mcp==2.3.0{_HASH}"))
    assert ("S36", Look.CLUSTER) in unseen(cluster(_PROXY))
    assert ("S38", Look.CLUSTER) in unseen(cluster(pod()))
