import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { withStack } from '../support/stack.ts';

test('small requests that come at nearly one time share calls; each gets its own vectors and its own usage', async () => {
  const options = {
    config: ([simulator]: readonly { readonly baseUrl: string }[]) => ({
      auth: { keys: [{ name: 'one', key: 'key-one' }] },
      embeddings: { microBatch: { waitMs: 20, maxItems: 32 } },
      providers: { openai: { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: 'sk-test' } },
      models: [
        { id: 'test/embed', type: 'embedding', endpoints: [{ provider: 'openai', model: 'text-embedding-3-small' }] },
      ],
    }),
  };
  await withStack(options, async (stack) => {
    const client = new OpenAI({ apiKey: 'key-one', baseURL: stack.baseUrl, maxRetries: 0 });
    const direct = new OpenAI({ apiKey: 'sk-test', baseURL: stack.simulator().baseUrl, maxRetries: 0 });
    const inputs = Array.from({ length: 64 }, (_, at) =>
      at % 4 === 0 ? [`Text ${at}`, `and ${at}`] : `Some text ${at}`,
    );
    const answers = await Promise.all(
      inputs.map((input) => client.embeddings.create({ model: 'test/embed', input, dimensions: 16 })),
    );
    const calls = (await stack.simulator().requests({ model: 'text-embedding-3-small' })).length;
    assert.ok(calls <= 16, `${calls} calls`);
    let tokens = 0;
    for (const [at, input] of inputs.entries()) {
      const expected = await direct.embeddings.create({ model: 'text-embedding-3-small', input, dimensions: 16 });
      assert.deepEqual(answers[at]?.data, expected.data);
      tokens += expected.usage.prompt_tokens;
    }
    const shared = answers.reduce((sum, { usage }) => sum + usage.prompt_tokens, 0);
    assert.equal(shared, tokens, 'what was used is shared out, to the token');
  });
});
