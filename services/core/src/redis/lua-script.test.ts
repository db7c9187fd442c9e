import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createRequestClient, LuaScript } from './index.ts';
import { startRedisServer } from './redis-server.testing.ts';

test('runs by digest, and sends the text to a Redis that does not know it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-lua-'));
  const server = await startRedisServer();
  const client = createRequestClient(server.url, 'test');
  try {
    await new Promise((resolve) => client.once('ready', resolve));
    const file = join(directory, 'add.lua');
    writeFileSync(file, "return redis.call('INCRBY', KEYS[1], ARGV[1])");
    const script = new LuaScript(pathToFileURL(file));
    assert.equal(await script.run(client, ['n'], [2]), 2);
    assert.equal(await script.run(client, ['n'], [3]), 5);
    const commands = await client.info('commandstats');
    assert.match(commands, /cmdstat_eval:calls=1,/);
    await client.script('FLUSH');
    assert.equal(await script.run(client, ['n'], [1]), 6);
  } finally {
    client.disconnect();
    await server.stop();
    rmSync(directory, { recursive: true });
  }
});

test('every script of core describes its KEYS and ARGV at its head', () => {
  const files = globSync('**/*.lua', { cwd: new URL('..', import.meta.url) });
  assert.ok(files.length >= 2);
  for (const file of files) {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
    const head = text.split('\n').findIndex((line) => !line.startsWith('--'));
    const described = text.split('\n').slice(0, head).join('\n');
    for (const [used] of text.matchAll(/(KEYS|ARGV)\[\d+\]/g)) {
      assert.ok(described.includes(used), `${file} does not describe ${used}`);
    }
  }
});
