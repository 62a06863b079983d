import { defineConfig } from 'vite';

/** Relative addresses, so that the console works below any path that a proxy puts in front of the API. */
export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    // A data URI would need an exception in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // It compiles WebAssembly as it loads, which the Content-Security-Policy forbids, for a decompressor that is not
    // used.
    rolldownOptions: {
      treeshake: { moduleSideEffects: [{ test: /hyparquet-compressors/, sideEffects: false }] },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:7070' } },
});
