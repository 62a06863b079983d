import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { beginSignIn, endSignIn, issuerOf } from './sign-in.ts';

const PAGE = new URL('https://mill.example/console/');
const ISSUER = {
  issuer: 'https://id.example/realm',
  audience: 'embedmill',
  clientId: 'console',
  scopes: ['openid', 'mill'],
};
let kept: Map<string, string>;
let storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
let asked: { url: string; body: URLSearchParams | undefined }[];
let answer: { status: number; body: object };

beforeEach(() => {
  kept = new Map();
  storage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  };
  asked = [];
  answer = { status: 200, body: { access_token: 'a.b.c' } };
  vi.stubGlobal('fetch', async (url: string, init?: { body?: URLSearchParams }) => {
    asked.push({ url, body: init?.body });
    const described = {
      issuer: ISSUER.issuer,
      authorization_endpoint: 'https://id.example/authorize?tenant=one',
      token_endpoint: 'https://id.example/token',
    };
    return url.includes('.well-known')
      ? Response.json(described)
      : Response.json(answer.body, { status: answer.status });
  });
});
afterEach(() => vi.unstubAllGlobals());

const begin = () => beginSignIn(ISSUER, { page: PAGE, hash: '#/jobs', storage });
const end = (query: Record<string, string>) => endSignIn(new URLSearchParams(query), { page: PAGE, storage });

test('the code challenge matches the verifier with which the code is exchanged', async () => {
  const to = await begin();
  const query = Object.fromEntries(to.searchParams);
  expect(to.href.startsWith('https://id.example/authorize?tenant=one&')).toBe(true);
  expect(query).toMatchObject({
    response_type: 'code',
    client_id: 'console',
    redirect_uri: PAGE.href,
    scope: 'openid mill',
    code_challenge_method: 'S256',
  });
  const state = query['state'] ?? '';
  expect(await end({ code: 'one', state, iss: ISSUER.issuer })).toEqual({ token: 'a.b.c', hash: '#/jobs' });
  const { url, body } = asked.at(-1)!;
  expect(url).toBe('https://id.example/token');
  const verifier = body?.get('code_verifier') ?? '';
  expect(createHash('sha256').update(verifier).digest('base64url')).toBe(query['code_challenge']);
  expect(verifier.length).toBe(43);
  // A code can be exchanged only once.
  await expect(end({ code: 'one', state })).rejects.toThrow('not started in this tab');
});

test('an unrequested response, or one from another issuer, is not exchanged', async () => {
  await expect(end({ code: 'one', state: 'x' })).rejects.toThrow('not started');
  const state = async () => (await begin()).searchParams.get('state') ?? '';
  await state();
  await expect(end({ code: 'one', state: 'x' })).rejects.toThrow('not started');
  await expect(end({ code: 'one', state: await state(), iss: 'https://evil.example' })).rejects.toThrow(
    'another issuer',
  );
  expect(asked.some(({ url }) => url.endsWith('/token'))).toBe(false);
});

test('an error of the issuer is shown in its words', async () => {
  const state = async () => (await begin()).searchParams.get('state') ?? '';
  await expect(
    end({ error: 'access_denied', error_description: 'not you', state: await state() }),
  ).rejects.toThrow('not you');
  answer = { status: 400, body: { error: 'invalid_grant' } };
  await expect(end({ code: 'one', state: await state() })).rejects.toThrow('invalid_grant');
  expect(await end({ tab: 'x' })).toBeUndefined();
});

test('without a client id, the console offers no sign-in', () => {
  const oidc = { ...ISSUER, clientId: null };
  expect(issuerOf({ required: true, keys: true, oidc })).toBeUndefined();
  expect(issuerOf({ required: true, keys: true, oidc: ISSUER })).toEqual(ISSUER);
});
