"""The one table of rules about failures: which words speak for which category, and how loudly.

Patterns are ours, over messages that Spark, Hadoop, Kubernetes, YARN, Python and the JVM are known to write; none comes
from a caller or a model. What a container did outranks what a text says, and the first fatal exception its
consequences: that is what the weights say. Above: `failure_rules`, which judges.
"""

import re
from typing import Final

from pierhead.sdk.failure_ideas import IDEAS
from pierhead.sdk.failure_shapes import Category, Rule


def _rule(  # noqa: PLR0913 - the members of a row
    name: str,
    category: Category,
    weight: int,
    *,
    pattern: str,
    kinds: str = "",
    unless: str = "",
    is_container_fact: bool = False,
) -> Rule:
    return Rule(
        name,
        category,
        re.compile(pattern, re.IGNORECASE | re.MULTILINE),
        weight,
        frozenset(kinds.split()),
        re.compile(unless, re.IGNORECASE | re.MULTILINE) if unless else None,
        is_container_fact,
    )


_EXECUTOR: Final = "executor task"
_SHUFFLE_FILE: Final = r"shuffle_\d|blockmgr-|merged_shuffle|\.jar\b|\.py['\"]?: \[|can't open file"
_OOM: Final = (
    r"java\.lang\.OutOfMemoryError|OutOfMemoryError: |GC overhead limit exceeded|Java heap space|SparkOutOfMemoryError"
)

