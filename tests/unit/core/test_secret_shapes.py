"""Secrets in texts: found by their names and by their shapes, and nothing else is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.secret_shapes import is_secret_name, without_secrets

# Put together here, so that no text of this file is a key itself.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = (
    "-----BEGIN RSA "
    "PRIVATE KEY-----\n" + ("MIIEowIBAAKCAQEA7v" * 4 + "\n") * 3 + "q2k0Zt==\n-----END RSA PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    ("text", "secret", "kind"),
    [
        ("fs.s3a.secret.key: wJalrXUtnFEMIK7MDENG", "wJalrXUtnFEMIK7MDENG", "secret"),
        ("spark.hadoop.fs.s3a.access.key=abc", "abc", "key"),
        (f"found {AWS} in the file", AWS, "aws-key"),
        ("jdbc:postgresql://db/app?user=etl&password=s3cr3t&ssl=true", "s3cr3t", "password"),
        ("jdbc:oracle:thin:scott/tiger@db:1521/x", "scott/tiger", "url-credentials"),
        ("postgres://etl:p@ssw0rd@db:5432/app", "p@ssw0rd", "url-credentials"),
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi", "authorization"),
        (
            'curl -H "Authorization: Digest username=\\"x\\", response=\\"beef\\"" https://x',
            "username",
            "authorization",
        ),
        ('{"Authorization": "Basic dXNlcjpwYXNz"}', "dXNlcjpwYXNz", "authorization"),
        ("sent bearer 0123456789abcdef", "0123456789abcdef", "bearer"),
        ("proof Basic YWxhZGRpbjpvcGVuc2VzYW1l", "YWxhZGRpbjpvcGVuc2VzYW1l", "basic"),
        (f"token was {JWT} then", JWT, "jwt"),
        (PEM, "MIIEowIBAAKCAQEA7v", "private-key"),
        ("Set-Cookie: session=abcdef; Path=/", "abcdef", "cookie"),
        ("https://a.blob.core.windows.net/c?sv=1&sig=abc%2Bdef&se=1", "abc%2Bdef", "signature"),
        ("GET /k?X-Amz-Signature=0123beef&x=1", "0123beef", "signature"),
        ("AccountKey=abcd+/==;EndpointSuffix=core", "abcd+/==", "key"),
        (f"git clone https://{GITHUB}@github.com/x", GITHUB, "github-token"),
        ("xox" + "b-123456789012-abcdef", "123456789012-abcdef", "slack-token"),
        ("key " + "AIza" + "a" * 35, "a" * 35, "google-key"),
        ("sk" + "_live_" + "a1b2c3d4e5f6g7h8", "a1b2c3d4e5f6g7h8", "service-token"),
        ("CREATE USER x IDENTIFIED BY 'it''s'", "it''s", "sql-password"),
        ("ALTER USER y PASSWORD 'zz'", "'zz'", "sql-password"),
        ("submit --password hunter2 --conf a=b", "hunter2", "argument"),
        ('{"password": "a\\"b", "user": "x"}', 'a\\"b', "password"),
        ('{\\"password\\": \\"abcx\\"}', "abcx", "password"),
        ("password: 1234", "1234", "password"),
        ("sasToken=?sv=2020", "?sv=2020", "token"),
    ],
)
def test_a_secret_is_replaced_by_its_kind(text: str, secret: str, kind: str) -> None:
    told = without_secrets(text)
    assert secret not in told
    assert f"[redacted:{kind}]" in told


@pytest.mark.parametrize(
    "text",
    [
        "botocore.exceptions.TokenRetrievalError: Error when retrieving token",
        "ExpiredToken: The security token included in the request is expired",
        "KeyError: 'password'",
        "max_tokens: 4096, tokens=12",
        "Done. PASS=12 WARN=0 ERROR=1 SKIP=3 TOTAL=16",
        "Missing credentials: set AWS_ACCESS_KEY_ID",
        "secret not found: my-secret",
        "password=${DB_PASSWORD}",
        "password=****",
        'password=""',
        "--token ${TOKEN} next",
        "http://host:8080/path/a@b",
        "abfss://container@account.dfs.core.windows.net/x",
        "basic authentication failed",
        "s3a://bucket/table/dt=2026-11-20/part-0.parquet",
        "java.lang.SecurityException: Token expired",
    ],
)
def test_what_only_sounds_like_a_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_key_whose_beginning_was_cut_away_loses_its_rest_too() -> None:
    rest = PEM.partition("\n")[2]
    assert without_secrets(f"first\n{rest}\nlast -----END PRIVATE KEY-----") == (
        "first\n[redacted:private-key]\nlast [redacted:private-key]"
    )
    assert without_secrets(rest.partition("\n")[2].rpartition("q2k")[2]) == "[redacted:private-key]"


def test_a_key_without_its_end_is_taken_to_the_end_of_the_text() -> None:
    assert without_secrets(f"a\n{PEM[:60]}") == "a\n[redacted:private-key]"


def test_json_stays_json() -> None:
    told = json.loads(without_secrets(json.dumps({"db": {"password": "x'y\"z", "user": "a"}, "n": 1})))
    assert told == {"db": {"password": "[redacted:password]", "user": "a"}, "n": 1}


def test_an_owner_adds_names() -> None:
    assert without_secrets("patient_id=4711, x=1", ["patient"]) == "patient_id=[redacted:named], x=1"
    assert without_secrets("patient: [redacted:named]", ["patient"]) == "patient: [redacted:named]"
    assert is_secret_name("PatientId", ["patient"])


@pytest.mark.parametrize(
    "name", ["password", "db_password", "api_key", "accessKey", "access_token", "secret_arn", "sessionId"]
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["next_page_token", "tokens", "author", "passed", "token_expires_at", "key", "fingerprint", "total_tokens"]
)
def test_names_that_are_none(name: str) -> None:
    assert not is_secret_name(name)


@given(st.text(alphabet=st.sampled_from(list("pasword=:'\"\\ \nkey-://@[]{}token,;Bearer 019AKI")), max_size=200))
def test_twice_is_as_good_as_once(text: str) -> None:
    once = without_secrets(text)
    assert without_secrets(once) == once


@pytest.mark.parametrize(
    "piece",
    ["a", "password", "password=", "password='", "eyJ", "://a:", "-----BEGIN PRIVATE KEY-----", "QUJD ",
     "A" * 64 + "\n", "authorization: a,", "identified with ", "--x-password", "basic ", "jdbc:oracle:thin:a/",
     "-----END PRIVATE KEY-----"],
)  # fmt: skip
def test_no_text_makes_it_slow(piece: str) -> None:
    """The test run ends a test that hangs; each of these once took minutes in a careless pattern."""
    assert without_secrets(piece * (120_000 // len(piece))) is not None
