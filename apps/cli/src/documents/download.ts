import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { Client } from '@embedmill/client';

/**
 * Downloads an export's file to `path` via `path.partial`: if that has its beginning, from an earlier call or from before the
 * connection broke, only the rest is fetched. `path` exists once it is complete.
 */
export async function downloadOutput(
  client: Client,
  output: { job: string; bytes: number },
  path: string,
  onReceived: (bytes: number) => void,
): Promise<void> {
  const partial = `${path}.${output.job}.partial`;
  const have = await sizeOf(partial);
  if (have > output.bytes) await rm(partial);
  const from = have > output.bytes ? 0 : have;
  if (from < output.bytes) await append(client.jobs.output(output.job, { from }), partial, onReceived);
  if (output.bytes === 0) await writeFile(partial, '');
  await rename(partial, path);
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}

async function append(
  body: AsyncIterable<Uint8Array>,
  path: string,
  onReceived: (bytes: number) => void,
): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    let { size } = await file.stat();
    for await (const bytes of body) {
      await file.write(bytes);
      size += bytes.length;
      onReceived(size);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
