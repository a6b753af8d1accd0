"""Rules by ideas, for failures whose words no rule of the table knows: what names and phrases mean in any library.

Exceptions are named after what happened (`UnknownTopicOrPartitionException`), error conditions as well
(`[DELTA_FILE_NOT_FOUND]`), databases add an SQLSTATE, and messages say the same few things in the same few words. Each
weighs less than a rule that knows the message, and more than "some code raised something". Above: `failure_table`.
"""

import re
from dataclasses import dataclass
from typing import Final

from pierhead.sdk.failure_shapes import Category, Rule

_ANYBODY: Final = frozenset({"driver", "executor", "task"})
#: Of several in one text the last counts: a chain of causes ends with what is at its root.
_WEIGHT: Final = 62


@dataclass(frozen=True, slots=True)
class _Idea:
    """Words (patterns, of which one must be there) for a category, but not where one of `but` is in the same place."""

    category: Category
    words: str
    but: str = ""


def _any(patterns: str) -> str:
    """One pattern a line."""
    return "|".join(line.strip() for line in patterns.strip().splitlines())


#: Words of the names of exceptions.
_NAMES: Final = (
    _Idea(
        "dependency",
        r"""
        ClassNotFound|NoClassDef|NoSuch(?:Method|Field)|ClassChange|LinkageError|Unsatisfied|UnsupportedClass
        ExceptionInInitializer|IllegalAccess|InaccessibleObject|InstantiationE|VerifyError
        ModuleNotFound|ImportError|PackageNotFound|UnsupportedFileSystem
        UnknownHost|NoRouteToHost|ServiceNotFound|ServiceUnavailable|NoBrokersAvailable
        MetaException|JsonMappingException: (?:Scala|Incompatible)
        """,
    ),
    _Idea(
        "permission",
        r"""
        Denied|Unauthori[sz]ed|Authori[sz]ation|Authentication|Forbidden|Credentials?|InvalidToken|ExpiredToken
        LoginE|LoginFailed|Kerberos|Sasl|SSLHandshake|SSLPeer|CertPath|Certificate|InvalidKeyException
        NotAuthori[sz]ed|AccessControl|Privilege|PermissionE|QuotaExceeded|SecurityException
        """,
    ),
    _Idea(
        "timeout",
        r"""
        Timed?Out|Timeout|DeadlineExceeded|LeaseExpired|CommunicationsE|LockError|LockWait|NotResponding
        """,
    ),
    _Idea(
        "schema_mismatch",
        r"""
        Schema|Malformed|Checksum|Corrupt|FileFormat|InvalidFormat|InvalidRecord|SparkUpgrade
        Deseriali[sz]ation|(?<!Not)Serialization|UnrecognizedProperty|UnrecognizedField
        JsonParse|JsonMapping|JsonProcessing|DateTimeParse|Avro|XMLStream|CsvParse|ParserError|ArrowInvalid
        UnicodeDecode|ZipE|BadGzip|BadZip|MalformedInput|CharacterCoding|UnmappableCharacter|InvalidProtocolBuffer
        DataTruncation|TypeMismatch|MismatchedType
        """,
        "SchemaNotFound|SchemaDoesNotExist|JsonMappingException: (?:Scala|Incompatible)",
    ),
    _Idea(
        "missing_input",
        r"""
        NotFound|NoSuch|NotExist|DoesNotExist|NoObject|MissingInput|InvalidInput|OffsetOutOfRange|EmptyData
        UnknownTopic|UnknownTable|UnknownDatabase
        """,
        "NoSuch(?:Element|Method|Field|Function)|(?:Class|Module|Key|Service|Host|Package|Plugin|Function|Routine)NotFound",
    ),
)

