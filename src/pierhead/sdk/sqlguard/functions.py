"""Which functions a statement may call, by dialect. Lists only: inspection.py asks.

An allow-list, so a function that an engine gains tomorrow is refused until someone has read about it.
A name enters if it is pure (or reads the clock, or is random), reads no table, file, setting or session,
runs no SQL text, and yields no more bytes than a small multiple of its arguments; the exceptions to the last
are AMPLIFYING and FORMATTING, which inspection.py bounds. The lists were made from PostgreSQL 15's `pg_proc`,
DuckDB 2's `duckdb_functions()` and SQLite 3.40's `function_list`, then read name by name.
"""

from collections.abc import Mapping

from pierhead.sdk.sqlguard.view import Dialect


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Functions sqlglot knows by class. The class fixes what is regenerated, whatever the caller called it.
TYPED = words("""
Abs Acos Acosh AddMonths And AnyValue ApproxDistinct ApproxPercentileAccumulate ApproxPercentileCombine
ApproxPercentileEstimate ApproxQuantile ApproxQuantiles ApproxTopK ApproxTopKAccumulate ApproxTopKCombine
ApproxTopKEstimate ApproxTopSum ApproximateSimilarity ArgMax ArgMin Array ArrayAgg ArrayAll ArrayAny
ArrayAppend ArrayCompact ArrayConcat ArrayConcatAgg ArrayConstructCompact ArrayContainedBy ArrayContains
ArrayContainsAll ArrayDistinct ArrayExcept ArrayFilter ArrayFirst ArrayInsert ArrayIntersect ArrayLast
ArrayMax ArrayMin ArrayOverlaps ArrayPosition ArrayPrepend ArrayRemove ArrayRemoveAt ArrayReverse
ArraySize ArraySlice ArraySort ArraySum ArrayToString ArrayUnionAgg ArrayUniqueAgg ArraysZip Ascii Asin
Asinh Atan Atan2 Atanh Avg Base64DecodeBinary Base64DecodeString Base64Encode BitLength BitmapBitPosition
BitmapBucketNumber BitmapConstructAgg BitmapCount BitmapOrAgg BitwiseAndAgg BitwiseCount BitwiseOrAgg
BitwiseXorAgg Booland Boolnot Boolor BoolxorAgg ByteLength Case Cast CastToStrType Cbrt Ceil Chr
CityHash64 Coalesce CodePointsToBytes CodePointsToString Collate Columns Concat ConcatWs Contains Convert
ConvertTimezone ConvertToCharset Corr Cos Cosh CosineDistance Cot Coth Count CountIf CovarPop CovarSamp
Csc Csch CumeDist CurrentDate CurrentDatetime CurrentTime CurrentTimestamp CurrentTimestampLTZ Date
DateAdd DateBin DateDiff DateFromParts DateFromUnixDate DateStrToDate DateSub DateToDateStr DateToDi
DateTrunc Datetime DatetimeAdd DatetimeDiff DatetimeSub DatetimeTrunc Day DayOfMonth DayOfWeek
DayOfWeekIso DayOfYear Dayname Decode DecodeCase Degrees DenseRank DiToDate DotProduct Elt Encode EndsWith
EqualNull EuclideanDistance Exists Exp Extract Factorial FarmFingerprint First FirstValue Flatten Float64
Floor FromBase FromBase32 FromBase64 FromISO8601Date FromISO8601Timestamp FromISO8601TimestampNanos
FromJson Getbit Greatest GroupConcat Grouping GroupingId HashAgg Hex HexDecodeString Hll Hour If Initcap
Int64 IsArray IsAscii IsInf IsNan IsNullValue JSONArray JSONArrayAgg JSONArrayAppend JSONArrayContains
JSONArrayInsert JSONBContains JSONBContainsAllTopKeys JSONBContainsAnyTopKeys JSONBContainsTopKey
JSONBDeleteAtPath JSONBExists JSONBExtract JSONBExtractScalar JSONBObjectAgg JSONBPathExists JSONBool
JSONCast JSONExists JSONExtract JSONExtractArray JSONExtractScalar JSONFormat JSONKeys JSONKeysAtDepth
JSONObject JSONObjectAgg JSONRemove JSONSet JSONStripNulls JSONType JSONValueArray JarowinklerSimilarity
JustifyDays JustifyHours JustifyInterval Kurtosis Lag Last LastDay LastValue LaxBool LaxFloat64 LaxInt64
LaxString Lead Least Left Length Levenshtein List Ln Localtime Localtimestamp Log LogicalAnd LogicalOr
Lower LowerHex MD5 MD5Digest MD5NumberLower64 MD5NumberUpper64 MakeInterval ManhattanDistance MatchAgainst Map MapCat
MapContainsKey MapDelete MapFromEntries MapInsert MapKeys MapPick MapSize Max Median Min Minhash
MinhashCombine Minute Mode Month Monthname MonthsBetween Nanvl Negative NextDay Normalize NthValue Ntile
Nullif NumberToStr Nvl2 ObjectAgg ObjectInsert ObjectTransform Or Overlay ParseBignumeric ParseDatetime
ParseJSON ParseNumeric ParseTime ParseUrl PercentRank PercentileCont PercentileDisc Pi Pow PreviousDay
Quantile Quarter Radians Rand RangeBucket Rank Reduce RegexpCount RegexpExtract RegexpExtractAll
RegexpFullMatch RegexpILike RegexpInstr RegexpLike RegexpReplace RegexpSplit RegexpSubstr RegrAvgx
RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope RegrSxx RegrSxy RegrSyy RegrValx RegrValy Replace
Reverse Right Rint Round RowNumber RtrimmedLength SHA SHA1Digest SHA2 SHA2Digest SafeAdd
SafeConvertBytesToString SafeDivide SafeMultiply SafeNegate SafeSubtract Sec Sech Second Sign Sin Sinh
Skewness Soundex SoundexP123 Split SplitPart Sqrt StDistance StPoint StandardHash StarMap StartsWith
Stddev StddevPop StddevSamp StrPosition StrToDate StrToMap StrToTime StrToUnix String StringToArray
StripNullValue Strtok StrtokToArray Struct StructExtract Stuff Substring SubstringIndex Sum Systimestamp
Tan Tanh Time TimeAdd TimeDiff TimeFromParts TimeSlice TimeStrToDate TimeStrToTime TimeStrToUnix TimeSub
TimeToStr TimeToTimeStr TimeToUnix TimeTrunc Timestamp TimestampAdd TimestampDiff TimestampFromParts
TimestampLtzFromParts TimestampSub TimestampTrunc TimestampTzFromParts ToArray ToBase32 ToBase64 ToBinary
ToBoolean ToChar ToCodePoints ToDays ToDecfloat ToDouble ToMap ToNumber ToVariant Transform Translate Trim
Trunc Try TryBase64DecodeBinary TryBase64DecodeString TryCast TryHexDecodeBinary TryHexDecodeString
TryToDecfloat TsOrDiToDi TsOrDsAdd TsOrDsDiff TsOrDsToDate TsOrDsToDateStr TsOrDsToDatetime TsOrDsToTime
TsOrDsToTimestamp Typeof Unhex Unicode UnixDate UnixMicros UnixMillis UnixSeconds UnixToStr UnixToTime
UnixToTimeStr Upper UtcDate UtcTime UtcTimestamp Uuid VarMap Variance VariancePop Week WeekOfYear
WeekStart WidthBucket Xor Year YearOfWeek YearOfWeekIso
""")

