import { fileURLToPath } from 'node:url';

/** Whether this runs from source; bundled, every app has its own dist/ at the same depth. */
export const fromSource = import.meta.url.endsWith('.ts');

const entry = (app: string, name: string): string =>
  fileURLToPath(
    new URL(`../../${app}/${fromSource ? `src/${name}.ts` : `dist/${name}.js`}`, import.meta.url),
  );

/** The files that Node runs for each of `up`'s processes. */
export const ENTRIES = {
  store: entry('cli', 'store'),
  api: entry('api', 'main'),
  worker: entry('worker', 'main'),
  engine: entry('worker', 'engine'),
  bench: entry('worker', 'bench'),
} as const;

/** The demo's documents, by language. */
export const DEMO_DOCUMENTS = {
  english: fileURLToPath(new URL('../demo/wordnet.ndjson', import.meta.url)),
  chinese: fileURLToPath(new URL('../demo/chinese.ndjson', import.meta.url)),
} as const;