#: Words of error conditions, as Spark and those who build on it write them: `[DELTA_FILE_NOT_FOUND]`.
_CONDITIONS: Final = (
    _Idea("permission", "PERMISSION|PRIVILEGE|FORBIDDEN|UNAUTHORI[SZ]ED|ACCESS_DENIED|CREDENTIAL|AUTHENTICATION"),
    _Idea("timeout", "TIME(?:D_)?OUT|DEADLINE"),
    _Idea("killed", "_CANCELL?ED|_KILLED|INTERRUPTED"),
    _Idea(
        "dependency",
        r"""
        (?:CLASS|PLUGIN|CATALOG|DATA_SOURCE|PACKAGE|MODULE|PROVIDER|CODEC|LIBRARY)\w*_NOT_(?:\w*FOUND|INSTALLED|LOADED)
        CANNOT_LOAD|CANNOT_FIND_\w*CLASS
        """,
    ),
    _Idea(
        "code_error", r"(?:ROUTINE|FUNCTION|VARIABLE|PARAMETER|ELEMENT|KEY|METHOD)\w*_NOT_FOUND|(?<!COLUMN_)ALREADY_EX"
    ),
    _Idea("fetch_failed", r"CHECKPOINT_RDD_BLOCK|SHUFFLE\w*_(?:NOT_FOUND|FAILED|LOST)"),
    _Idea(
        "missing_input",
        r"""
        NOT_FOUND|NOT_EXIST|NO_SUCH|DATA_LOSS|FILES?_DELETED|NOT_CONTIGUOUS|EMPTY_DIRECTORY|NO_(?:INPUT|FILES)
        MISSING_(?:FILE|PART|TRANSACTION_LOG|DATA)
        """,
        "COLUMN|FIELD|ATTRIBUTE|STRUCT|ROUTINE|FUNCTION|VARIABLE|CLASS|PLUGIN|CATALOG|DATA_SOURCE|CHECKPOINT_RDD"
        "|SESSION|STATE_NOT|KEY_NOT",
    ),
    _Idea(
        "schema_mismatch",
        r"""
        SCHEMA|MISMATCH|INCOMPATIBLE|MALFORMED|CORRUPT|(?<!BROAD)CAST|CONVERT|NUMERIC_VALUE_OUT|NOT_NULL|NULLABLE|NULL_VALUE|ARITY
        COLUMN|FIELD|DATATYPE|DATA_TYPE|UNEXPECTED_INPUT_TYPE|CANNOT_PARSE|PARSE_DATETIME|ENCOD|DECOD
        INVALID_(?:DATE|TIME|JSON|XML|CSV|UTF8|FORMAT)|CANNOT_READ|FAILED_READ_FILE
        """,
        # Misuse of Spark's own functions is code; nothing is wrong with the data.
        "GROUP|AGGREGAT|EXPRESSION|COLUMN_IS_NOT|COLUMN_(?:INTO_)?BOOL|NOT_COLUMN|INVALID_USAGE|CONF|OPTION|NOT_EXIST"
        "|NOT_FOUND|FOR_COLUMN|COLUMN_IN_LIST|SINGLE_COLUMN|RETURN_COLUMN|WRONG_NUM|NUMERIC_COLUMN|COLUMN_REF|AXIS_",
    ),
)
#: Conditions around the one that tells.
_WRAPPERS: Final = "JDBC_EXTERNAL|FAILED_JDBC|STREAM_FAILED|FAILED_EXECUTE|PYTHON_EXCEPTION|WRITE_"

#: Codes of SQLSTATE: what databases, and Spark since 3.4, say in five letters.
_STATES: Final = (
    _Idea("missing_input", "42P01|42S02|42704|3D000|3F000|42K03|42X05|42Y07|HV00J|KD00[1-4]"),
    _Idea("schema_mismatch", "42703|42S22|42804|42846|42K09|21S01|23502|22018|22007|22008|22001|22P02|42X14|22032"),
    _Idea("permission", "42501|28000|28P01|08004|0LP01"),
    _Idea("timeout", r"HYT0\d|55P03|57014"),
    _Idea("killed", "XXKDA|HY008|57P01"),
)

_THING: Final = (
    "(?:file|path|directory|folder|table|view|object|key|bucket|blob|container|partition|topic|relation|database|schema"
    "|namespace|catalog|snapshot|index|collection|dataset|entity|stream|queue|location|input|resource|document|share)"
)
_ABSENT: Final = r"(?:do(?:es)?(?: not|n['o]t) exist|(?:was |were |is |are |could |can)?(?:not|n't)(?: be)? found)"

