/** What the server, or the way to it, says instead of an answer. */
export class Problem extends Error {
  /** A code of the server’s catalogue, or `unreachable` where no answer came. */
  readonly code: string;
  readonly status: number;
  readonly title: string;
  /** What is wrong at which place of the request. */
  readonly details: readonly { path: string; message: string }[];

  constructor(
    code: string,
    status: number,
    title: string,
    message: string,
    details: Problem['details'] = [],
  ) {
    super(message);
    this.name = 'Problem';
    this.code = code;
    this.status = status;
    this.title = title;
    this.details = details;
  }
}

/** The problem details (RFC 9457) of an answer, or what is left to say where it has none. */
export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => '');
  const body = objectOf(text);
  const title = stringOf(body['title']) ?? `HTTP ${response.status}`;
  const details = Array.isArray(body['errors']) ? body['errors'].flatMap(detailOf) : [];
  return new Problem(
    stringOf(body['code']) ?? 'unknown',
    response.status,
    title,
    stringOf(body['detail']) ?? (text === '' ? title : text.slice(0, 500)),
    details,
  );
}

function detailOf(entry: unknown): { path: string; message: string }[] {
  if (typeof entry !== 'object' || entry === null) return [];
  const { path, message } = entry as Record<string, unknown>;
  return typeof message === 'string' ? [{ path: stringOf(path) ?? '', message }] : [];
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const stringOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