# Typed functions that repeat a value: their count must be a small literal.
AMPLIFYING = words("Repeat Space Pad")
AMPLIFYING_NAMES = words("repeat replicate lpad rpad space")

# Functions whose first argument is a format: a literal without large widths.
FORMATTING = words("format printf formatmessage")

# Typed functions that yield rows.
TYPED_TABLE = words("GenerateSeries ExplodingGenerateSeries Unnest Explode Posexplode")

_COMMON = words("""
abs acos ascii asin atan atan2 avg ceil ceiling coalesce concat concat_ws cos count cume_dist date degrees
dense_rank exp first_value floor greatest grouping lag last_value lead least left length ln log log10
lower ltrim max min mod nth_value ntile nullif percent_rank pi pow power radians rank replace reverse
right round row_number rtrim sign sin sqrt stddev stddev_pop stddev_samp substr substring sum tan trim
upper var_pop var_samp variance
""")

_POSTGRES = words("""
abbrev abs acos acosd acosh age any_value area array_agg array_append array_cat array_dims array_length
array_lower array_ndims array_position array_positions array_prepend array_remove array_replace
array_to_json array_to_string array_to_tsvector array_upper ascii asin asind asinh atan atan2 atan2d atand
atanh avg bit_and bit_count bit_length bit_or bit_xor bool_and bool_or bound_box box broadcast btrim
cardinality cbrt ceil ceiling center char_length character_length chr circle clock_timestamp coalesce
concat concat_ws convert_from convert_to corr cos cosd cosh cot cotd count covar_pop covar_samp cume_dist
date date_bin date_part date_trunc daterange decode degrees dense_rank diagonal diameter div encode every
exp extract factorial family first_value floor gcd gen_random_uuid generate_subscripts get_bit get_byte
greatest grouping height host hostmask inet_merge inet_same_family initcap int4multirange int4range
int8multirange int8range is_normalized isclosed isempty isfinite isopen json_agg json_array_elements
json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text
json_extract_path json_extract_path_text json_object json_object_agg json_object_keys json_populate_record
json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_agg
jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
jsonb_concat jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path jsonb_each jsonb_each_text
jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_extract_path jsonb_extract_path_text jsonb_insert
jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query
jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty
jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days
justify_hours justify_interval lag last_value lcm lead least left length ln log log10 lower lower_inc
lower_inf ltrim make_date make_interval make_time make_timestamp make_timestamptz masklen max md5 min
min_scale mod mode multirange netmask network normalize now nth_value ntile nullif num_nonnulls num_nulls
nummultirange numnode numrange octet_length overlay parse_ident path pclose percent_rank percentile_cont
percentile_disc pg_typeof phraseto_tsquery pi plainto_tsquery point polygon popen position pow power
querytree quote_ident quote_literal quote_nullable radians radius random range_agg range_intersect_agg
range_merge rank regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept
regr_r2 regr_slope regr_sxx regr_sxy regr_syy replace reverse right round row row_number row_to_json rtrim
scale set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 sign sin sind sinh slope
split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array
string_to_table strip strpos substr substring sum tan tand tanh text timeofday to_ascii to_char to_date
to_hex to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim
trim_array trim_scale trunc ts_delete ts_filter ts_headline ts_rank ts_rank_cd tsmultirange tsquery_phrase
tsrange tstzmultirange tstzrange tsvector_to_array unistr unnest upper upper_inc upper_inf var_pop
var_samp variance websearch_to_tsquery width width_bucket
""")