#: What messages say, whoever writes them.
_PHRASES: Final = (
    _Idea(
        "dependency",
        r"""
        cannot open shared object file|version `?\w+_[\d.]+'? not found|required by \S+\)
        command not found|(?<=sh: ).{1,200}: not found$|(?<=env: ).{1,80}: No such file
        module '[\w.]+' has no attribute|can(?:not| not|'t) load class|on the classpath|DataSource V1 not found
        name or service not known|temporary failure in name resolution|could not resolve host|no route to host
        connection refused|could(?:n't| not) connect to|(?:unable|failed) to instantiate
        requires \S+ .{0,40}version|incompatible \w+ version|was compiled (?:with|against)
        """,
    ),
    _Idea(
        "permission",
        r"""
        (?:invalid|incorrect|wrong|bad|missing) (?:user ?name|user|password|credentials?|login|api key|authori[sz]ation)
        log[io]n (?:denied|failed)|authentication (?:failed|failure|required|error)|access (?:is )?denied
        unable to (?:locate|find) credentials|unable to obtain password|no (?:valid )?privileges?
        (?:un|not )authori[sz]ed|forbidden|not permitted|not allowed to access|HTTP (?:Error|status)? ?40[13]\b
        quota .{0,60}exceeded|certification path|certificate .{0,40}(?:expired|unknown|invalid|verify failed)
        """,
        "(?:does not exist|not found) or not authori[sz]ed",
    ),
    _Idea(
        "timeout",
        r"""
        time[d -]{0,2}out\b|deadline|took too long|within the time|communications link failure|cancell?ing statement due
        within \d+(?:\.\d+)? ?(?:s|ms|seconds?|minutes?|second\(s\))(?: |$)|HTTP (?:Error|status)? ?(?:504|408)\b
        """,
        r"heartbeat|idle timeout|timeout\s*=|set .{0,30}timeout|Timeout\(\)",
    ),
    _Idea(
        "schema_mismatch",
        r"""
        cannot up ?cast|(?:cannot|can't|can not|could not) be (?:cast|converted|promoted|coerced|parsed|decoded)
        incompatible (?:data|schema|types?|columns?|fields?)|(?:type|schema|column) mismatch|malformed
        not a valid (?:external type|\w+ (?:file|value|date|number))|in non-nullable|data (?:too long|trunc)
        unexpected end of (?:input|file|ZLIB|stream)|magic (?:number|byte)|checksum error|codec can't decode
        invalid (?:start|stored|byte)|corrupt(?:ed)? (?:file|record|data|block|input)
        (?:unrecognized|unknown) (?:field|column|property)|missing (?:required )?(?:field|column)s?
        no such (?:column|field)|column .{1,120}(?:does not exist|not found|is missing|of relation)
        field .{1,80}(?:does not exist|not found in)|expected \d+ (?:fields|columns)
        (?:does not|doesn't|not) match .{0,40}schema
        """,
        "Stream is corrupted",
    ),
    _Idea(
        "missing_input",
        rf"""
        \b{_THING}\b.{{0,160}}?\b{_ABSENT}|\bno such {_THING}|cannot find {_THING}|{_THING} \S+ {_ABSENT}|ns not found
        \bno (?:\w+ )?(?:input|files?|data|partitions?|objects?) (?:paths? )?(?:found|specified|present|matched)
        \bno (?:input|files|data|partitions?|objects?) (?:for|under|at|in)\b|\b{_THING}\b.{{0,80}}is missing
        invalid object name|unknown (?:table|database|topic|partition|bucket)|HTTP (?:Error|status)? ?404\b
        (?:cannot|could not|unable to) (?:fetch offset|open input|locate {_THING})|failed to open input
        """,
        "class|module|method|function|routine|key not found|is corrupted|already|shared object|env: |of relation",
    ),
    _Idea(
        "fetch_failed",
        r"""
        shuffle .{0,80}(?:was failed and retried|lost|missing|not available)|cannot rollback the ResultStage
        Checkpoint block \S+ not found|ShuffleBlockFetcher.{0,400}Stream is corrupted
        """,
    ),
)


def _rule(name: str, idea: _Idea, pattern: str, *, but: str = "", flags: int = 0) -> Rule:
    """Over one line at a time that stands for itself: no frame of a trace, no line of somebody's source."""
    excepted = rf"|.{{0,400}}(?:{but})" if but else ""
    whole = re.compile(rf"^(?![ \t]{excepted}).{{0,2000}}?(?:{pattern})", re.MULTILINE | flags)
    return Rule(f"idea.{name}-{idea.category}", idea.category, whole, _WEIGHT, _ANYBODY)


def _named(idea: _Idea) -> Rule:
    """A class of Java, of Scala or of Python whose name has one of the words."""
    plain = r"(?:(?<![^\n])|: )(?=\w+(?:Exception|Error|Failure|Fault)\b)"
    pattern = rf"(?:\b(?:[a-z_]\w*\.)+|{plain})(?:[A-Z][\w$]*)?(?:{_any(idea.words)})[\w$]*(?=[:\s]|$)"
    return _rule("name", idea, pattern, but=idea.but)


def _condition(idea: _Idea) -> Rule:
    but = rf"|[A-Z0-9_.]*(?:{idea.but})" if idea.but else ""
    return _rule("condition", idea, rf"\[(?!{_WRAPPERS}{but})[A-Z0-9_.]*(?:{_any(idea.words)})[A-Z0-9_.]*\]")


def _state(idea: _Idea) -> Rule:
    return _rule("state", idea, rf"\b(?:SQLSTATE|SQL ?State|ERROR)[:= ]+\[?(?:{idea.words})\b")


def _phrase(idea: _Idea) -> Rule:
    return _rule("said", idea, _any(idea.words), but=idea.but, flags=re.IGNORECASE)


IDEAS: Final = (
    *(_phrase(each) for each in _PHRASES),
    *(_state(each) for each in _STATES),
    *(_named(each) for each in _NAMES),
    *(_condition(each) for each in _CONDITIONS),
)
