import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import OpenAI from 'openai';
import { pythonWithClients } from './clients/python.ts';

/**
 * What an OpenAI client does with a batch: uploads the requests, creates the batch, polls until it has ended, downloads
 * the output.
 */
export type BatchClient = (
  url: string,
  requests: string,
  output: string,
) => { id: Promise<string>; status: Promise<string> };

const LOOK_MS = 500;
const DAYS = '7d' as '24h';
const isEnded = (status: string): boolean => ['completed', 'failed', 'expired', 'cancelled'].includes(status);

/** OpenAI's own clients, unchanged. */
export const BATCH_CLIENTS: Record<string, () => Promise<BatchClient>> = {
  node: () => Promise.resolve(withNode),
  python: async () => {
    const python = await pythonWithClients();
    if ('missing' in python) throw new Error(python.missing);
    return withPython(python.command);
  },
};

function withNode(url: string, requests: string, output: string): ReturnType<BatchClient> {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 10, timeout: 3600_000 });
  const created = client.files
    .create({ file: createReadStream(requests), purpose: 'batch' })
    .then(({ id }) =>
      client.batches.create({ input_file_id: id, endpoint: '/v1/embeddings', completion_window: DAYS }),
    );
  const status = created.then(async (first) => {
    let batch = first;
    while (!isEnded(batch.status)) {
      await setTimeout(LOOK_MS);
      // While one of the server's processes is killed, it may not answer.
      batch = await client.batches.retrieve(batch.id).catch(() => batch);
    }
    if (batch.output_file_id === undefined) return batch.status;
    const { body } = await client.files.content(batch.output_file_id);
    await pipeline(Readable.fromWeb(body as never), createWriteStream(output));
    return batch.status;
  });
  return { id: created.then(({ id }) => id), status };
}

const withPython =
  (python: string): BatchClient =>
  (url, requests, output) => {
    const script = join(import.meta.dirname, 'clients/python/batch.py');
    const child = spawn(python, [script, url, requests, output], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ended = once(child, 'exit');
    const said = async (): Promise<string> => {
      const { value } = (await lines.next()) as { value: string | undefined };
      if (value !== undefined) return value;
      throw new Error(`the Python client ended with ${String((await ended)[0])}`);
    };
    const id = said();
    const status = id.then(said).then(async (last) => {
      const [code] = (await ended) as [number | null];
      if (code !== 0) throw new Error(`the Python client ended with ${code}`);
      return last;
    });
    return { id, status };
  };
