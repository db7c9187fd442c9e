import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createRequestClient } from './index.ts';
import { startRedisServer } from './redis-server.testing.ts';

test('keeps its data over a restart when asked to', async () => {
  const server = await startRedisServer({ persist: true });
  const client = createRequestClient(server.url, 'test');
  try {
    await new Promise((resolve) => client.once('ready', resolve));
    await client.set('kept', 'yes');
    const back = new Promise((resolve) => client.once('ready', resolve));
    await server.restart();
    await back;
    assert.equal(await client.get('kept'), 'yes');
  } finally {
    client.disconnect();
    await server.stop();
  }
});

test('dies with the process that started it, also after kill -9', async () => {
  const helper = new URL('./redis-server.testing.ts', import.meta.url).href;
  const code = `const { startRedisServer } = await import(${JSON.stringify(helper)});
    console.log((await startRedisServer()).port); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const socket = connect(Number(line), '127.0.0.1');
  await once(socket, 'connect');
  const gone = once(socket, 'close');
  socket.on('error', () => {});
  socket.resume();
  child.kill('SIGKILL');
  await gone;
});
