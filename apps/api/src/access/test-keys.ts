import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newApiKey, type ApiKeyEntry } from '@embedmill/jobs';
import type { AccessOptions } from './authorize.ts';

/** A keys file for one test. */
export interface TestKeys {
  path: string;
  access: AccessOptions;
  /** Adds a key to the file, and returns it as sent in requests. */
  add(entry: Omit<ApiKeyEntry, 'id' | 'hash'>): Promise<{ key: string; authorization: string }>;
  write(text: string): Promise<void>;
  remove(): Promise<void>;
}

export async function testKeys(): Promise<TestKeys> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-keys-'));
  const path = join(folder, 'keys.json');
  const entries: ApiKeyEntry[] = [];
  const write = async (text: string) => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  await write('[]');
  return {
    path,
    access: { keysFile: path, oidc: undefined, metricsKey: undefined, auditFile: undefined },
    async add(entry) {
      const { key, id, hash } = newApiKey();
      entries.push({ ...entry, id, hash });
      await write(JSON.stringify(entries));
      return { key, authorization: `Bearer ${key}` };
    },
    write,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
