import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { JobId } from '@embedmill/jobs';
import { spoolConformance } from './spool-conformance.ts';
import { Spool } from './spool.ts';

spoolConformance(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-spool-'));
  const place = join(folder, 'spool');
  const files = async () => {
    const entries = await readdir(place, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(place, join(entry.parentPath, entry.name)));
  };
  return {
    async open() {
      await rm(place, { recursive: true, force: true });
      return Spool.open(place);
    },
    keys: async () => (await files()).filter((name) => !name.endsWith('.partial')),
    async abandonUpload(job) {
      await mkdir(join(place, job));
      await writeFile(join(place, job, 'source-x.ndjson.partial'), 'half');
    },
    unfinished: async () => (await files()).filter((name) => name.endsWith('.partial')).length,
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

test('a folder that cannot be made is named', async () => {
  await expect(Spool.open('/dev/null/spool')).rejects.toMatchObject({
    code: 'spool_unavailable',
    message: expect.stringContaining('/dev/null/spool'),
  });
});

test('of any body, however it comes and ends, either all is there or nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-spool-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const spool = await Spool.open(folder);
  let kept = 0;
  const body = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      ...[body, fc.nat(100), fc.option(fc.nat(100)), fc.option(fc.nat(6))],
      async (chunks, maxBytes, announced, breaksAt) => {
        async function* broken() {
          for (const [n, chunk] of chunks.entries()) {
            if (n === breaksAt) throw new Error('ECONNRESET');
            yield chunk;
          }
        }
        const whole = Buffer.concat(chunks);
        const breaks = breaksAt !== null && breaksAt < chunks.length;
        const fits = whole.length <= maxBytes && (announced === null || announced === whole.length);
        const options = { maxBytes, expectedBytes: announced ?? undefined };
        const received = await spool
          .receive('job_1' as JobId, broken(), options)
          .catch((error: unknown) => error);
        if (received instanceof Error) {
          expect(breaks || !fits).toBe(true);
          expect(received).toMatchObject({
            code: expect.stringMatching(/^(upload_incomplete|payload_too_large)$/),
          });
        } else {
          kept += 1;
          const { source, bytes, sha256 } = received as Awaited<ReturnType<Spool['receive']>>;
          expect(breaks).toBe(false);
          expect({ bytes, sha256 }).toEqual({
            bytes: whole.length,
            sha256: createHash('sha256').update(whole).digest('hex'),
          });
          expect(Buffer.concat(await Array.fromAsync(spool.readSource(source)))).toEqual(whole);
          await spool.removeSource(source);
        }
        expect(await readdir(spool.place)).toEqual([]);
      },
    ),
    // A stored one exists in any case.
    { numRuns: 2000, examples: [[[Buffer.from('whole')], 100, 5, null]] },
  );
  expect(kept).toBeGreaterThan(0);
});

test('what is no job’s is not listed as one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-spool-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const spool = await Spool.open(folder);
  await mkdir(join(folder, 'lost+found'));
  await mkdir(join(folder, 'job_1'));
  await writeFile(join(folder, 'job_2'), 'a file');
  expect((await spool.listJobs()).map(({ job }) => job)).toEqual(['job_1']);
});
