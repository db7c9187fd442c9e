import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { tokenScale } from './approximation.ts';
import { countTokens } from './encoding.ts';
import { promptTexts } from './prompt-texts.ts';
import { TokenCounter } from './token-counter.ts';

const whole = (text: string): number => encode(text, { disallowedSpecial: new Set() }).length;
const SENTENCE = 'The water runs through the gate, and the miller (who is 47) says: "Enough!" ';

const body = (value: object): Uint8Array<ArrayBuffer> => {
  const text = Buffer.from(JSON.stringify(value));
  const bytes = new Uint8Array(text.length);
  bytes.set(text);
  return bytes;
};

describe('counting', () => {
  it('counts texts cut at words as if they were whole', () => {
    const text = SENTENCE.repeat(200);
    assert.ok(text.length > 10_000);
    assert.equal(countTokens(text), whole(text));
  });

  it('is off by at most two tokens a cut, whatever the text is', () => {
    const unit = fc.constantFrom(
      'a',
      'Z',
      '7',
      ' ',
      '\n',
      '。',
      '機',
      '😀',
      'é',
      '\u200d',
      '!',
      '<|endoftext|>',
      'water',
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 3_000 }), (units) => {
        const text = units.join('');
        assert.ok(Math.abs(countTokens(text) - whole(text)) <= 2 * Math.ceil(text.length / 380));
      }),
      { numRuns: 60 },
    );
  });

  it('takes the texts that are quadratic to the vocabulary in bounded time', () => {
    for (const unit of ['a', ' ', '機器學習', '👩‍👩‍👧‍👦']) {
      const text = unit.repeat(Math.ceil(60_000 / unit.length));
      const from = performance.now();
      assert.ok(countTokens(text) > 0);
      assert.ok(performance.now() - from < 5_000, unit);
    }
  });

  it('counts a sample of what is very long', () => {
    const text = SENTENCE.repeat(40_000);
    const exact = 40_000 * (whole(SENTENCE.repeat(101)) - whole(SENTENCE.repeat(100)));
    assert.ok(Math.abs(countTokens(text) / exact - 1) < 0.02);
  });
});

describe('texts of a prompt', () => {
  it('are messages, calls, tools and schemas; media cost by rule', () => {
    const { texts, others } = promptTexts(
      JSON.stringify({
        model: 'm',
        messages: [
          { role: 'system', content: 'Be brief.' },
          {
            role: 'user',
            name: 'ann',
            content: [
              { type: 'text', text: 'Look' },
              { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
              { type: 'input_audio', input_audio: { data: 'A'.repeat(1_400), format: 'wav' } },
            ],
          },
          {
            role: 'assistant',
            content: null,
            tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{"x":1}' } }],
          },
          { role: 'tool', tool_call_id: 'c', content: 'done' },
        ],
        tools: [{ type: 'function', function: { name: 'f' } }],
        response_format: { type: 'json_object' },
        user: 'not part of it',
      }),
    );
    assert.deepEqual(texts, [
      'Be brief.',
      'ann',
      'Look',
      'f',
      '{"x":1}',
      'done',
      '[{"type":"function","function":{"name":"f"}}]',
      '{"type":"json_object"}',
    ]);
    assert.equal(others, 4 * 4 + 3 + 85 + 10);
  });

  it('cost nothing where they are not what they should be', () => {
    for (const odd of ['null', '[]', '{"messages":7}', '{"messages":[null,{"content":[null,3,{"type":"file"}]}]}']) {
      assert.deepEqual(promptTexts(odd).texts, []);
    }
  });
});

describe('the counting thread', () => {
  const counter = new TokenCounter({ timeoutMs: 20_000 });
  after(() => counter.close());

  it('counts a prompt as OpenAI does, and texts', async () => {
    const prompt = body({ messages: [{ role: 'user', content: 'Hello world' }] });
    const counted = await counter.count({ prompt, texts: [SENTENCE, ''] });
    assert.deepEqual(counted, { prompt: whole('Hello world') + 4 + 3, texts: [whole(SENTENCE), 0], counted: true });
  });

  it('approximates a prompt that cannot be read, and counts the texts all the same', async () => {
    const prompt = new Uint8Array(80).fill(0x7b);
    const counted = await counter.count({ prompt, texts: ['water'] });
    assert.deepEqual(counted, { prompt: 20, texts: [1], counted: false });
  });

  it('keeps the loop free while it counts', async () => {
    const text = '機器學習'.repeat(50_000);
    let longest = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const { texts } = await counter.count({ prompt: null, texts: [text] });
    clearInterval(watch);
    assert.ok((texts[0] ?? 0) > 50_000);
    // What the same takes on one thread alone: a second or more.
    assert.ok(longest < 400, `${longest} ms`);
  });

  it('gives its memory back when it has nothing to do, and starts again', async () => {
    const idle = new TokenCounter({ timeoutMs: 20_000, idleMs: 1 });
    for (let i = 0; i < 2; i++) {
      assert.equal((await idle.count({ prompt: null, texts: ['water'] })).counted, true);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await idle.close();
  });

  it('approximates what takes too long, what comes after the end, and what waits at the end', async () => {
    const approximated = { prompt: 25, texts: [3], counted: false };
    const job = () => ({ prompt: new Uint8Array(100), texts: ['机器学习'] });
    assert.deepEqual(await new TokenCounter({ timeoutMs: 1 }).count(job()), approximated);
    const closing = new TokenCounter();
    const waiting = closing.count(job());
    await closing.close();
    assert.deepEqual(await waiting, approximated);
    assert.deepEqual(await closing.count(job()), approximated);
  });
});

describe('scale of a model', () => {
  it('is one for OpenAI and the unknown, stated for others', () => {
    const scales = ['gpt-4o', 'gpt-4.1-mini', 'gpt-5', 'somebody', 'gpt-4', 'claude-sonnet-4', 'Llama-3.3'].map(
      tokenScale,
    );
    assert.deepEqual(scales, [1, 1, 1, 1, 1.02, 1.2, 1.1]);
  });
});