_SQLITE = words("""
-> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos cosh
count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp
first_value floor glob group_concat hex ifnull iif instr json json_array json_array_length json_extract
json_group_array json_group_object json_insert json_object json_patch json_quote json_remove json_replace
json_set json_type json_valid julianday lag last_value lead length like likelihood likely ln log log10
log2 lower ltrim max min mod nth_value ntile nullif octet_length percent_rank pi pow power quote radians
random rank replace round row_number rtrim sign sin sinh soundex sqrt strftime string_agg substr substring
sum tan tanh time timediff total trim trunc typeof unhex unicode unixepoch unlikely upper
""")

_DUCKDB = words("""
abs acos acosh add age aggregate ago any_value apply approx_count_distinct approx_quantile approx_top_k
arbitrary arg_max arg_max_null arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin
array_agg array_aggr array_aggregate array_append array_apply array_cat array_concat array_contains
array_cosine_distance array_cosine_similarity array_cross_product array_distance array_distinct
array_dot_product array_extract array_filter array_grade_up array_has array_has_all array_has_any
array_indexof array_inner_product array_intersect array_length array_negative_dot_product
array_negative_inner_product array_pop_back array_pop_front array_position array_prepend array_push_back
array_push_front array_reduce array_reverse array_reverse_sort array_select array_slice array_sort
array_to_json array_to_string array_to_string_comma_default array_transform array_unique array_value
array_where array_zip ascii asin asinh atan atan2 atanh avg base64 bin binom bit_and bit_count bit_length
bit_or bit_position bit_xor bitstring_agg bool_and bool_or cardinality cbrt ceil ceiling century
char_length character_length chr coalesce concat concat_ws contains corr cos cosh cot count count_if
count_star countif covar_pop covar_samp cume_dist current_date current_localtime current_localtimestamp
damerau_levenshtein date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc
day dayname dayofmonth dayofweek dayofyear days_in_month decade decimal_average decimal_division decode
degrees dense_rank divide editdist3 element_at encode ends_with entropy enum_range epoch epoch_ms epoch_ns
epoch_us equi_width_bins era even exp factorial favg fdiv filter first first_value flatten floor fmod
format_bytes from_base64 from_binary from_hex from_json from_json_strict fsum gamma gcd gen_random_uuid
geomean geometric_mean get_bit get_current_time get_current_timestamp grade_up greatest
greatest_common_divisor group_concat grouping hamming hash hex histogram histogram_exact hour if ifnull
ilike_escape instr isfinite isinf isnan isodow isoyear jaccard jaro_similarity jaro_winkler_similarity
json json_array json_array_length json_contains json_deep_merge json_exists json_extract json_extract_path
json_extract_path_text json_extract_string json_group_array json_group_object json_group_structure
json_insert json_keys json_merge_patch json_merge_patch_diff json_normalize json_object json_pretty
json_quote json_remove json_replace json_set json_strip_nulls json_structure json_transform
json_transform_strict json_type json_valid json_value julian kahan_sum kurtosis kurtosis_pop lag lambda
last last_day last_value lcase lcm lead least least_common_multiple left left_grapheme len length
length_grapheme levenshtein lgamma like_escape list list_aggr list_aggregate list_any_value list_append
list_apply list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and
list_bool_or list_cat list_concat list_contains list_cosine_distance list_cosine_similarity list_count
list_distance list_distinct list_dot_product list_element list_entropy list_extract list_filter list_first
list_grade_up list_has list_has_all list_has_any list_histogram list_indexof list_inner_product
list_intersect list_kurtosis list_kurtosis_pop list_last list_mad list_max list_median list_min list_mode
list_negative_dot_product list_negative_inner_product list_pack list_position list_prepend list_product
list_reduce list_reverse list_reverse_sort list_select list_sem list_skewness list_slice list_sort
list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform list_unique list_value
list_var_pop list_var_samp list_where list_zip listagg ln log log10 log2 lower ltrim lttb mad make_date
make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz map map_concat map_contains
map_contains_entry map_contains_value map_entries map_extract map_extract_value map_from_entries map_keys
map_values max max_by md5 md5_number md5_number_lower md5_number_upper mean median microsecond millennium
millisecond min min_by minute mismatches mod mode month monthname multiply nanosecond nextafter
nfc_normalize normalized_interval not_ilike_escape not_like_escape now nth_value ntile nullif octet_length
ord overlay parse_dirname parse_dirpath parse_filename parse_formatted_bytes parse_path path_join
percent_rank pi position pow power prefix product quantile quantile_cont quantile_disc quarter radians
random rank reduce regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches
regexp_replace regexp_split_to_array regexp_split_to_table regr_avgx regr_avgy regr_count regr_intercept
regr_r2 regr_slope regr_sxx regr_sxy regr_syy replace reservoir_quantile reverse right right_grapheme
round round_even roundbankers row row_number row_to_json rtrim second sem set_bit sha1 sha256 sign signbit
sin sinh skewness split split_part sqrt starts_with stddev stddev_pop stddev_samp str_split
str_split_regex strftime string_agg string_split string_split_regex string_to_array strip_accents strlen
strpos strptime struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof
struct_insert struct_keys struct_pack struct_position struct_update struct_values substr substring
substring_grapheme subtract suffix sum sum_no_overflow sumkahan switch tan tanh time_bucket timezone
timezone_hour timezone_minute to_base to_base64 to_binary to_centuries to_days to_decades to_hex to_hours
to_json to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds
to_timestamp to_weeks to_years today transaction_timestamp translate trim trunc try_strptime typeof ucase
unbin unhex unicode union_extract union_tag union_value unpivot_list upper url_decode url_encode uuid
uuid_extract_timestamp uuid_extract_version var_pop var_samp variance wavg week weekday weekofyear
weighted_avg xor year yearweek
""")

