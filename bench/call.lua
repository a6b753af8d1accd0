-- One request, sent again and again. Prints one line of JSON at the end: wrk's own summary is for people.
wrk.method = os.getenv("BENCH_METHOD")
wrk.path = os.getenv("BENCH_PATH")
wrk.body = os.getenv("BENCH_BODY")
for name, value in os.getenv("BENCH_HEADERS"):gmatch("([^:\n]+): ([^\n]+)") do
  wrk.headers[name] = value
end

-- Where the path or the body has a KEY, each request asks for another of BENCH_KEYS rows.
local keys = tonumber(os.getenv("BENCH_KEYS"))
if keys > 0 then
  request = function()
    local key = tostring(math.random(keys))
    return wrk.format(nil, (wrk.path:gsub("KEY", key)), nil, (wrk.body:gsub("KEY", key)))
  end
end

done = function(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, failed.status,
    failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50), latency:percentile(99)))
end
