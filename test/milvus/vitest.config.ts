import { defineConfig } from 'vitest/config';

// A real Milvus, which is downloaded first, beside the other stores: not part of `npm test`.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.milvus.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 180_000,
  },
});
