import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const DESCRIBE = fileURLToPath(new URL('./describe.ts', import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), 'headgate-describe-'));
after(() => rmSync(cwd, { recursive: true }));

function run(env: Record<string, string>, yaml: string | null = null) {
  rmSync(join(cwd, 'headgate.yaml'), { force: true });
  if (yaml !== null) writeFileSync(join(cwd, 'headgate.yaml'), yaml);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=source', DESCRIBE], {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('nothing configured: the simulator and the defaults, in one line', () => {
  const { status, stdout } = run({});
  assert.equal(status, 0);
  assert.equal(stdout.indexOf('\n'), stdout.length - 1);
  assert.deepEqual(JSON.parse(stdout), {
    host: '0.0.0.0',
    port: 8080,
    processes: availableParallelism(),
    redisUrl: null,
    prefix: 'hg',
    configFile: null,
    simulated: true,
    providers: ['simulator'],
    exampleModel: 'openai/gpt-4o-mini',
  });
});

test('what file and environment say', () => {
  const yaml =
    'server: { processes: 1, port: 1 }\nredis: { url: "redis://r", prefix: p }\nproviders: { anthropic: {}, mistral: {} }\n';
  const { stdout } = run({ HEADGATE_PORT: '99' }, yaml);
  assert.deepEqual(JSON.parse(stdout), {
    host: '0.0.0.0',
    port: 99,
    processes: 1,
    redisUrl: 'redis://r',
    prefix: 'p',
    configFile: join(cwd, 'headgate.yaml'),
    simulated: false,
    providers: ['anthropic', 'mistral'],
    exampleModel: 'mistral/mistral-large',
  });
  assert.equal(JSON.parse(run({ REDIS_URL: 'redis://env' }).stdout).redisUrl, 'redis://env');
});

test('a configuration that cannot be used: exit 78 and the reason, nothing on standard output', () => {
  const { status, stdout, stderr } = run({}, 'server: { port: x }');
  assert.equal(status, 78);
  assert.equal(stdout, '');
  assert.match(stderr, /headgate\.yaml:1:17 server\.port: found "x", expected a TCP port from 0 to 65535\n$/);
});