#: Of all that fit a text, the weightiest counts: the order says nothing.
# fmt: off
RULES: Final = (
    # What became of containers and processes.
    _rule("container.oom-driver", "driver_oom", 100, kinds="container", is_container_fact=True,
        pattern="driver.*(?:OOMKill|cgroup out of memory)|OOMKill.*driver"),
    _rule("container.oom-executor", "executor_oom", 100, kinds="container", is_container_fact=True,
        unless="^driver",
        pattern="OOMKill|cgroup out of memory"),
    _rule("container.exit-52-driver", "driver_oom", 97, kinds="container", is_container_fact=True,
        pattern=r"driver.*exit code 52\b"),
    _rule("container.exit-52", "executor_oom", 97, kinds="container", is_container_fact=True,
        unless="^driver",
        pattern=r"exit(?:ed with)? ?code[:=]? ?52\b"),
    _rule("container.evicted-driver", "killed", 96, kinds="container", is_container_fact=True,
        pattern="driver.*(?:Evicted|Preempt|NodeLost|Shutdown)"),
    _rule("container.evicted", "executor_lost", 96, kinds="container", is_container_fact=True,
        unless="^driver",
        pattern="Evicted|Preempt|NodeLost|NodeShutdown|NodeNotReady|TaintManagerEviction|Shutdown"),
    _rule("container.image", "dependency", 95, kinds="container", is_container_fact=True,
        pattern="ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainerConfigError|RunContainerError|"
            "FailedMount"),
    _rule("container.signal-driver", "killed", 78, kinds="container",
        pattern=r"driver.*exit code (?:137|143|130)\b"),
    _rule("container.signal-executor", "executor_lost", 78, kinds="container",
        unless="^driver",
        pattern=r"exit code (?:134|137|139|143)\b"),
    # Memory.
    _rule("yarn.memory", "executor_oom", 95, is_container_fact=True,
        unless="AM Container",
        pattern="killed by YARN for exceeding (?:physical |virtual )?memory|"
            r"running beyond (?:physical|virtual) memory limits|is running \d+B beyond the '?(?:PHYSICAL|VIRTUAL)"),
    _rule("yarn.memory-driver", "driver_oom", 96, is_container_fact=True,
        pattern="AM Container.*(?:beyond (?:physical|virtual) memory|exceeding .*memory)"),
    _rule("executor.exit-52", "executor_oom", 94, is_container_fact=True,
        pattern=r"(?:exited with code|exit code[: ]+|exit status[: ]+|exitCode=|exit_code=)\s*52\b"),
    _rule("executor.oom-killed", "executor_oom", 94, is_container_fact=True,
        pattern=r"(?:executor|ExecutorLost|exec-\d+).{0,400}OOMKilled|OOMKilled.{0,200}(?:executor|exec-\d+)"),
    _rule("executor.out-of-memory", "executor_oom", 90,
        unless="maxResultSize|task-result-getter",
        pattern=r"(?:Lost task|Exception in task|Executor task launch|TaskSetManager|ExecutorLostFailure|"
            rf"in stage \d+\.\d+ \(TID|failed \d+ times)(?s:.)*?(?:{_OOM})"),
    _rule("executor.out-of-memory-log", "executor_oom", 90, kinds=_EXECUTOR,
        pattern=_OOM),
    _rule("executor.memory-exhausted", "executor_oom", 89,
        unless="Not enough memory to build and broadcast",
        pattern=r"UNABLE_TO_ACQUIRE_MEMORY|Unable to acquire \d+ bytes of memory|"
            r"Not enough memory to grow pointer array|error while calling spill\(\)"),
    _rule("executor.python-memory", "executor_oom", 86, kinds="executor task",
        pattern=r"\bMemoryError\b|numpy\S*ArrayMemoryError|ArrowMemoryError|Unable to allocate [\d.]+ [KMGT]iB"),
    _rule("executor.python-memory-told", "executor_oom", 88, kinds="driver",
        pattern=r"(?:PythonException|Lost task|Exception in task|in stage \d+\.\d+ \(TID|pyspark/worker\.py)(?s:.)*?"
            r"(?:^\s*(?:\w+\.)*\w*MemoryError\b|Unable to allocate [\d.]+ [KMGT]iB)"),
    _rule("driver.python-memory", "driver_oom", 86, kinds="driver",
        pattern=r"^\s*(?:\w+\.)*\w*MemoryError\b|Unable to allocate [\d.]+ [KMGT]iB"),
    _rule("driver.out-of-memory", "driver_oom", 87, kinds="driver state",
        unless=r"Lost task|Exception in task|Executor task launch|ExecutorLostFailure|in stage \d+\.\d+ \(TID",
        pattern=_OOM),
    _rule("driver.result-size", "driver_oom", 93,
        unless=r"SparkConf|properties|^\s*spark\.driver\.maxResultSize\s*[=:]",
        pattern=r"bigger than spark\.driver\.maxResultSize|spark\.driver\.maxResultSize|_RESULT_SIZE_EXCEEDED"),
    _rule("driver.broadcast-memory", "driver_oom", 88,
        pattern="Not enough memory to build and broadcast|Cannot broadcast the table (?:that is larger|over)"),
    _rule("native.memory-executor", "executor_oom", 84, kinds=_EXECUTOR,
        pattern="insufficient memory for the Java Runtime|Cannot allocate memory|os::commit_memory"),
    _rule("native.memory-driver", "driver_oom", 84, kinds="driver",
        pattern="insufficient memory for the Java Runtime|Cannot allocate memory|os::commit_memory"),
    # Shuffle files that are gone.
    _rule("shuffle.fetch-failed", "fetch_failed", 82,
        pattern=r"FetchFailed(?:Exception)?\b|FETCH_FAILED|MetadataFetchFailedException|"
            "Missing an output location for shuffle|Unable to find shuffle|"
            r"ShuffleBlockFetcher\w* .*Failed to get block"),
    # Classes, modules, drivers, programs.
    _rule("python.module", "dependency", 80,
        pattern=r"ModuleNotFoundError|\bImportError\b|No module named|PACKAGE_NOT_INSTALLED|"
            "UNSUPPORTED_PACKAGE_VERSION|DistributionNotFound"),
    _rule("java.class", "dependency", 78,
        pattern="ClassNotFoundException|NoClassDefFoundError|Failed to load class|CLASS_NOT_FOUND|NoSuchMethodError|"
            "NoSuchFieldError|AbstractMethodError|IncompatibleClassChangeError|UnsupportedClassVersionError|"
            "UnsatisfiedLinkError|ServiceConfigurationError|'JavaPackage' object is not callable|"
            "CANNOT_LOAD_FUNCTION_CLASS"),
    _rule("spark.data-source", "dependency", 80,
        pattern="DATA_SOURCE_NOT_FOUND|Failed to find (?:the )?data source|No FileSystem for scheme|"
            "UnsupportedFileSystemException|No suitable driver|CATALOG_NOT_FOUND|PLUGIN_CLASS_NOT_FOUND|"
            "Cannot find catalog plugin"),
    _rule("spark.packages", "dependency", 80,
        pattern="unresolved dependenc|UNRESOLVED DEPENDENCIES|(?:Local jar|JAR) .* does not exist|"
            r"\.jar (?:does not exist|\(No such file)|FileNotFoundException: .*\.jar\b"),
    _rule("python.program", "dependency", 82,
        pattern=r"can't open file '?.*\.py|Cannot run program \x22.*python|python\S*: (?:command )?not found|"
            "PYTHON_VERSION_MISMATCH|Python in worker has different version|"
            "PySpark cannot run with different minor versions"),
    _rule("java.runtime", "dependency", 79, kinds="driver",
        pattern=r"JAVA_HOME is not set|/bin/java: (?:No such file|not found)|\bjava: (?:command )?not found|"
            "Unable to locate a Java Runtime|JAVA_GATEWAY_EXITED|Java gateway process exited before"),
    # Permissions.
    _rule("access.denied", "permission", 77,
        pattern="AccessControlException|AccessDenied|Access Denied|Permission denied|PermissionError|"
            "Operation not permitted|INSUFFICIENT_PERMISSIONS|INSUFFICIENT_PRIVILEGES|PERMISSION_DENIED|"
            r"(?:is |are )?not authorized|does not have (?:\w+[ .]){0,4}(?:permission|privilege|access)|"
            "AuthorizationPermissionMismatch|AuthorizationFailure|insufficient (?:permission|privilege)s?"),
    _rule("access.status", "permission", 76,
        pattern=r"(?:status[ _]?code|status|HTTP(?:/\d\.\d)?|error)[:= ]+40[13]\b|40[13] (?:Forbidden|Unauthorized)|"
            r"\bForbidden\b|Server returned HTTP response code: 40[13]"),
    _rule("access.credentials", "permission", 76,
        pattern=r"ExpiredToken|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken\b|NoAuthWithAWSException|"
            "NoAwsCredentials|Unable to load (?:AWS )?credentials|No AWS Credentials|could not load credentials|"
            "GSSException|Kerberos.*(?:fail|expired)|Client cannot authenticate via|InvalidAuthenticationInfo|"
            "token (?:is |has )?expired|AuthenticationFailed|password authentication failed|"
            "Access denied for user"),
    _rule("access.mkdirs", "permission", 74,
        pattern=r"Mkdirs failed to create|Failed to create (?:local )?dir|mkdir of \S+ failed|"
            "Unable to create (?:staging )?directory|Read-only file system"),
    # Data that is another than the code expects.
    _rule("schema.column", "schema_mismatch", 74,
        pattern="UNRESOLVED_COLUMN|UNRESOLVED_FIELD|FIELD_NOT_FOUND|COLUMN_NOT_FOUND|"
            r"cannot resolve '?\S+'? given input columns|No such struct field|AMBIGUOUS_REFERENCE|"
            "COLUMN_NOT_DEFINED_IN_TABLE|COLUMN_ALREADY_EXISTS|ATTRIBUTE_NOT_SUPPORTED|Cannot resolve column name"),
    _rule("schema.file", "schema_mismatch", 75,
        pattern="PARQUET_COLUMN_DATA_TYPE_MISMATCH|SchemaColumnConvertNotSupported|"
            "Parquet column cannot be converted|CANNOT_MERGE_SCHEMAS|"
            "Failed (?:to merge|merging) (?:incompatible )?(?:schema|fields|data types)|"
            "IncompatibleSchemaException|AvroTypeException|is not a Parquet file|Malformed (?:ORC|CSV|JSON)|"
            "MALFORMED_(?:RECORD|CSV|JSON|AVRO)|CANNOT_READ_FILE_FOOTER|Could not read footer|"
            "Unable to create Parquet converter|ParquetDecodingException|NOT_A_PARQUET|CONVERT_.*PARQUET|"
            "ArrowInvalid"),
    _rule("schema.type", "schema_mismatch", 74,
        pattern="CAST_INVALID_INPUT|CAST_OVERFLOW|DATATYPE_MISMATCH|INCOMPATIBLE_(?:DATA|COLUMN|SCHEMA|TYPES?)|"
            "INSERT_COLUMN_ARITY_MISMATCH|NUM_COLUMNS_MISMATCH|NUM_TABLE_VALUE_ALIASES|"
            "CANNOT_ACCEPT_OBJECT_IN_TYPE|CANNOT_DETERMINE_TYPE|FIELD_DATA_TYPE_UNACCEPTABLE|can ?not accept object|"
            "NOT_NULL_CONSTRAINT|FIELD_NOT_NULLABLE|NULLABLE_COLUMN|CANNOT_PARSE_(?:TIMESTAMP|DATE|DECIMAL)|"
            r"CANNOT_SAFELY_CAST|cannot be cast to (?:class )?(?:java\.lang|org\.apache\.spark\.sql)|"
            "DELTA_FAILED_TO_MERGE|A schema mismatch detected|schema mismatch|SCHEMA_CHANGED|"
            "column types? mismatch|different number of columns|UNSUPPORTED_DATATYPE|CANNOT_UPDATE_FIELD|"
            "MISSING_ATTRIBUTES|EXPECTED_.*_TYPE|INVALID_SCHEMA|LENGTH_SHOULD_BE_THE_SAME"),
    # Input that is not there.
    _rule("input.path", "missing_input", 73,
        unless=_SHUFFLE_FILE,
        pattern="PATH_NOT_FOUND|Path does not exist|Input path does not exist|Input Pattern .* matches 0 files|"
            "FILE_NOT_EXIST|SparkFileNotFoundException|UNABLE_TO_INFER_SCHEMA|NoSuchFileException|"
            "BlockMissingException|It is possible the underlying files have been updated"),
    _rule("input.file", "missing_input", 71,
        unless=rf"{_SHUFFLE_FILE}|Permission denied|Cannot run program|spark-events|shared object file|^\S*env: |"
            r"/spark-\w+-[0-9a-f]+/",
        pattern="FileNotFoundException|FileNotFoundError|No such file or directory"),
    _rule("input.object", "missing_input", 74,
        pattern="NoSuchKey|NoSuchBucket|"
            "The specified (?:key|path|bucket|blob|container|resource|filesystem) does ?n[o']t? exist|"
            "BlobNotFound|ContainerNotFound|FilesystemNotFound|PathNotFound|Item not found: 'gs:|"
            r"(?:bucket|object) (?:was )?not found|storage\S* 404|Status Code: 404"),
    _rule("input.table", "missing_input", 74,
        unless=r"column \x22[^\x22]*\x22 of relation",
        pattern="TABLE_OR_VIEW_NOT_FOUND|Table or view not found|NoSuchTableException|NoSuchNamespaceException|"
            "SCHEMA_NOT_FOUND|NoSuchDatabaseException|PARTITIONS?_NOT_FOUND|NoSuchPartition|"
            "DELTA_(?:TABLE|PATH)_(?:NOT_FOUND|DOES_NOT_EXIST)|is not a Delta table|"
            r"relation \x22[^\x22]*\x22 does not exist|Table '?[^ ']*'? does(?:n't| not) exist|VERSION_NOT_FOUND|"
            "Cannot find snapshot"),
    # Time.
    _rule("time.broadcast", "timeout", 79,
        pattern=r"Could not execute broadcast in|spark\.sql\.broadcastTimeout|BROADCAST.*TIMEOUT|"
            r"\[_?\w*EXECUTE_BROADCAST_TIMEOUT"),
    _rule("time.task", "timeout", 75,
        pattern="AirflowTaskTimeout|AirflowSensorTimeout|SensorTimeout|Timeout, PID|DeadlineExceeded|"
            "deadline exceeded|exceeded (?:its |the )?(?:deadline|time limit|timeout)|QueryTimeout|"
            "statement timeout|execution timeout|timed out waiting for resources|OPERATION_TIMEOUT"),
    _rule("time.network", "timeout", 68,
        unless="Executor heartbeat timed out|heartbeat",
        pattern=r"SocketTimeoutException|RpcTimeoutException|Futures timed out|\bTimeoutException\b|\bTimeoutError\b|"
            "Read timed out|connect(?:ion)? timed out|ConnectTimeout|ReadTimeout|Connection timed out|"
            "Timed out after|Timeout waiting for|ApplicationMaster .*timed out|TIMEOUT_ERROR"),
    _rule("time.resources", "timeout", 42,
        pattern="Initial job has not accepted any resources"),
    # Executors that went away.
    _rule("executor.heartbeat", "executor_lost", 70,
        pattern="Executor heartbeat timed out|heartbeat timed out after|no recent heartbeats"),
    _rule("executor.lost", "executor_lost", 69,
        unless="decommissioning is (?:not )?enabled|"
            r"Lost executor \S+ on \S+: (?:Command exited with code 0\b|Executor finished|Killed by driver)|"
            r"spark\.decommission",
        pattern="ExecutorLostFailure|ExecutorDeadException|EXECUTOR_LOST|worker lost|Remote RPC client disassociated|"
            "cannot run anywhere due to node and executor|"
            r"Executor(?: \S+)? (?:is )?lost|Lost executor|Container (?:from a bad node|marked as failed)|"
            "Slave lost|exited unrelated to the running tasks|decommission"),
    _rule("executor.exit", "executor_lost", 69,
        pattern=r"(?:Command exited with code|exit code[:=]?|exit status[:=]?|Exit code is|exitStatus=?)\s*"
            r"(?:134|137|139|143)\b"),
    _rule("python.worker-died", "executor_lost", 66,
        pattern="Python worker (?:exited unexpectedly|crashed|process terminated)|PYTHON_WORKER_(?:CRASHED|EXITED)|"
            "SIGSEGV|SIGBUS"),
    # Somebody, or something, ended it.
    _rule("executor.retries", "executor_lost", 86,
        pattern="Master removed our application: FAILED|Max number of executor failures|"
            "executors? (?:have |has )?failed .{0,40}(?:max|limit)"),
    _rule("killed.by-person", "killed", 88,
        unless=r"removed our application: FAILED|TaskSchedulerImpl: Stage \d+(?:\.\d+)? was cancelled",
        pattern="Master removed our application: KILLED|killed by user|Killed by admin|was killed by (?:user|admin)|"
            r"Application (?:\S+ )?(?:was |has been )?killed|Received kill|state:? KILLED|finalStatus:? KILLED|"
            r"UNDEFINED.*KILLED|Job \d+ cancelled (?:part of cancelled job group|by user|as|because (?:killed|Stage))|"
            r"killed via the Web UI|Stage \d+ (?:was )?cancelled|"
            "cancelled part of cancelled job group|OPERATION_CANCELED"),
    _rule("killed.signal", "killed", 84, kinds="driver state container",
        unless=r"\(yarn\.\w",
        pattern=r"RECEIVED SIGNAL (?:TERM|INT|HUP|15|2)|\bKeyboardInterrupt\b|SIGKILL|SIGTERM|Received signal|"
            r"Process terminated by signal|return code -(?:9|15)\b|signal: 9|signal: 15|Terminated$|^Killed$"),
    _rule("killed.shell", "killed", 83, kinds="driver",
        pattern=r"^(?:\S+: line \d+: +\d+ +)(?:Killed|Terminated)(?:$| {2})"),
    _rule("killed.preempted", "killed", 80, kinds="driver state",
        unless="executor",
        pattern="Preempted by|preempted by (?:scheduler|the cluster)|AM preempted|spot (?:instance )?interrupt"),
    _rule("killed.context-stopped", "killed", 40, kinds="driver",
        pattern="cancelled because SparkContext was shut down|SparkContext (?:was shut down|has been shutdown)"),
    _rule("killed.driver-gone", "killed", 38, kinds=_EXECUTOR,
        pattern=r"Driver \S+ disassociated! Shutting down|Driver .*disassociated|"
            "Executor self-exiting due to : ?Driver"),
    _rule("killed.broke-off", "killed", 33, kinds="shape",
        pattern="the log breaks off"),
    _rule("killed.gateway", "killed", 34, kinds="driver",
        pattern=r"Py4JNetworkError|Answer from Java side is empty|ConnectionRefusedError: \[Errno 111\]"),
    # What was measured.
    _rule("shape.skew", "skew", 46, kinds="shape",
        pattern=r"of stage \S+ took|times the (?:middle|median)"),
    # Code.
    _rule("code.python", "code_error", 50, kinds="driver executor task",
        unless="Py4JNetworkError|KeyboardInterrupt|Py4JJavaError|ClosedChannel|InterruptedException|RejectedExecution|"
            "SparkContext was shut down",
        pattern=r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Fault)(?::|$)|^StopIteration\b|^SystemExit\b|"
            r"^  .*\n[A-Za-z_][\w.<>]*(?::|$)"),
    _rule("code.udf", "code_error", 56, kinds="driver executor task",
        pattern="FAILED_EXECUTE_UDF|USER_RAISED_EXCEPTION|DIVIDE_BY_ZERO|"
            "ARITHMETIC_OVERFLOW|INVALID_ARRAY_INDEX|PARSE_SYNTAX_ERROR|ParseException|UNRESOLVED_ROUTINE|"
            "WRONG_NUM_ARGS|MISSING_AGGREGATION|MISSING_GROUP_BY|Task not serializable|NotSerializableException|"
            "PicklingError|Could not serialize object|MapStatus|NullPointerException|ArithmeticException|"
            "IllegalArgumentException|NumberFormatException|MatchError|IndexOutOfBounds|NoSuchElementException|"
            "ClassCastException|UnsupportedOperationException|StackOverflowError"),
    _rule("code.python-worker", "code_error", 47, pattern="PYTHON_EXCEPTION|PythonException"),
    _rule("code.java", "code_error", 48, kinds="driver executor task",
        unless=r"SparkException: (?:Job aborted|Job \d+ cancelled|Exception thrown in awaitResult)|ClosedChannel|"
            "InterruptedException|RejectedExecution|IOException: (?:Connection reset|Failed to (?:send|connect))",
        pattern=r"^(?:Exception in thread \x22[^\x22]*\x22 |Caused by: )?(?:[a-z_]\w*\.)+[\w$]+(?:Exception|Error)\b"),
    _rule("code.exit", "code_error", 30, kinds="container state",
        pattern=r"exit code 1\b|exited with code 1\b|exitCode: 1\b"),
    _rule("code.last-words", "code_error", 44, kinds="shape",
        pattern=r"^before it left it said: "),
    _rule("code.condition", "code_error", 49, kinds="driver executor task",
        pattern=r"^(?:.{0,200}[: ])?\[[A-Z][A-Z0-9]*_[A-Z0-9_.]+\] "),
    *IDEAS,
)
# fmt: on

