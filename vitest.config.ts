import { defineConfig } from 'vitest/config';

// The engine loads its native libraries once, in one thread, so every test file is its own process.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], pool: 'forks', maxWorkers: 2, testTimeout: 60_000 },
});
