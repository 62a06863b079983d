import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startTracing } from './start-tracing.ts';
import { NO_TRACING } from './tracing.ts';

const run = promisify(execFile);

/** The modules that a separate process loads, and its output, when it runs this code. */
async function inProcess(code: string): Promise<{ loaded: string[]; printed: string }> {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
    const { startTracing } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
    ${code}
    process.stdout.write('\\n' + JSON.stringify(loaded));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  const [printed = '', loaded = ''] = stdout.split('\n').slice(-2);
  return { printed, loaded: JSON.parse(loaded) as string[] };
}

test('without a collector it does the work alone, and loads nothing of OpenTelemetry', async () => {
  expect(await startTracing({ url: undefined, service: 's' })).toBe(NO_TRACING);
  expect(await NO_TRACING.inSpan('a', async () => 7)).toBe(7);
  const { loaded, printed } = await inProcess(`
    const tracing = await startTracing({ url: undefined, service: 's' });
    process.stdout.write(String(await tracing.inSpan('a', async () => tracing.isOn)));`);
  expect(printed).toBe('false');
  expect(loaded.filter((url) => url.includes('opentelemetry'))).toEqual([]);
});

test('an unavailable collector does not block anything', async () => {
  const { loaded, printed } = await inProcess(`
    const tracing = await startTracing({ url: 'http://127.0.0.1:1', service: 's' });
    const done = await tracing.inSpan('a', async () => { tracing.annotate({ n: 1, m: undefined }); return 7; });
    const thrown = await tracing.inSpan('b', () => Promise.reject(new Error('no'))).catch((error) => error.message);
    await tracing.close();
    process.stdout.write(done + thrown);`);
  expect(printed).toBe('7no');
  expect(loaded.some((url) => url.includes('opentelemetry'))).toBe(true);
});