_MYSQL = _COMMON | words("""
acos adddate addtime any_value bin bit_and bit_count bit_length bit_or bit_xor cast char char_length
character_length conv convert_tz cot crc32 curdate curtime date_add date_format date_sub datediff day
dayname dayofmonth dayofweek dayofyear elt export_set field find_in_set format_bytes from_days
from_unixtime group_concat hex hour if ifnull insert instr isnull json_array json_arrayagg json_contains
json_contains_path json_depth json_extract json_keys json_length json_object json_objectagg json_overlaps
json_pretty json_quote json_search json_type json_unquote json_valid json_value last_day lcase locate log2
make_set makedate maketime md5 microsecond mid minute month monthname now oct octet_length ord period_add
period_diff position quarter quote rand regexp_instr regexp_like regexp_replace regexp_substr sec_to_time
second sha1 sha2 soundex std str_to_date strcmp subdate substring_index subtime sysdate time time_format
time_to_sec timediff timestamp timestampadd timestampdiff to_days to_seconds truncate ucase unhex
unix_timestamp utc_date utc_time utc_timestamp uuid week weekday weekofyear year yearweek
""")

_TRINO = _COMMON | words("""
all_match any_match any_value approx_distinct approx_most_frequent approx_percentile approx_set arbitrary
array_agg array_distinct array_except array_first array_intersect array_join array_last array_max
array_min array_position array_remove array_sort array_union arrays_overlap at_timezone bit_count
bitwise_and bitwise_not bitwise_or bitwise_xor bool_and bool_or cardinality cbrt char_length chr codepoint
combinations contains contains_sequence corr count_if covar_pop covar_samp current_date current_time
current_timestamp date_add date_diff date_format date_parse date_trunc day day_of_month day_of_week
day_of_year dow doy e element_at empty_approx_set every filter flatten format_datetime format_number
from_base from_base32 from_base64 from_hex from_iso8601_date from_iso8601_timestamp from_unixtime
from_unixtime_nanos from_utf8 geometric_mean hamming_distance histogram hour human_readable_seconds if
infinity is_finite is_infinite is_nan json_array_contains json_array_get json_array_length json_extract
json_extract_scalar json_format json_parse json_size kurtosis last_day_of_month levenshtein_distance
listagg localtime localtimestamp log2 luhn_check map map_agg map_concat map_entries map_filter
map_from_entries map_keys map_union map_values map_zip_with max_by md5 merge millisecond min_by minute
month multimap_agg multimap_from_entries nan ngrams none_match normal_cdf normalize now numeric_histogram
parse_data_size parse_datetime parse_duration position qdigest_agg quarter rand random reduce reduce_agg
regexp_count regexp_extract regexp_extract_all regexp_like regexp_position regexp_replace regexp_split
regr_intercept regr_slope row second sequence sha1 sha256 sha512 skewness slice soundex split split_part
split_to_map split_to_multimap spooky_hash_v2_64 starts_with strpos tdigest_agg timezone_hour
timezone_minute to_base to_base32 to_base64 to_char to_date to_hex to_iso8601 to_milliseconds to_timestamp
to_unixtime to_utf8 transform transform_keys transform_values translate trim_array truncate try typeof
url_decode url_encode url_extract_host url_extract_parameter url_extract_path url_extract_port
url_extract_protocol url_extract_query uuid value_at_quantile values_at_quantiles week week_of_year
width_bucket with_timezone word_stem xxhash64 year year_of_week yow zip zip_with
""")

