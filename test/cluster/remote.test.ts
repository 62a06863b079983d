import { expect, test } from 'vitest';
import { Embedmill, uniqueName } from '../embedmill.ts';

/** A worker whose device is another embedmill, through OpenAI's API: the upstream is real. */
const TEXTS = ['a river runs to the sea', 'Naïve CAFÉ, 12.5 %', 'a bank that lends money', '日本の首都'];

async function embed(mill: Embedmill, input: (string | number[])[]): Promise<number[][]> {
  const answer = await mill.json<{ data: { embedding: number[] }[] }>('/v1/embeddings', {
    model: 'all-MiniLM-L6-v2',
    input,
  });
  return answer.data.map(({ embedding }) => embedding);
}

test('a worker embeds texts on a remote server, and waits while that server is away', async () => {
  const near = await Embedmill.up();
  const name = uniqueName('remote');
  let far: Embedmill | undefined;
  try {
    const { url } = await near.state();
    far = await Embedmill.up({
      env: {
        EMBEDMILL_API_TOKEN_IDS: 'model',
        EMBEDMILL_WORKER_DEVICE: 'remote',
        EMBEDMILL_WORKER_REMOTE_URL: url,
      },
    });
    expect(await embed(far, TEXTS)).toEqual(await embed(near, TEXTS));
    // Token ids are decoded to text, because an upstream takes only texts.
    expect(await embed(far, [[101, 1037, 2314, 102]])).toEqual(await embed(near, ['a river']));

    await far.json('/api/v1/collections', { name });
    const lines = TEXTS.map((text, n) =>
      JSON.stringify({ id: `d${n}`, text, title: n === 2 ? 'Finance' : undefined }),
    );
    const job = await far.submit(name, `${lines.join('\n')}\n{"id":"bad"}\n`);
    expect(await far.finished(job)).toMatchObject({ state: 'completed', stored: 4, failed: 1 });
    const { hits } = await far.json<{ hits: { id: string }[] }>(`/api/v1/collections/${name}/search`, {
      query: 'loans and finance',
    });
    expect(hits[0]?.id).toBe('d2');

    // The upstream goes away: nothing fails, and the shard waits.
    const { processes } = await near.state();
    process.kill(processes.worker, 'SIGSTOP');
    try {
      const waiting = await far.submit(name, '{"id":"later","text":"a text for later"}\n');
      await far.until('the shard was tried', async () => {
        const metrics = await (await fetch((await far!.state()).metrics.worker)).text();
        return /^embedmill_stage_duration_seconds_count\{stage="tokenize"\} [2-9]/m.test(metrics);
      });
      process.kill(processes.worker, 'SIGCONT');
      expect(await far.finished(waiting)).toMatchObject({ state: 'completed', stored: 1, failed: 0 });
    } finally {
      process.kill(processes.worker, 'SIGCONT');
    }
  } finally {
    await far?.call(`/api/v1/collections/${name}`, { method: 'DELETE' }).catch(() => undefined);
    await far?.stop();
    await near.stop();
  }
});
