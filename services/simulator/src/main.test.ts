import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}, ipc = false): ChildProcess {
  const stdio = ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])] as ('ignore' | 'pipe' | 'ipc')[];
  return spawn(process.execPath, ['-C', 'source', main, ...args], { stdio, env: { ...process.env, ...env } });
}

async function firstLine(child: ChildProcess): Promise<{ listening: string }> {
  const [data] = await once(child.stdout ?? child, 'data');
  return JSON.parse(String(data));
}

describe('the process', () => {
  it('says where it listens, answers, and stops at SIGTERM with exit code 0', async () => {
    const child = start(['--ttft-ms', '30', '--tokens-per-second', '1000']);
    const { listening } = await firstLine(child);
    assert.match(listening, /^http:\/\/127\.0\.0\.1:\d+$/);
    const began = performance.now();
    const answer = await fetch(`${listening}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer k' },
      body: JSON.stringify({ model: 'm+tokens=20', messages: [{ role: 'user', content: 'Hi' }] }),
    });
    assert.equal(answer.status, 200);
    assert.ok(performance.now() - began >= 45);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('takes its port from the environment and refuses one that is taken', async () => {
    const first = start([]);
    const { port } = new URL((await firstLine(first)).listening);
    const second = start([], { HEADGATE_SIMULATOR_PORT: port });
    const [log] = await once(second.stderr ?? second, 'data');
    assert.match(JSON.parse(String(log)).msg, new RegExp(`Port ${port} is taken`));
    assert.deepEqual(await once(second, 'exit'), [1, null]);
    first.kill('SIGINT');
    assert.deepEqual(await once(first, 'exit'), [0, null]);
  });

  it('stops when its parent lets go of it', async () => {
    const child = start([], {}, true);
    await firstLine(child);
    child.disconnect();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('explains a bad argument', async () => {
    const child = start(['--speed', '3']);
    const [log] = await once(child.stderr ?? child, 'data');
    assert.match(JSON.parse(String(log)).msg, /Unknown option '--speed'.*Usage:/);
    assert.deepEqual(await once(child, 'exit'), [1, null]);
  });
});
