import { defineConfig } from 'vitest/config';

// Real clients, which are downloaded first: not part of `npm test`.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.client.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
