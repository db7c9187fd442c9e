import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('a rejection that nobody handles is logged, without the secrets in it, and the process goes on', () => {
  const doors = ['./logger.ts', './unhandled.ts'].map((file) => JSON.stringify(new URL(file, import.meta.url).href));
  const script = `
    import { createLogger } from ${doors[0]};
    import { outliveRejections } from ${doors[1]};
    outliveRejections(createLogger({ service: 'test' }));
    void Promise.reject(new Error('nobody asked; key sk-provider-credential-0123456789abcdef'));
    void Promise.reject('no error');
    setImmediate(() => setImmediate(() => console.log('"it lives"')));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((line) => line.level ?? line).sort(), ['error', 'error', 'it lives']);
  assert.match(stdout, /nobody asked/);
  assert.match(stdout, /no error/);
  assert.doesNotMatch(stdout, /0123456789abcdef/);
});
