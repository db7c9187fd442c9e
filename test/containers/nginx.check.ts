import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '@headgate/core/testing/port';
import { openChat, question, readChat } from '../resilience/chat-client.ts';
import { configuration } from '../resilience/configuration.ts';
import { eventually } from '../resilience/observe.ts';
import { ContainerStack, HTTP } from './container-stack.ts';
import { isReady } from './readiness.ts';

/**
 * nginx with its default settings, in which it holds back whole answers. Only that it speaks HTTP/1.1 to the gateway has to be
 * said (the default from 1.29.7 on): uWebSockets.js answers HTTP/1.0 with 505.
 */

const MISSING = spawnSync('nginx', ['-v']).error === undefined ? null : 'there is no nginx on this machine';
const EVENT_MS = 200;
const EVENTS = 10;

let stack: ContainerStack;
let folder: string;
let nginx: ChildProcess;
let port = 0;

const settings = (upstream: number): string => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_http_version 1.1;
    }
  }
}
`;

before(async () => {
  if (MISSING !== null) return;
  stack = await ContainerStack.start({ config: ([simulator]) => configuration(simulator) });
  folder = mkdtempSync(join(tmpdir(), 'headgate-nginx-'));
  port = await freePort();
  writeFileSync(join(folder, 'nginx.conf'), settings(stack.ingress().port(HTTP)));
  nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'inherit'] });
  await eventually('nginx answers', () => isReady(port));
});
after(async () => {
  if (nginx?.exitCode === null && nginx.kill('SIGTERM')) await once(nginx, 'exit');
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await stack?.stop();
});

test('nginx with its default settings passes events on one by one', { skip: MISSING ?? false }, async (t) => {
  const asked = question(`[[sim tokens=${EVENTS} tps=${1000 / EVENT_MS}]] through nginx`);
  const stream = openChat({ port, key: stack.key }, { model: 'test/one', stream: true, messages: asked });
  const began = performance.now();
  await stream.untilText('"content":"');
  const first = performance.now() - began;
  const answer = await readChat(stream);
  const last = performance.now() - began;
  t.diagnostic(`first token after ${first.toFixed(0)} ms, the end after ${last.toFixed(0)} ms`);
  assert.ok(answer.done);
  assert.ok(last - first >= (EVENTS - 3) * EVENT_MS, 'they came as they were said, not all at the end');
});
