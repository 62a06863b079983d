import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.soak.ts'],
    testTimeout: 24 * 3600_000,
    hookTimeout: 120_000,
  },
});
