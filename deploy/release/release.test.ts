import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { releasedFiles } from './release.ts';

const ROOT = join(import.meta.dirname, '../..');
const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' });
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const release = (...args: string[]) =>
  spawnSync(process.execPath, ['deploy/release/release.ts', ...args], { cwd: ROOT, encoding: 'utf8' });

test('a release replaces the old version wherever it is embedmill’s', () => {
  const files = releasedFiles(version, '987.6.5', '2027-01-01');
  const ours = git('ls-files')
    .trim()
    .split('\n')
    .filter((path) => /^(deploy|clients\/python)\/|^README|package\.json$|^apps\/cli\/README/.test(path));
  const old = new RegExp(`(^|[^\\d.^~])${RegExp.escape(version)}($|[^\\d.-])`);
  const left = ours.filter((path) => {
    const text = files.get(path) ?? readFileSync(join(ROOT, path), 'utf8');
    return text.split('\n').some((line) => old.test(line) && !/"@?[\w/-]+": "\d/.test(line));
  });
  expect(left).toEqual([]);
  const packages = [...files.keys()].filter((path) => path.endsWith('package.json'));
  for (const path of packages) expect(JSON.parse(files.get(path)!)).toMatchObject({ version: '987.6.5' });
});

test('the changelog’s unreleased section becomes the version’s, below a new empty one', () => {
  const before = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
  const after = releasedFiles(version, '987.6.5', '2027-01-01').get('CHANGELOG.md')!;
  expect(after.replace('## [Unreleased]\n\n## [987.6.5] - 2027-01-01', '## [Unreleased]')).toBe(before);
});

test('without --write nothing is written', () => {
  const before = git('status', '--porcelain');
  const { status, stdout } = release('major');
  expect(status).toBe(0);
  expect(stdout).toContain('deploy/helm/embedmill/Chart.yaml');
  expect(stdout).toContain('Nothing was written');
  expect(git('status', '--porcelain')).toBe(before);
});

test.each([
  [['1.x'], /"1\.x" is not a version: write it as 1\.2\.3/],
  [['0.0.1'], /0\.0\.1 does not come after/],
  [[], /^usage: npm run release/],
])('%j is refused', (args, why) => {
  const { status, stderr } = release(...args);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(why);
});
