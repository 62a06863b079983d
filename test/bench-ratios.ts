/**
 * `npm run bench -- check FILE`: compares the output of `npm run bench -- --json` with the ratios kept in
 * test/bench-ratios.json. Exits with 1 if one is worse by more than 5 %, or if none was measured. With --keep, keeps
 * the ratios of FILE.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { judge, ratiosOf, ratiosSchema, reportSchema, verdictLine } from '../apps/cli/src/bench/ratios.ts';

const KEPT = fileURLToPath(new URL('bench-ratios.json', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: 'boolean', default: false } },
});
const [file] = positionals;
if (file === undefined) {
  process.stderr.write('usage: npm run bench -- check FILE [--keep], of "npm run bench -- --json > FILE"\n');
  process.exit(2);
}

const now = ratiosOf(reportSchema.parse(jsonOf(await readFile(file, 'utf8'))));
if (values.keep) {
  await writeFile(KEPT, `${JSON.stringify(now, null, 2)}\n`);
  process.stdout.write(`kept ${Object.keys(now).length} ratios\n`);
} else {
  const verdicts = judge(ratiosSchema.parse(JSON.parse(await readFile(KEPT, 'utf8'))), now);
  for (const verdict of verdicts) process.stdout.write(`${verdictLine(verdict)}\n`);
  const measured = verdicts.filter(({ loss }) => loss !== undefined);
  if (measured.length === 0) process.stdout.write(`none of the ratios that are kept is in ${file}\n`);
  if (measured.length === 0 || verdicts.some(({ isRegress }) => isRegress)) process.exitCode = 1;
}

/** npm prints the command before the command's own output. */
function jsonOf(output: string): unknown {
  const start = output.indexOf('{');
  if (start === -1) throw new Error(`${String(file)} has no JSON: was "bench" run with --json?`);
  return JSON.parse(output.slice(start));
}
