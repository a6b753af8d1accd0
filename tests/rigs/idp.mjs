// A company's identity provider: the certified `oidc-provider`, its people and what it says of them from the
// environment. Lines on its input: `rotate` gives it other keys, `away` hangs up on everybody, `back` ends that,
// `groups NAME JSON` changes whose groups those are, `logout NAME` tells Pierhead that a session is over, `gone NAME`
// ends whatever Pierhead was granted for somebody. Its ID tokens are
// exchanged (RFC 8693) by Pierhead for whatever audience, but of whom `lock NAME` names.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const { PACKAGES, PORT, PIERHEAD, PEOPLE, CLOCK_AHEAD_S = '0', TOKEN_S = '600', KEY = '' } = process.env;
const { default: Provider, errors } = await import(`${PACKAGES}/oidc-provider/lib/index.js`);
const { createLocalJWKSet, jwtVerify } = await import(`${PACKAGES}/jose/dist/webapi/index.js`);
const issuer = `http://127.0.0.1:${PORT}`;
const people = JSON.parse(PEOPLE);
const now = Date.now;
Date.now = () => now() + Number(CLOCK_AHEAD_S) * 1000;

const on = { enabled: true };
const code = { grant_types: ['authorization_code'], response_types: ['code'], client_secret: 'a secret of forty characters, or more than' };
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const resource = (ctx, audience) => ({
  audience, scope: 'mcp', accessTokenFormat: 'jwt', accessTokenTTL: Number(TOKEN_S), jwt: { sign: { alg: 'RS256' } },
});

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

const granted = new Map();
const made = (keys) => new Provider(issuer, {
  jwks: { keys },
  clients: [
    {
      ...code, client_id: 'pierhead', redirect_uris: [`${PIERHEAD}/sign-in/callback`],
      grant_types: ['authorization_code', 'refresh_token', EXCHANGE], backchannel_logout_uri: `${PIERHEAD}/oauth/backchannel-logout`,
    },
    { ...code, client_id: 'ide', redirect_uris: ['http://127.0.0.1:9/callback'] },
    { ...code, client_id: 'robot', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
  ],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'mcp'],
  claims: { openid: ['sub', 'groups', 'realm', 'hasgroups'] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  extraTokenClaims: (ctx, token) => ({ ...people[token.accountId], ...(token.gty === 'exchange' && { act: { sub: token.clientId } }) }),
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  fetch: (url, { dispatcher, ...options }) => fetch(url, options), // the dispatcher reaches no address of this machine
  features: {
    devInteractions: on, clientCredentials: on, backchannelLogout: on,
    resourceIndicators: {
      ...on, defaultResource: (ctx, client, one) => one ?? [], useGrantedResource: () => false, getResourceServerInfo: resource,
    },
  },
});

// The subject token is one of this provider's own, of whatever audience; the audience is who the new one is for.
async function exchange(idp, keys, ctx) {
  const { subject_token, subject_token_type, audience } = ctx.oidc.params;
  const known = createLocalJWKSet({ keys: keys.map(({ kty, n, e, kid, alg, use }) => ({ kty, n, e, kid, alg, use })) });
  const refused = () => { throw new errors.InvalidGrant('bad subject_token'); };
  const { payload } = await jwtVerify(subject_token, known, { issuer }).catch(refused);
  if (subject_token_type !== ID_TOKEN || !people[payload.sub] || people[payload.sub].locked) refused();
  const token = new idp.AccessToken({ accountId: payload.sub, client: ctx.oidc.client, scope: 'mcp', gty: 'exchange' });
  const given = resource(ctx, audience);
  token.resourceServer = new idp.ResourceServer(audience, given);
  token.setAudience(audience);
  ctx.body = {
    access_token: await token.save(), issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: token.expiration,
  };
}

let current, first = KEY ? JSON.parse(KEY) : undefined; // a key that somebody else knows, until it is rotated
function provider() {
  const keys = [first ?? key()];
  first = undefined;
  current = made(keys);
  current.registerGrantType(EXCHANGE, (ctx) => exchange(current, keys, ctx), ['subject_token', 'subject_token_type', 'audience'], []);
  current.on('grant.success', (ctx) => {
    if (ctx.oidc.client.clientId === 'pierhead') granted.set(ctx.oidc.account?.accountId, ctx.oidc.entities.Grant?.jti);
  });
  return current;
}

async function told(line) {
  const [word, name, ...rest] = line.split(' ');
  if (word === 'rotate') answer = provider().callback();
  else if (word === 'groups') people[name] = { ...people[name], groups: JSON.parse(rest.join(' ')) };
  else if (word === 'logout') await (await current.Client.find('pierhead')).backchannelLogout(name);
  else if (word === 'gone') await current.RefreshToken.revokeByGrantId(granted.get(name));
  else if (word === 'lock') people[name] = { ...people[name], locked: true };
  else isAway = word === 'away';
}

let answer = provider().callback();
let isAway = false;
const ready = () => console.log('ready');
const server = createServer((request, response) => (isAway ? request.socket.destroy() : answer(request, response)));
server.listen(Number(PORT), '127.0.0.1', ready);
createInterface({ input: process.stdin }).on('line', (line) => told(line).then(ready, (failed) => console.log(`failed ${failed} ${failed.cause}`)));