#: What programs of any kind say last, for failures of which no rule knows more than that some code raised something.
_SAID_WORDS: Final[tuple[tuple[str, Category, str], ...]] = (
    ("said.schema", "schema_mismatch", r"schema.?mismatch|no such column|unknown column|column .{1,80} does not exist"),
    ("said.contract", "schema_mismatch", r"column .{1,80} (?:expected|the contract)|does not match .{0,20}schema"),
    ("said.missing", "missing_input", r"no such (?:file|table|key)|NoSuch(?:Key|Bucket)|404 Not Found"),
    ("said.absent", "missing_input", r"(?:relation|table|file|path|object) .{0,120}(?:does not|doesn't) exist"),
    (
        "said.permission",
        "permission",
        r"permission denied|access ?denied|40[13] (?:Forbidden|Unauthorized)|not authorized",
    ),
    (
        "said.command",
        "dependency",
        r"command not found|No module named|cannot import name|conn_id .{1,80} isn't defined",
    ),
    ("said.service", "dependency", r"connection refused|name or service not known|could not resolve host"),
    ("said.time", "timeout", r"timed out|timeout|deadline exceeded"),
    ("said.memory", "killed", r"out of memory|cannot allocate memory|^Killed$"),
)
SAID: Final[tuple[tuple[str, Category, re.Pattern[str]], ...]] = tuple(
    (name, category, re.compile(words, re.IGNORECASE)) for name, category, words in _SAID_WORDS
)
