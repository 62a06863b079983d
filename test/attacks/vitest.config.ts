import { defineConfig } from 'vitest/config';

// Takes minutes of hostile requests: not part of `npm test`.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.attack.ts'],
    setupFiles: ['../suite/seed.ts'],
    fileParallelism: false,
    testTimeout: 360_000,
    hookTimeout: 360_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
