// Calls a tool with the official TypeScript client, as a person who fills in the form that they are shown.
// Arguments: the folder of the packages, the server's URL, the access token, how to negotiate the revision, the tool,
// its arguments as JSON, and the choice. Prints what was asked and what was answered as one JSON object.
import { createRequire } from "node:module";

const [packages, url, token, mode, tool, given, decision] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport } = createRequire(`${packages}/`)("@modelcontextprotocol/client");

const asked = [];
const versionNegotiation = mode === "legacy" ? undefined : { mode: { pin: mode } };
const client = new Client(
  { name: "typescript", version: "1" },
  { capabilities: { elicitation: { form: {} } }, ...(versionNegotiation && { versionNegotiation }) },
);
client.setRequestHandler("elicitation/create", async ({ params }) => {
  asked.push({ message: params.message, choices: params.requestedSchema.properties.decision.oneOf });
  return { action: "accept", content: { decision } };
});
const headers = { Authorization: `Bearer ${token}` };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
const called = await client.callTool({ name: tool, arguments: JSON.parse(given) });
console.log(JSON.stringify({ era: client.getProtocolEra?.() ?? "", asked, called }));
await client.close();
