import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import { Unreachable } from './server-error.ts';

/** How often a download that brings nothing is taken up again. */
const ATTEMPTS = 5;

/**
 * Downloads an export's file to `path`, by way of `path.partial`: where that holds the start of it, from an earlier call
 * or from before the connection broke, only the rest is fetched. `path` is there when it is whole.
 */
export async function downloadOutput(
  client: Client,
  output: { job: string; bytes: number },
  path: string,
  { signal, onReceived }: { signal: AbortSignal; onReceived: (bytes: number) => void },
): Promise<void> {
  const partial = `${path}.${output.job}.partial`;
  let failures = 0;
  let have = await sizeOf(partial);
  if (have > output.bytes) {
    await rm(partial);
    have = 0;
  }
  while (have < output.bytes) {
    const before = have;
    try {
      await append(client.output(output.job, have), partial, onReceived);
      have = await sizeOf(partial);
    } catch (error) {
      have = await sizeOf(partial);
      failures = have > before ? 1 : failures + 1;
      if (!(error instanceof Unreachable) || failures === ATTEMPTS) throw error;
      await sleep(500 * 2 ** failures, undefined, { signal });
    }
  }
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
