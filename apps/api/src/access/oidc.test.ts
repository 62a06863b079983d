import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestApi } from '../testing/test-api.ts';
import { FakeIssuer } from './fake-issuer.ts';
import { Oidc, type OidcOptions } from './oidc.ts';

let issuer: FakeIssuer;
let oidc: Oidc;
let closeAll: (() => Promise<void>)[];

beforeEach(async () => {
  issuer = await FakeIssuer.start();
  closeAll = [() => issuer.stop()];
  oidc = new Oidc(options(), 0);
});
afterEach(async () => {
  for (const close of closeAll.reverse()) await close();
});

function options(change: Partial<OidcOptions> = {}): OidcOptions {
  return {
    issuer: issuer.url,
    audience: 'embedmill',
    scopeClaim: 'scope',
    tenantClaim: undefined,
    ...change,
  };
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token is refused', () => {
  const claims = () => {
    const now = Math.floor(Date.now() / 1000);
    return { sub: 'ada', scope: 'admin', iss: issuer.url, aud: 'embedmill', exp: now + 60 };
  };

  test.each<[string, () => Promise<string> | string]>([
    ['that has expired', () => issuer.token({ expires: -31 })],
    ['that is not valid yet', () => issuer.token({ notBefore: 40 })],
    ['for another audience', () => issuer.token({ audience: 'another' })],
    ['of another issuer', () => issuer.token({ issuer: 'http://127.0.0.1/other' })],
    ['of a subject that is not said', () => issuer.token({ claims: { sub: undefined as never } })],
    ['signed by nobody', () => `${base64({ alg: 'none' })}.${base64(claims())}.`],
    [
      'signed by nobody, under a key’s name',
      () => `${base64({ alg: 'none', kid: issuer.kid })}.${base64(claims())}.`,
    ],
    [
      'signed with the public key as a shared secret',
      () =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS256', kid: issuer.kid })
          .sign(Buffer.from(issuer.publicPem)),
    ],
    ['by a key that the issuer has not', () => issuer.token({ kid: 'unknown' })],
    ['forged under a key’s name', () => issuer.forgedToken()],
    [
      'whose claims were exchanged',
      async () => (await issuer.token()).replace(/\.[^.]+\./, `.${base64(claims())}.`),
    ],
    ['that is none', () => 'a.b.c'],
  ])('%s', async (_name, token) => {
    await expect(oidc.principalOf(await token())).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

test('a token’s scopes are read from a text, a list, or a path; unknown ones are ignored', async () => {
  const scopesOf = async (scopeClaim: string, claims: object) => {
    const reading = new Oidc(options({ scopeClaim }), 0);
    return [...(await reading.principalOf(await issuer.token({ claims: { ...claims } }))).scopes];
  };
  expect(await scopesOf('scope', { scope: 'openid search submit profile' })).toEqual(['submit', 'search']);
  expect(await scopesOf('roles', { roles: ['search', 'Admin', 7] })).toEqual(['search']);
  expect(await scopesOf('realm_access.roles', { realm_access: { roles: ['admin'] } })).toEqual(['admin']);
  expect(await scopesOf('https://x.test/roles', { 'https://x.test/roles': 'submit' })).toEqual(['submit']);
  expect(await scopesOf('missing.path', { scope: 'admin' })).toEqual([]);
  expect(await scopesOf('__proto__.x', { scope: 'admin' })).toEqual([]);
});

test('a clock that differs by some seconds refuses nobody', async () => {
  const { name } = await oidc.principalOf(await issuer.token({ expires: -20, notBefore: 20 }));
  expect(name).toBe('token of ada');
});

test('the tenant is the token’s, and a token that should name one and does not is refused', async () => {
  const tenants = new Oidc(options({ tenantClaim: 'org' }), 0);
  const of = async (claims: object) => tenants.principalOf(await issuer.token({ claims: { ...claims } }));
  expect((await of({ org: 'acme' })).tenant).toBe('acme');
  expect((await of({ scope: 'admin' })).tenant).toBeUndefined();
  for (const claims of [{}, { org: '' }, { org: ['acme'] }, { org: 7 }, { org: 'acme', scope: 'admin' }])
    await expect(of(claims)).rejects.toMatchObject({ code: 'forbidden' });
});

test('keys are exchanged without a restart, and looked up no more often than is needed', async () => {
  for (let n = 0; n < 5; n += 1) await oidc.principalOf(await issuer.token());
  expect(issuer.looks).toBe(1);
  const before = await issuer.token();
  await issuer.rotate();
  expect((await oidc.principalOf(await issuer.token())).name).toBe('token of ada');
  await expect(oidc.principalOf(before)).rejects.toMatchObject({ code: 'unauthenticated' });

  const patient = new Oidc(options());
  await patient.principalOf(await issuer.token());
  const looks = issuer.looks;
  for (let n = 0; n < 20; n += 1)
    await patient.principalOf(await issuer.token({ kid: `unknown-${n}` })).catch(() => undefined);
  expect(issuer.looks).toBe(looks);
});

test('an unavailable issuer is reported and found again; once its keys are known it may be unavailable', async () => {
  const token = await issuer.token();
  await issuer.stop();
  const early = new Oidc(options(), 0);
  const error = { code: 'identity_unavailable', retryAfter: 5 };
  await expect(early.principalOf(token)).rejects.toMatchObject(error);
  await issuer.restart();
  const asked = () =>
    early.principalOf(token).then(
      ({ name }) => name,
      (thrown: { code: string }) => thrown.code,
    );
  await expect.poll(asked, { timeout: 60_000 }).toBe('token of ada');
  await issuer.stop();
  expect((await early.principalOf(token)).name).toBe('token of ada');
  await issuer.restart();
});

test('a server that says it is another issuer is not believed', async () => {
  issuer.claimedIssuer = 'http://127.0.0.1/other';
  await expect(oidc.principalOf(await issuer.token())).rejects.toMatchObject({
    code: 'identity_unavailable',
    message: expect.stringContaining('another issuer'),
  });
});

test('over HTTP a token is as good as a key, and a wrong one gets 401, an issuer away 503', async () => {
  const access = {
    keysFile: undefined,
    metricsKey: undefined,
    auditFile: undefined,
    oidc: options({ tenantClaim: 'org' }),
  };
  const api = await startTestApi({ config: { access } });
  closeAll.push(() => api.close());
  const get = async (token: string, path = '/api/v1/collections') =>
    api.call(path, { headers: { authorization: `Bearer ${token}` } });
  const claims = { org: 'acme', scope: 'search' };
  await issuer.stop();
  const away = await get(await issuer.token({ claims }));
  expect(away.status).toBe(503);
  expect(away.headers.get('retry-after')).toBe('5');
  await issuer.restart();
  const good = async () => (await get(await issuer.token({ claims }))).status;
  await expect.poll(good, { timeout: 60_000 }).toBe(200);
  expect((await get(await issuer.token({ claims }), '/api/v1/jobs')).status).toBe(403);
  const expired = await get(await issuer.token({ claims, expires: -60 }));
  expect(expired.status).toBe(401);
  expect(await expired.json()).toMatchObject({ detail: expect.stringContaining('"exp"') });
  expect((await get('em_x')).status).toBe(401);
});
