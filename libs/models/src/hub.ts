import { EmbedmillError } from '@embedmill/jobs';

export const DEFAULT_HUB = 'https://huggingface.co';
const MAX_REDIRECTS = 5;

/** One file at one commit of one repository. */
export interface HubFile {
  hubUrl: string;
  repository: string;
  revision: string;
  path: string;
  /** Sent only to the hub, not to other hosts that it redirects to. */
  token?: string | undefined;
}

/** A response with a body: the file from byte `from`. */
export interface HubAnswer {
  body: AsyncIterable<Uint8Array>;
  from: number;
  /** The size of the whole file, if the server states it. */
  total: number | undefined;
  etag: string | undefined;
  /** SHA-256 as the hub states it for files in its large-file storage. */
  sha256: string | undefined;
}

/** The failure of one attempt, and whether a retry can help. */
export class HubFailure extends Error {
  readonly isFinal: boolean;
  /** The seconds that the server asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(
    message: string,
    options: { isFinal: boolean; retryAfter?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.isFinal = options.isFinal;
    this.retryAfter = options.retryAfter;
  }
}

export const urlOf = ({ hubUrl, repository, revision, path }: HubFile): string =>
  `${hubUrl.replace(/\/+$/, '')}/${repository}/resolve/${revision}/${path}`;

/**
 * Requests a file from a given byte. Follows redirects itself, because the hub redirects large files to another host
 * and only the first response has the digest. Throws `HubFailure`.
 */
export async function askHub(
  file: HubFile,
  resume: { from: number; etag: string | undefined },
  signal: AbortSignal,
): Promise<HubAnswer> {
  const hub = new URL(urlOf(file));
  let url = hub;
  let sha256: string | undefined;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    const response = await fetch(url, {
      headers: headersFor(file, url, hub, resume),
      redirect: 'manual',
      signal,
    });
    sha256 ??= sha256In(response.headers);
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      url = new URL(location, url);
      if (url.protocol !== 'https:' && url.protocol !== hub.protocol) {
        throw new HubFailure(`the hub redirects to ${url.protocol}, which is unsafe`, { isFinal: true });
      }
      continue;
    }
    return answerOf(response, file, resume.from, sha256);
  }
  throw new HubFailure(`more than ${MAX_REDIRECTS} redirects`, { isFinal: true });
}

function headersFor(
  file: HubFile,
  url: URL,
  hub: URL,
  { from, etag }: { from: number; etag: string | undefined },
) {
  const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'embedmill' };
  if (from > 0) {
    headers['range'] = `bytes=${from}-`;
    if (etag !== undefined) headers['if-range'] = etag;
  }
  if (file.token !== undefined && url.origin === hub.origin)
    headers['authorization'] = `Bearer ${file.token}`;
  return headers;
}

async function answerOf(
  response: Response,
  file: HubFile,
  from: number,
  sha256: string | undefined,
): Promise<HubAnswer> {
  const { status, headers, body } = response;
  const length = Number(headers.get('content-length') ?? Number.NaN);
  const etag = headers.get('etag') ?? undefined;
  if (body !== null && status === 200) {
    const total = Number.isNaN(length) ? undefined : length;
    return { body, from: 0, total, etag: strong(etag), sha256 };
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  if (body !== null && status === 206 && range !== null && Number(range[1]) === from) {
    const total = range[2] === '*' ? undefined : Number(range[2]);
    return { body, from, total, etag: strong(etag), sha256 };
  }
  await body?.cancel();
  throw failureOf(status, file, secondsIn(headers.get('retry-after')));
}

function failureOf(status: number, file: HubFile, retryAfter: number | undefined): HubFailure {
  const where = `${file.repository} at ${file.revision}`;
  switch (status) {
    case 401:
    case 403:
      return new HubFailure(
        `the hub denies access (${status}): if ${file.repository} is gated, accept its terms there, and set HF_TOKEN to a token that may read it`,
        { isFinal: true },
      );
    case 404:
    case 410:
      return new HubFailure(`there is no ${file.path} in ${where}: correct the model's entry`, {
        isFinal: true,
      });
    default: {
      const isPassing = status >= 500 || [206, 408, 416, 425, 429].includes(status);
      return new HubFailure(`the hub responded with ${status}`, { isFinal: !isPassing, retryAfter });
    }
  }
}

function sha256In(headers: Headers): string | undefined {
  return /^"?([0-9a-f]{64})"?$/.exec(headers.get('x-linked-etag') ?? '')?.[1];
}

/** A weak ETag does not promise identical bytes, so it must not be used to resume a download. */
const strong = (etag: string | undefined) => (etag?.startsWith('W/') === true ? undefined : etag);

function secondsIn(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined;
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/** The error for a download's caller once every attempt has failed. */
export function unavailable(
  failure: HubFailure | undefined,
  message: string,
  cause: unknown,
): EmbedmillError {
  const retryAfter = failure?.retryAfter;
  return new EmbedmillError('model_unavailable', message, {
    cause,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}
