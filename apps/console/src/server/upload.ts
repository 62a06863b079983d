import { Problem, problemOf } from './problem.ts';
import type { Server } from './server.ts';

/** Sends a file and tells how much of it has gone; `fetch` cannot. Errors: `Problem`, or the signal’s reason. */
export function upload<T>(
  server: Server,
  path: string,
  file: File,
  headers: Readonly<Record<string, string>>,
  { signal, onSent }: { signal: AbortSignal; onSent: (share: number) => void },
): Promise<T> {
  const { key } = server.session.state;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', server.url(path));
    if (key !== undefined) request.setRequestHeader('authorization', `Bearer ${key}`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onSent(total === 0 ? 1 : loaded / total);
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as T);
      if (request.status === 401) server.session.refuse(key);
      problemOf(new Response(request.responseText, { status: request.status })).then(reject, reject);
    };
    request.onerror = () => reject(new Problem('unreachable', 0, 'No answer', 'the upload broke'));
    request.onabort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}
