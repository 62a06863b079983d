import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Hit, Job } from '@embedmill/jobs';
import { Embedmill, uniqueName } from './embedmill.ts';
import { HUB_ENTRY, startFakeHub } from './fake-hub.ts';

test('a job whose model the hub does not serve yet reports it, waits, and continues once it does', async () => {
  const hub = await startFakeHub();
  const models = await mkdtemp(join(tmpdir(), 'embedmill-models-'));
  await writeFile(join(models, 'models.json'), JSON.stringify([HUB_ENTRY]));
  let mill: Embedmill | undefined;
  const name = uniqueName('hub');
  try {
    const running = await Embedmill.up({ env: { EMBEDMILL_MODELS_DIR: models, EMBEDMILL_HUB_URL: hub.url } });
    mill = running;
    await running.json('/api/v1/collections', { name, profile: { model: 'tiny' } });
    const job = await running.submit(name, '{"id":"a","text":"a boat on the river"}\n');
    await running.until('the job says what it waits for', async () => {
      const { waitingFor } = await running.json<Job>(`/api/v1/jobs/${job.id}`);
      return waitingFor?.code === 'model_unavailable';
    });
    hub.up = true;
    expect(await running.finished(job)).toMatchObject({ state: 'completed', stored: 1, waitingFor: null });
    const { hits } = await running.json<{ hits: Hit[] }>(`/api/v1/collections/${name}/search`, {
      query: 'a ship',
    });
    expect(hits[0]?.id).toBe('a');
  } finally {
    await mill?.call(`/api/v1/collections/${name}`, { method: 'DELETE' }).catch(() => undefined);
    await mill?.stop();
    hub.close();
    await rm(models, { recursive: true, force: true });
  }
});
