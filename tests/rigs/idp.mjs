// A company's identity provider: the certified `oidc-provider`, its people and what it says of them from the
// environment. Lines on its input: `rotate` gives it other keys, `away` hangs up on everybody, `back` ends that.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const { PACKAGES, PORT, PIERHEAD, PEOPLE, CLOCK_AHEAD_S = '0', TOKEN_S = '600' } = process.env;
const { default: Provider } = await import(`${PACKAGES}/oidc-provider/lib/index.js`);
const issuer = `http://127.0.0.1:${PORT}`;
const people = JSON.parse(PEOPLE);
const told = Date.now;
Date.now = () => told() + Number(CLOCK_AHEAD_S) * 1000;

const on = { enabled: true };
const code = { grant_types: ['authorization_code'], response_types: ['code'], client_secret: 'a secret of forty characters, or more than' };
const resource = (ctx, audience) => ({
  audience, scope: 'mcp', accessTokenFormat: 'jwt', accessTokenTTL: Number(TOKEN_S), jwt: { sign: { alg: 'RS256' } },
});

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

const provider = () => new Provider(issuer, {
  jwks: { keys: [key()] },
  clients: [
    { ...code, client_id: 'pierhead', redirect_uris: [`${PIERHEAD}/sign-in/callback`] },
    { ...code, client_id: 'ide', redirect_uris: ['http://127.0.0.1:9/callback'] },
    { ...code, client_id: 'robot', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
  ],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'mcp'],
  claims: { openid: ['sub', 'groups', 'realm', 'hasgroups'] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  extraTokenClaims: (ctx, token) => people[token.accountId] ?? {},
  features: {
    devInteractions: on, clientCredentials: on,
    resourceIndicators: {
      ...on, defaultResource: (ctx, client, one) => one ?? [], useGrantedResource: () => false, getResourceServerInfo: resource,
    },
  },
});

let answer = provider().callback();
let isAway = false;
const ready = () => console.log('ready');
const server = createServer((request, response) => (isAway ? request.socket.destroy() : answer(request, response)));
server.listen(Number(PORT), '127.0.0.1', ready);
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'rotate') answer = provider().callback();
  else isAway = line === 'away';
  ready();
});
