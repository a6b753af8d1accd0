// Follows a call that waits for people as a task, with the official client of the extension. Prints the task, reads one
// line once people decided, prints how it ended, and the error with which the task answers after that.
// Arguments: the folder of the packages, the server's URL, the access token, the tool, its arguments as JSON.
import { createRequire } from "node:module";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const [packages, url, token, tool, given] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport } = createRequire(`${packages}/`)("@modelcontextprotocol/client");
const extension = pathToFileURL(`${packages}/@modelcontextprotocol/ext-tasks/dist/client/index.js`);
const { createTaskSessionFromClient } = await import(extension);

const authorization = { Authorization: `Bearer ${token}` };
const clientInfo = { name: "typescript", version: "1" };
const protocolVersion = "2026-07-28";
const client = new Client(clientInfo, { versionNegotiation: { mode: { pin: protocolVersion } } });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: authorization } }));

// What the client's own codecs do not take, its host sends itself; the extension says how it is framed.
async function rawDispatch(request, options) {
  const headers = {
    ...authorization,
    ...options?.context?.headers,
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    "MCP-Protocol-Version": protocolVersion,
    "Mcp-Method": request.method,
    "Mcp-Name": request.params.name ?? request.params.taskId,
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, ...request });
  const answer = await (await fetch(url, { method: "POST", headers, body })).json();
  return "error" in answer ? { kind: "error", error: answer.error } : { kind: "result", result: answer.result };
}

const framing = { protocolVersion, clientInfo, clientCapabilities: {} };
const session = createTaskSessionFromClient(client, { endpointId: "shop", rawDispatch, v2RequestFraming: framing });
const execution = await session.callTool(tool, JSON.parse(given));
const { taskId } = execution.handle;
await execution.detach();
const task = session.task(taskId);
console.log(JSON.stringify(await task.snapshot()));

const lines = createInterface({ input: process.stdin });
await lines.question("");
lines.close();
const ended = await task.result();
console.log(JSON.stringify({ ...ended, error: ended.error?.message }));
await task.cancel();
console.log(JSON.stringify(await task.snapshot().catch((error) => ({ message: error.message }))));
await session.close();
await client.close();
