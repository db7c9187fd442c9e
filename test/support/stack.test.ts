import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startStack, withStack } from './stack.ts';

const ask = (origin: string, key: string, model = 'anthropic/claude-sonnet-4') =>
  fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: '[[sim text=hello]]' }],
      providerOptions: { gateway: { order: ['vertex', 'anthropic'] } },
    }),
  });

test('a stack answers, takes a new configuration, survives the end of its services, and ends with the test', async () => {
  const ended: (() => Promise<unknown>)[] = [];
  await withStack({ processes: 2 }, async (stack) => {
    const { origin } = stack;
    ended.push(() => fetch(`${origin}/health/live`));
    // Without a configuration the simulator stands in, and every answer says so.
    const first = await ask(stack.origin, stack.key);
    const text = await first.text();
    assert.equal(first.status, 200, text);
    const { message } = JSON.parse(text).choices[0];
    assert.equal(message.content, 'hello');
    assert.equal(message.provider_metadata.gateway.simulated, true);
    assert.equal(message.provider_metadata.gateway.routing.finalProvider, 'simulator');
    assert.equal((await stack.simulator().received({ path: '/v1/chat/completions' })).length, 1);

    const provider = { dialect: 'openai', baseUrl: stack.simulator().baseUrl, apiKey: 'sk-simulated' };
    await stack.reconfigure({
      providers: { here: provider },
      models: [{ id: 'acme/one', endpoints: [{ provider: 'here', model: 'one' }] }],
    });
    assert.equal((await ask(stack.origin, stack.key)).status, 404);
    const second = await ask(stack.origin, stack.key, 'acme/one');
    assert.equal(second.status, 200, await second.text());

    const { ingressPid } = stack;
    await stack.kill('ingress');
    await assert.rejects(ask(stack.origin, stack.key, 'acme/one'));
    await stack.start('ingress');
    assert.notEqual(stack.ingressPid, ingressPid);
    assert.equal((await ask(stack.origin, stack.key, 'acme/one')).status, 200);
    const workers = stack.workerPids();
    ended.push(async () => {
      for (const pid of workers) process.kill(pid, 0);
    });
  });
  for (const look of ended) await assert.rejects(look);
});

test('a stack that cannot start says why', async () => {
  await assert.rejects(startStack({ config: 'modles: []', simulators: 0 }), /modles/);
});
