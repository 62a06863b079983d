import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const pages = execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');

/** The text with real links: fences and inline code contain examples, whose brackets are not links. */
const proseOf = (text: string): string => text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');

/** The anchor of a heading, by GitHub's rules. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
const anchorsOf = (path: string): string[] =>
  [
    ...readFileSync(path, 'utf8')
      .replaceAll(/^```.*?^```$/gms, '')
      .matchAll(/^#+ (.+)$/gm),
  ].map(([, heading = '']) => anchorOf(heading));

test.each(pages)('the links of %s lead somewhere', (page) => {
  const links = proseOf(readFileSync(join(ROOT, page), 'utf8')).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g);
  const broken = [...links].filter(([, link = '']) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
    if (!existsSync(target)) return true;
    return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).includes(anchor);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

test.each(pages.filter((page) => page !== 'CHANGELOG.md'))('the files that %s names are there', (page) => {
  const named = readFileSync(join(ROOT, page), 'utf8').matchAll(
    /(?<![\w/.-])(?:apps|libs|packages|test|deploy|clients)\/[\w./-]+\.(?:ts|tsx|mjs|json|py|yaml|md)\b/g,
  );
  const missing = [...named]
    .map(([path]) => path)
    .filter((path) => !path.includes('VERSION') && !existsSync(join(ROOT, path)));
  expect([...new Set(missing)]).toEqual([]);
});

test('CONTRIBUTING.md explains each script of the repository', () => {
  const text = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const isNamed = (name: string): boolean => new RegExp(`\`npm (run )?${name}[ \`]`).test(text);
  expect(Object.keys(scripts).filter((name) => !isNamed(name))).toEqual([]);
});
