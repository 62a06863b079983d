import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * `npm run release -- 0.2.0 [--write]`, or `patch`, `minor`, `major`: turns the repository into a release. Without
 * `--write` it only prints what it would do. With it, it changes the version in every package, lock file, chart and
 * image name, and the changelog's section; makes the packages (dist/packages) and, if helm is installed, the chart; and
 * adds one commit and one tag. You push the tag yourself, which publishes the release (.github/workflows/release.yml).
 */
const ROOT = join(import.meta.dirname, '../..');
const VERSION = /^(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$/;
const UNRELEASED = '## [Unreleased]';

/** Files that contain the version, with the text around it; `@` stands for the version. */
const NAMED: readonly (readonly [names: RegExp, around: readonly string[]])[] = [
  [/(^|\/)package\.json$/, ['"version": "@"']],
  [/^clients\/python\/pyproject\.toml$/, ['version = "@"']],
  [/^deploy\/helm\/[^/]+\/Chart\.yaml$/, ['version: @', 'appVersion: @']],
  [/^deploy\/helm\/rendered\/.*\.yaml$/, ['version: "@"', 'embedmill-@', ':@']],
  [/^deploy\/(docker\/compose\.yaml|README\.md)$/, [':@']],
  [/^deploy\/kustomize\/kustomization\.yaml$/, ['newTag: @']],
  [/^(README|README\.zh-CN|apps\/cli\/README)\.md$/, ['embedmill-@.tgz']],
];

const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The new text of each file that changes with the version. */
export function releasedFiles(from: string, to: string, date: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of git('ls-files').split('\n')) {
    const around = NAMED.find(([names]) => names.test(path))?.[1];
    if (around === undefined) continue;
    const before = read(path);
    const after = around.reduce(
      (text, one) => text.replaceAll(exactly(one, from), one.replace('@', to)),
      before,
    );
    if (after !== before) files.set(path, after);
  }
  files.set('package-lock.json', releasedLock(read('package-lock.json'), to));
  files.set('CHANGELOG.md', releasedChangelog(read('CHANGELOG.md'), to, date));
  return files;
}

/** Matches the version in its context, but not at the beginning of a longer version. */
const exactly = (around: string, version: string): RegExp =>
  new RegExp(`${RegExp.escape(around.replace('@', version))}(?![0-9-])`, 'g');

function releasedLock(text: string, to: string): string {
  const lock = JSON.parse(text) as { version: string; packages: Record<string, { version?: string }> };
  lock.version = to;
  for (const [path, one] of Object.entries(lock.packages))
    if (!path.includes('node_modules') && one.version !== undefined) one.version = to;
  return `${JSON.stringify(lock, null, 2)}\n`;
}

/** Turns the unreleased section into the version's, below a new empty one. */
function releasedChangelog(text: string, to: string, date: string): string {
  const [head, rest] = text.split(`${UNRELEASED}\n`);
  const section = rest?.split(/^## /m, 1)[0]?.trim();
  if (section === undefined || section === '')
    throw new Error(`CHANGELOG.md has nothing below "${UNRELEASED}": there is nothing to release`);
  return `${head}${UNRELEASED}\n\n## [${to}] - ${date}\n${rest}`;
}

/** Major, minor and patch. */
function partsOf(version: string): number[] {
  const parts = VERSION.exec(version)?.slice(1, 4).map(Number);
  if (parts !== undefined) return parts;
  throw new Error(
    `"${version}" is not a version: write it as 1.2.3 or 1.2.3-rc.1, or as patch, minor or major`,
  );
}

function assertLater(from: string, to: string): void {
  const [old, next] = [partsOf(from), partsOf(to)];
  const at = next.findIndex((part, n) => part !== old[n]);
  const isLater = at === -1 ? from.includes('-') && from !== to : (next[at] ?? 0) > (old[at] ?? 0);
  if (!isLater) throw new Error(`${to} does not come after ${from}`);
}

/** The requested version: as given, or the next patch, minor or major one. */
function wanted(asked: string, from: string): string {
  const place = ['major', 'minor', 'patch'].indexOf(asked);
  if (place === -1) return asked;
  return partsOf(from)
    .map((part, n) => (n < place ? part : n === place ? part + 1 : 0))
    .join('.');
}

function release(asked: string, { write = false }: { write?: boolean | undefined }): void {
  const { version: from } = JSON.parse(read('package.json')) as { version: string };
  const to = wanted(asked, from);
  assertLater(from, to);
  if (git('tag', '--list', `v${to}`) !== '') throw new Error(`the tag v${to} already exists`);
  const files = releasedFiles(from, to, new Date().toISOString().slice(0, 10));
  process.stdout.write(`${from} → ${to}\n${[...files.keys()].map((path) => `  ${path}\n`).join('')}`);
  if (!write) {
    process.stdout.write('Nothing was written. Add --write to write these files, pack, commit and tag.\n');
    return;
  }
  if (git('status', '--porcelain') !== '') throw new Error('commit or stash first: git status is not clean');
  for (const [path, text] of files) writeFileSync(join(ROOT, path), text);
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: ROOT, stdio: 'inherit' });
  run('npm', 'run', 'build', '--workspace', '@embedmill/console');
  run('npm', 'run', 'pack');
  try {
    run('helm', 'package', 'deploy/helm/embedmill', '--destination', 'dist');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    process.stdout.write('helm is not installed: the release workflow packages the chart.\n');
  }
  run('git', 'commit', '--all', '--message', `chore: release ${to}`);
  run('git', 'tag', '--annotate', `v${to}`, '--message', `embedmill ${to}`);
  process.stdout.write(`Review it (git show), then publish it: git push --follow-tags\n`);
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { write: { type: 'boolean' } },
  });
  const [asked] = positionals;
  if (asked === undefined || positionals.length > 1) {
    process.stderr.write('usage: npm run release -- VERSION|patch|minor|major [--write]\n');
    process.exit(2);
  }
  try {
    release(asked, values);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
