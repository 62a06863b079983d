import { defineConfig } from 'vitest/config';

// Takes minutes of dying processes: not part of `npm test`.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.fault.ts'],
    globalSetup: ['report.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
});