_TSQL = _COMMON | words("""
approx_count_distinct binary_checksum char charindex checksum_agg choose convert count_big
current_timestamp datalength dateadd datediff datediff_big datefromparts datename datepart
datetime2fromparts datetimefromparts datetimeoffsetfromparts datetrunc day difference eomonth format
getdate getutcdate greatest grouping_id hashbytes iif isdate isjson isnull isnumeric json_modify
json_object json_path_exists json_query json_value least len log month nchar newid parse patindex
percentile_cont percentile_disc quotename rand smalldatetimefromparts square stdev stdevp str string_agg
string_escape stuff switchoffset sysdatetime sysdatetimeoffset sysutcdatetime timefromparts
todatetimeoffset translate try_cast try_convert try_parse unicode var varp year
""")

_ORACLE = _COMMON | words("""
add_months bitand cardinality chr corr cosh covar_pop covar_samp current_date current_timestamp decode
dump extract from_tz initcap instr json_array json_arrayagg json_exists json_object json_objectagg
json_query json_value last_day listagg lnnvl localtimestamp lpad median months_between nanvl new_time
next_day numtodsinterval numtoyminterval nvl nvl2 ora_hash percentile_cont percentile_disc ratio_to_report
regexp_count regexp_instr regexp_like regexp_replace regexp_substr regr_intercept regr_slope remainder
sinh soundex standard_hash stats_mode substrb sys_extract_utc sysdate systimestamp tanh to_char to_clob
to_date to_dsinterval to_number to_timestamp to_timestamp_tz to_yminterval translate trunc tz_offset
validate_conversion vsize width_bucket
""")

