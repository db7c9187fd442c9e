import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_HEALTH } from '@headgate/core/catalog';
import { HealthBoard } from '@headgate/core/health';
import { startRedisServer } from '@headgate/core/testing/redis';
import { startSimulator } from '@headgate/simulator';
import { ControlProcess } from '../control-process.testing.ts';

const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const API_KEY = 'sk-the-key-of-the-provider';

test('a control process probes by its configuration, follows an edit of it, and ends with 0 in the middle of a probe', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-control-'));
  const [server, simulator] = await Promise.all([startRedisServer(), startSimulator()]);
  simulator.faults.add({ fault: { hang: true } });
  const configure = (timeoutMs: number) =>
    writeFileSync(
      join(directory, 'headgate.yaml'),
      `health:
  breaker: { consecutiveFailures: 1, cooldownMs: 20, maxCooldownMs: 20 }
  probes: { intervalMs: 100, timeoutMs: ${timeoutMs} }
auth: { keys: [{ name: app, key: key-0123456789 }] }
providers: { acme: { dialect: openai, baseUrl: "${simulator.url}/v1", apiKey: ${API_KEY} } }
models: [{ id: acme/m, type: chat, endpoints: [{ provider: acme, model: m }] }]
`,
    );
  configure(50);
  const control = new ControlProcess(directory, {
    REDIS_URL: server.url,
    HEADGATE_SECRET: 's'.repeat(32),
    HEADGATE_HOST: '127.0.0.1',
    HEADGATE_CONTROL_PORT: '0',
  });
  const ingress = new HealthBoard({
    redisUrl: server.url,
    prefix: 'hg',
    log: quiet,
    policy: () => ({ ...DEFAULT_HEALTH.breaker, consecutiveFailures: 1, cooldownMs: 20 }),
  });
  try {
    await ingress.start();
    ingress.began('acme:m');
    ingress.ended({
      endpointKey: 'acme:m',
      provider: 'acme',
      failure: 'overloaded',
      retryAfterMs: undefined,
      status: 503,
      startedAt: performance.now(),
      ttftMs: null,
      tokensPerSecond: null,
    });
    assert.equal((await control.line('active probes of an endpoint fail')).failure, 'silent');
    const { port } = await control.line('health server listens');
    const scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const counted = /^headgate_probes_total\{gateway_provider="acme",gateway_outcome="silent"\} (\d+)$/m.exec(scraped);
    assert.ok(Number(counted?.[1]) >= 1, scraped);

    // Of the new configuration, for the old one's probes would have ended long before.
    configure(60_000);
    const patient = await waitFor(async () => {
      const { lastSeq } = simulator.journal;
      const [probe] = await simulator.journal.wait({ since: lastSeq }, 1, 20_000);
      assert.ok(probe, 'a probe arrived');
      const ended = await simulator.journal.wait({ since: probe.seq - 1, ended: true }, 1, 500);
      return ended.length === 0;
    });
    assert.ok(patient);

    const asked = performance.now();
    control.child.kill('SIGTERM');
    assert.equal(await control.exit(), 0);
    assert.ok(performance.now() - asked < 4_000, `${performance.now() - asked} ms`);
    const [aborted] = await simulator.journal.wait({ ended: true, since: simulator.journal.lastSeq - 1 }, 1, 5_000);
    assert.equal(aborted?.aborted, true);
    assert.ok(!JSON.stringify(control.lines).includes(API_KEY) && !control.stderr.includes(API_KEY));
  } finally {
    control.child.kill('SIGKILL');
    await control.exit();
    await ingress.stop();
    await simulator.close();
    await server.stop();
    rmSync(directory, { recursive: true });
  }
});

/** Tries again until it is so. */
async function waitFor(isSo: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 20; tries += 1) if (await isSo()) return true;
  return false;
}
