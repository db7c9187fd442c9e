import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { testArguments } from './test-arguments.mjs';
import { testEnvironment } from './test-environment.mjs';

const host = { root: path.resolve(import.meta.dirname, '..', '..'), cores: 1 };

test('without arguments the whole suite runs', () => {
  const args = testArguments([], host);
  assert.deepEqual(args.slice(0, 3), ['-C', 'source', '--test']);
  assert.ok(args.includes('--test-concurrency=2'));
  assert.deepEqual(args.slice(-3), ['services/**/*.test.ts', 'services/**/*.test.mjs', 'test/**/*.test.ts']);
});

test('files, folders and patterns replace the suite, options are passed on', () => {
  const args = testArguments(['services/launcher', '--test-name-pattern=a b', 'x/y.test.ts'], host);
  assert.deepEqual(args.slice(-4), [
    '--test-name-pattern=a b',
    'services/launcher/**/*.test.ts',
    'services/launcher/**/*.test.mjs',
    'x/y.test.ts',
  ]);
});

test('tests see the redis-server to start, and no personal settings', () => {
  const env = {
    PATH: '/bin',
    OPENAI_API_KEY: 'k',
    REDIS_URL: 'redis://x',
    HEADGATE_PORT: '1',
    OTEL_SDK_DISABLED: 'true',
  };
  assert.deepEqual(testEnvironment(env, { path: '/r/redis-server', libraryPath: '/r/lib' }), {
    PATH: '/bin',
    HEADGATE_REDIS_SERVER: '/r/redis-server',
    HEADGATE_REDIS_LIBRARY_PATH: '/r/lib',
  });
});