_SNOWFLAKE = _COMMON | words("""
any_value approx_count_distinct approx_percentile approx_top_k array_agg array_append array_cat
array_compact array_construct array_contains array_distinct array_except array_flatten array_insert
array_intersection array_max array_min array_position array_prepend array_remove array_size array_slice
array_sort array_to_string arrays_overlap as_array as_char as_date as_double as_integer as_number
as_object as_varchar base64_decode_string base64_encode bitand bitand_agg bitor bitor_agg bitxor bool_and
bool_or booland_agg boolor_agg charindex check_json collate conditional_change_event
conditional_true_event contains convert_timezone corr count_if covar_pop covar_samp current_date
current_localtime current_time current_timestamp date_from_parts date_part date_trunc dateadd datediff day
dayname dayofmonth dayofweek dayofyear decode div0 div0null editdistance endswith equal_null filter get
get_path hash hex_encode hour iff ifnull initcap insert is_array is_boolean is_char is_date is_decimal
is_double is_integer is_null_value is_object is_varchar jarowinkler_similarity json_extract_path_text
kurtosis last_day len like_all like_any listagg md5 median minute mode month monthname months_between
next_day nullifzero nvl nvl2 object_agg object_construct object_construct_keep_null object_delete
object_insert object_keys object_pick parse_json percentile_cont percentile_disc position previous_day
quarter random ratio_to_report regexp_count regexp_instr regexp_like regexp_replace regexp_substr
regexp_substr_all regr_intercept regr_slope rlike second sha1 sha2 skew soundex split split_part square
startswith strip_null_value strtok strtok_to_array sysdate time_from_parts time_slice timeadd timediff
timestamp_from_parts timestampadd timestampdiff to_array to_binary to_boolean to_char to_date to_decimal
to_double to_json to_number to_object to_time to_timestamp to_timestamp_ltz to_timestamp_ntz
to_timestamp_tz to_varchar to_variant translate trunc try_parse_json try_to_boolean try_to_date
try_to_decimal try_to_double try_to_number try_to_time try_to_timestamp typeof uuid_string week weekiso
weekofyear width_bucket year zeroifnull
""")

NAMED: Mapping[Dialect, frozenset[str]] = {
    "postgres": _POSTGRES,
    "sqlite": _SQLITE,
    "duckdb": _DUCKDB,
    "mysql": _MYSQL,
    "trino": _TRINO,
    "tsql": _TSQL,
    "oracle": _ORACLE,
    "snowflake": _SNOWFLAKE,
}

# Functions in FROM.
NAMED_TABLE: Mapping[Dialect, frozenset[str]] = {
    "postgres": words(
        "generate_series generate_subscripts json_array_elements json_array_elements_text json_each"
        " json_each_text json_object_keys json_to_record json_to_recordset jsonb_array_elements"
        " jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query"
        " jsonb_to_record jsonb_to_recordset regexp_matches regexp_split_to_table string_to_table unnest"
    ),
    "sqlite": words("json_each json_tree"),
    "duckdb": words("generate_series range unnest json_each json_tree"),
    "mysql": frozenset(),
    "trino": frozenset(),
    "tsql": words("string_split"),
    "oracle": frozenset(),
    "snowflake": frozenset(),
}


def is_listed(name: str, dialect: Dialect) -> bool:
    """Whether a name in lower case is one of the engine's own here."""
    own = (NAMED[dialect], NAMED_TABLE[dialect], AMPLIFYING_NAMES, FORMATTING)
    return any(name in listed for listed in own)
