import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RoutingOptions } from '../routing/index.ts';
import { affinityKey } from './affinity-key.ts';
import { chatRequest, chatRequestOf } from './request.testing.ts';

const LONG = 'x'.repeat(5_000);
const user = (content: string) => ({ role: 'user', content });
const system = (content: string) => ({ role: 'system', content });
const key = (body: Record<string, unknown>, options: RoutingOptions = {}) => affinityKey(chatRequest(body), options);

describe('affinityKey', () => {
  it('none for short prompts, nor for long bodies whose prompt is short', () => {
    assert.equal(key({}), null);
    assert.equal(key({ metadata: { a: LONG } }), null);
    assert.equal(key({ messages: [user('x'.repeat(2_000)), user('x'.repeat(2_000))] }), null);
  });

  it('one for all that begin alike', () => {
    const first = key({ messages: [system(LONG), user('One?')] });
    assert.equal(typeof first, 'number');
    assert.ok(Number.isSafeInteger(first) && Number(first) >= 0);
    assert.equal(key({ messages: [system(LONG), user('Two?'), user('Three?')], temperature: 1 }), first);
    assert.notEqual(key({ messages: [system(`${LONG}y`), user('One?')] }), first);
  });

  it('stays with a conversation that grows', () => {
    const turns = Array.from({ length: 12 }, (_, i) => user(`${i} ${'word '.repeat(200)}`));
    const keys = turns.map((_, i) => key({ messages: turns.slice(0, i + 1) }));
    assert.deepEqual(keys.slice(0, 3), [null, null, null]);
    assert.equal(typeof keys[3], 'number');
    assert.equal(new Set(keys.slice(3)).size, 1);
  });

  it('knows the tools', () => {
    const tools = (name: string) => [{ type: 'function', function: { name, description: LONG } }];
    const first = key({ tools: tools('f'), messages: [system('S'), user('One?')] });
    assert.equal(key({ tools: tools('f'), messages: [system('S'), user('Two?')] }), first);
    assert.notEqual(key({ tools: tools('g'), messages: [system('S'), user('One?')] }), first);
    assert.notEqual(key({ tools: tools('f'), messages: [system('T'), user('One?')] }), first);
  });

  it("the caller's own key, and OpenAI's", () => {
    const own = key({}, { affinity: { key: 'c7' } });
    assert.equal(typeof own, 'number');
    assert.equal(key({ messages: [system(LONG)], prompt_cache_key: 'x' }, { affinity: { key: 'c7' } }), own);
    assert.notEqual(key({}, { affinity: { key: 'c8' } }), own);
    const cached = key({ prompt_cache_key: 'c7' });
    assert.equal(typeof cached, 'number');
    assert.notEqual(cached, own);
    assert.equal(key({ prompt_cache_key: 'c7', messages: [system(LONG)] }, { affinity: 'auto' }), cached);
    assert.equal(key({ prompt_cache_key: '' }), null);
  });

  it('off is off', () => {
    assert.equal(key({ messages: [system(LONG)], prompt_cache_key: 'x' }, { affinity: 'off' }), null);
  });

  it('is of the bytes, whatever stands between the messages', () => {
    const spread = (space: string, last: string): string =>
      `{ "model":"a/b",${space}"messages" : [${space}${JSON.stringify(system(LONG))}${space},${space}${last}${space}] }`;
    const of = (text: string) => affinityKey(chatRequestOf(text), {});
    const plain = of(spread('', JSON.stringify(user('One?'))));
    assert.equal(typeof plain, 'number');
    assert.equal(of(spread('\n\t ', JSON.stringify(user('Two?')))), plain);
  });
});
