import { EmbedmillError, errorOf } from '@embedmill/client';
import type { Server } from './server.ts';
import type { Job } from './shapes.ts';

/**
 * Uploads a file to a collection and reports the bytes sent, which `fetch`, and therefore the client, cannot. Errors:
 * `EmbedmillError`, or the signal’s reason.
 */
export function upload(
  server: Server,
  collection: string,
  { file, query, headers }: { file: File; query: string; headers: Readonly<Record<string, string>> },
  { signal, onSent }: { signal: AbortSignal; onSent: (share: number) => void },
): Promise<Job> {
  const { key } = server.session.state;
  const url = server.url(`api/v1/collections/${encodeURIComponent(collection)}/jobs?${query}`);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    if (key !== undefined) request.setRequestHeader('authorization', `Bearer ${key}`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onSent(total === 0 ? 1 : loaded / total);
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as Job);
      if (request.status === 401) server.session.refuse(key);
      const response = new Response(null, { status: request.status });
      reject(errorOf(server.client.url, response, bodyOf(request.responseText)));
    };
    request.onerror = () =>
      reject(new EmbedmillError('unreachable', 'the upload broke', { retryable: true }));
    request.onabort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
