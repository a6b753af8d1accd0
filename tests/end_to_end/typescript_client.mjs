// Lists the tools of a server and calls one, with the official TypeScript client. Prints one JSON object.
// Arguments: the folder of the packages, the server's URL, the access token, how to negotiate the revision,
// the tool to call, its arguments as JSON, and a tool that must read as absent.
import { createRequire } from "node:module";

const [packages, url, token, mode, tool, given, absent] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport } = createRequire(`${packages}/`)("@modelcontextprotocol/client");

const negotiation = { legacy: undefined, auto: { mode: "auto" }, pinned: { mode: { pin: "2026-07-28" } } }[mode];
const client = new Client({ name: "typescript", version: "1" }, negotiation && { versionNegotiation: negotiation });
const headers = { Authorization: `Bearer ${token}` };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
const listed = await client.listTools();
const called = await client.callTool({ name: tool, arguments: JSON.parse(given) });
const refused = await client.callTool({ name: absent, arguments: {} }).catch((error) => ({ code: error.code }));
console.log(JSON.stringify({ tools: listed.tools.map((tool) => tool.name), called, refused }));
await client.close();
