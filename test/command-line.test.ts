import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Embedmill, runCli, uniqueName } from './embedmill.ts';

/** The command line as in a user's terminal, with all processes behind it. */
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface DemoReport {
  state: string;
  documents: number;
  stored: number;
  searches: { query: string; hits: { id: string }[] }[];
  jobs: { state: string; stored: number }[];
}

test('the demo embeds its data, finds what it promises, stops everything and exits with 0', async () => {
  const { code, stdout, stderr } = await runCli(['demo', '--json', '--data', folder]);
  expect(stderr).not.toMatch(/error/i);
  const report = JSON.parse(stdout) as DemoReport;
  expect(report).toMatchObject({ state: 'completed', documents: 4500, stored: 4500 });
  const best = report.searches.map(({ hits }) => hits[0]?.id);
  expect(best.slice(0, 2)).toEqual(['bank.n.01', 'bank.n.02']);
  expect(report.jobs).toMatchObject([{ stored: 4500 }, { state: 'completed', stored: 40 }]);
  const first = new Map(report.searches.map(({ query, hits }) => [query, hits[0]?.id]));
  expect(Object.fromEntries(first)).toMatchObject({
    '“会打电话的设备”': '手机',
    '“制造手机的公司”': '苹果-公司',
    'like 猫': '狗',
    '“河边的斜坡”': '河岸',
    '“存钱的地方”': '银行',
    '“ｉＰｈｏｎｅ手機的價格”': 'iphone',
    '“a place to keep your money”': '银行',
    '“船长和白色的鲸鱼”': 'moby-dick',
  });
  expect(code).toBe(0);
  expect(existsSync(join(folder, 'demo', 'up.json'))).toBe(false);
});

test('the commands of the README’s first steps work as written, and the search finds the book', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const use = readme.slice(readme.indexOf('## Use it'), readme.indexOf('## How it works'));
  const commands = [...use.matchAll(/^npx embedmill (?!up)(.+)$/gm)].map(([, command = '']) => command);
  expect(commands).toHaveLength(3);
  const [line = ''] = /^\{ "id": "moby-dick".+$/m.exec(use) ?? [];
  const books = join(folder, 'books.ndjson');
  const others = [
    '{"id":"walden","text":"I went to the woods because I wished to live deliberately."}',
    '{"id":"emma","text":"Emma Woodhouse, handsome, clever and rich, lived in Highbury."}',
  ];
  const whale = line.replace('Call me Ishmael…', 'Call me Ishmael. Captain Ahab hunts the white whale.');
  await writeFile(books, [...others, whale, ''].join('\n'));
  const mill = await Embedmill.up();
  try {
    for (const command of commands) {
      const words = [...command.matchAll(/"([^"]+)"|(\S+)/g)].map(
        ([, quoted, plain]) => quoted ?? plain ?? '',
      );
      const { code, stdout, stderr } = await mill.cli(
        ...words.map((word) => (word === 'books.ndjson' ? books : word)),
      );
      expect({ command, code, stderr }).toMatchObject({ code: 0 });
      if (words[0] === 'search') expect(stdout.split('\n')[0]).toContain('moby-dick');
    }
  } finally {
    await mill.stop();
  }
});

test('create, submit, failures and search work from a second terminal; Ctrl-C stops everything with 130', async () => {
  const mill = await Embedmill.up();
  const name = uniqueName('cli');
  let stopped: number | null;
  try {
    expect((await mill.cli('collections', 'create', name, '--filterable', 'legs:integer')).code).toBe(0);
    const file = join(folder, 'animals.ndjson');
    await writeFile(
      file,
      '{"id":"dog","text":"A dog barks.","metadata":{"legs":4}}\n{"id":"eel"}\n{"id":"hen","text":"A hen lays eggs.","metadata":{"legs":2}}\n',
    );
    const submitted = await mill.cli('submit', file, '--collection', name, '--wait', '--json');
    const report = JSON.parse(submitted.stdout) as { job: string };
    expect(report).toMatchObject({ state: 'completed', documents: 3, stored: 2, failed: 1, chunks: 2 });
    expect(submitted.code).toBe(3);

    expect((await mill.cli('failures', report.job)).stdout).toMatch(/line 2 .*eel.*missing_text/);
    expect(JSON.parse((await mill.cli('jobs', '--json')).stdout)).toMatchObject({
      jobs: [{ job: report.job }],
    });
    const found = await mill.cli('search', name, 'which bird gives eggs', '--json');
    expect(JSON.parse(found.stdout)).toMatchObject({
      hits: [{ id: 'hen', metadata: { legs: 2 } }, { id: 'dog' }],
    });

    const many = join(folder, 'many');
    await mkdir(join(many, 'deep'), { recursive: true });
    await writeFile(join(many, 'a.csv'), 'id,text\nfox,A fox hunts hens.\ncod,\n');
    await writeFile(join(many, 'deep', 'b.ndjson'), '{"id":"fox","text":"A fox sleeps."}\n');
    await writeFile(join(many, 'deep', 'c.parquet'), 'no Parquet');
    const whole = await mill.cli('submit', many, '--collection', name, '--wait', '--json');
    const job = JSON.parse(whole.stdout) as { job: string };
    expect(job).toMatchObject({ documents: 4, stored: 1, failed: 2 });
    const failures = (await mill.cli('failures', job.job)).stdout;
    expect(failures).toMatch(/many\/a.csv:2 {2}cod {2}empty_text/);
    expect(failures).toMatch(/many\/deep\/c.parquet:1 .*source_unreadable/);
    const warned = await mill.cli('failures', job.job, '--warnings');
    expect(warned.stdout).toMatch(/many\/a.csv:1 {2}fox {2}duplicate_id: line 1 of .*deep\/b.ndjson/);

    const checks = JSON.parse((await mill.cli('doctor', '--json')).stdout) as { checks: { ok: boolean }[] };
    expect(checks.checks.every(({ ok }) => ok)).toBe(true);

    expect((await mill.cli('submit', file, '--collection', 'nowhere')).code).toBe(1);
    expect((await mill.cli('submit', file)).code).toBe(2);
    const second = await runCli(['up', '--data', mill.data, '--port', '0']);
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('already runs') as string });
  } finally {
    await mill.call(`/api/v1/collections/${name}`, { method: 'DELETE' });
    stopped = await mill.stop();
  }
  expect(stopped).toBe(130);
});
