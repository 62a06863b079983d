import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

const QUEUE = ['bullmq', 'ioredis', 'pg'];
const EDGES = [...QUEUE, 'fastify', 'onnxruntime-node', '@qdrant/*', '@zilliz/*', '@zvec/*'];

export default tseslint.config(
  {
    ignores: [
      ...['**/dist', '**/out-tsc', '**/node_modules', '**/.embedmill*'],
      ...['packages/client/src/api.ts', 'libs/quantization/src/onnx_pb.*'],
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          banTransitiveDependencies: true,
          depConstraints: [
            { sourceTag: 'type:contract', onlyDependOnLibsWithTags: [], bannedExternalImports: EDGES },
            { sourceTag: 'type:telemetry', onlyDependOnLibsWithTags: [], bannedExternalImports: EDGES },
            {
              sourceTag: 'type:domain',
              onlyDependOnLibsWithTags: ['type:contract', 'type:domain'],
              bannedExternalImports: EDGES,
            },
            {
              sourceTag: 'type:adapter',
              onlyDependOnLibsWithTags: ['type:contract', 'type:domain', 'type:telemetry'],
            },
            {
              sourceTag: 'type:package',
              onlyDependOnLibsWithTags: ['type:contract', 'type:telemetry', 'type:domain', 'type:adapter'],
              bannedExternalImports: EDGES,
            },
            {
              sourceTag: 'type:integration',
              onlyDependOnLibsWithTags: ['type:package'],
              bannedExternalImports: ['node:*', ...EDGES],
            },
            {
              sourceTag: 'type:app',
              onlyDependOnLibsWithTags: [
                'type:contract',
                'type:telemetry',
                'type:domain',
                'type:adapter',
                'type:package',
              ],
              bannedExternalImports: ['bullmq', 'onnxruntime-node', '@qdrant/*', '@zilliz/*', '@zvec/*'],
            },
            { sourceTag: 'type:deploy', onlyDependOnLibsWithTags: ['type:contract', 'type:telemetry'] },
            { sourceTag: 'type:test', onlyDependOnLibsWithTags: ['*'] },
          ],
        },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ObjectExpression > SpreadElement > ObjectExpression',
          message: 'Write the properties as they are: a spread of a literal hides them.',
        },
      ],
    },
  },
  {
    files: ['**/*.test.ts', '**/test-*.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      // What fails once has to fail again: fast-check draws from a seed that it prints.
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
      // A test may use what its subject must not depend on, such as a real Redis.
      '@nx/enforce-module-boundaries': 'off',
    },
  },
  {
    // The command line asks by @embedmill/client, and by nothing else.
    files: ['apps/cli/src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/fake-*.ts'],
    rules: {
      'no-restricted-globals': ['error', { name: 'fetch', message: 'Ask by a verb of @embedmill/client.' }],
      'no-restricted-properties': [
        'error',
        { property: 'api', object: 'client', message: 'Ask by a verb of @embedmill/client.' },
      ],
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs' },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  prettier,
);
