/**
 * Signs in with the issuer that the API trusts: the authorization code flow of OpenID Connect with PKCE (RFC 7636), as
 * a public client. The pending sign-in is kept in `sessionStorage` until the browser comes back with a code. The code
 * is exchanged for a token, which then takes the place of a key. A state that this tab did not create is refused, and
 * its code is sent nowhere.
 */
import type { SignIn } from './shapes.ts';

const BEGUN = 'embedmill.sign-in';

type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem' | 'removeItem'>;

interface Begun {
  readonly issuer: string;
  readonly clientId: string;
  readonly state: string;
  readonly verifier: string;
  readonly tokenEndpoint: string;
  /** The page of the console where it was started. */
  readonly hash: string;
}

/** An issuer that a page can sign in with. */
export interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
}

/** The console’s own address, without query and hash. */
export function ownAddress(): URL {
  return new URL('.', document.baseURI.split(/[?#]/, 1)[0]);
}

export function issuerOf({ oidc }: SignIn): Issuer | undefined {
  if (oidc === null || oidc.clientId === null) return undefined;
  return { ...oidc, clientId: oidc.clientId };
}

/**
 * Starts signing in and returns the address to open. `page` is the console’s own address, to which the browser returns.
 */
export async function beginSignIn(
  { issuer, audience, clientId, scopes }: Issuer,
  { page, hash, storage }: { page: URL; hash: string; storage: Storage },
): Promise<URL> {
  // Browsers offer it only on pages served over HTTPS or from this machine.
  if (crypto.subtle === undefined) throw new Error('signing in works only if this page is served over HTTPS');
  const { authorization, token } = await endpointsOf(issuer);
  const [state, verifier] = [randomText(), randomText()];
  const begun: Begun = { issuer, clientId, state, verifier, tokenEndpoint: token, hash };
  storage.setItem(BEGUN, JSON.stringify(begun));
  const url = new URL(authorization);
  const query = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: page.href,
    scope: scopes.join(' '),
    audience,
    state,
    code_challenge: await challengeOf(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

export interface SignedIn {
  readonly token: string;
  readonly hash: string;
}

/** Finishes signing in; undefined if the browser did not come from an issuer. Rejects with what went wrong. */
export async function endSignIn(
  query: URLSearchParams,
  { page, storage }: { page: URL; storage: Storage },
): Promise<SignedIn | undefined> {
  const [code, error] = [query.get('code'), query.get('error')];
  if (code === null && error === null) return undefined;
  const kept = storage.getItem(BEGUN);
  storage.removeItem(BEGUN);
  const begun = kept === null ? undefined : (JSON.parse(kept) as Begun);
  if (begun === undefined || query.get('state') !== begun.state)
    throw new Error('the sign-in was not started in this tab, or too long ago; try again');
  // RFC 9207: refuses a response from another issuer.
  if ((query.get('iss') ?? begun.issuer) !== begun.issuer) throw new Error('another issuer answered');
  if (code === null) throw new Error(query.get('error_description') ?? error ?? '');
  const { clientId, verifier, tokenEndpoint, hash } = begun;
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: page.href,
      client_id: clientId,
      code_verifier: verifier,
    }),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  const token = answer['access_token'];
  if (!response.ok || typeof token !== 'string')
    throw new Error(String(answer['error_description'] ?? answer['error'] ?? `HTTP ${response.status}`));
  return { token, hash };
}

/** OpenID Connect Discovery 1.0: the document must name this issuer. */
async function endpointsOf(issuer: string): Promise<{ authorization: string; token: string }> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(address);
  const found = (await response.json()) as Record<string, unknown>;
  const { authorization_endpoint: authorization, token_endpoint: token } = found;
  if (found['issuer'] !== issuer || typeof authorization !== 'string' || typeof token !== 'string')
    throw new Error(`${address} does not describe ${issuer}`);
  return { authorization, token };
}

function randomText(): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  return base64Url(new Uint8Array(digest));
}

function base64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
