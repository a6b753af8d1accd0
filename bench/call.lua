-- One MCP request, sent again and again. Prints one line of JSON at the end: wrk's own summary is for people.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["content-type"] = "application/json"
wrk.headers["accept"] = "application/json, text/event-stream"
wrk.headers["mcp-protocol-version"] = "2026-07-28"
wrk.headers["mcp-method"] = "tools/call"
wrk.headers["mcp-name"] = os.getenv("BENCH_TOOL")
local token = os.getenv("BENCH_TOKEN")
if token and token ~= "" then
  wrk.headers["authorization"] = "Bearer " .. token
end

-- Where the body has a KEY, each request asks for another of BENCH_KEYS rows.
local keys = tonumber(os.getenv("BENCH_KEYS") or "0")
if keys > 0 then
  local before, after = wrk.body:match("^(.*)KEY(.*)$")
  request = function()
    return wrk.format(nil, nil, nil, before .. math.random(keys) .. after)
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
