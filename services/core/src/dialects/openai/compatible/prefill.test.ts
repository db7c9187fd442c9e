import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readChatRequest, withAssistantPrefix } from '../../../chat/index.ts';
import type { Target } from '../../dialect.ts';
import { openai } from '../dialect.ts';

const target = (provider: string, model = 'mistral-large-latest', baseUrl = 'http://127.0.0.1:1/v1'): Target => ({
  provider,
  model,
  baseUrl,
  credentials: {},
  settings: {},
  maxOutputTokens: 0,
  publisher: '',
});

function request(body: object) {
  const bytes = Buffer.from(JSON.stringify({ model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], ...body }));
  return readChatRequest(bytes, 0, bytes.length);
}

const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];

it('is what Mistral does, by name or host, and nobody else', () => {
  const plain = request({});
  const goesOn = (one: Target) => openai.continuesAssistant?.(plain, one);
  assert.equal(goesOn(target('mistral')), true);
  assert.equal(goesOn(target('mine', 'codestral', 'https://api.mistral.ai/v1')), true);
  assert.equal(goesOn(target('mistral', 'magistral-medium-latest')), false);
  for (const other of ['openai', 'deepseek', 'groq', 'mine', 'vllm']) assert.equal(goesOn(target(other)), false, other);
});

it('but not beside a forced call or JSON, nor behind a message of the same role', () => {
  const goesOn = (body: object) => openai.continuesAssistant?.(request(body), target('mistral'));
  assert.equal(goesOn({ tools, tool_choice: 'auto' }), true);
  assert.equal(goesOn({ tools, tool_choice: 'required' }), false);
  assert.equal(goesOn({ tools, tool_choice: { type: 'function', function: { name: 'f' } } }), false);
  assert.equal(goesOn({ response_format: { type: 'json_object' } }), false);
  assert.equal(
    goesOn({
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Ho' },
      ],
    }),
    false,
  );
});

it('asked for by a field of the message, which reaches the provider', () => {
  const asked = withAssistantPrefix(request({}), 'Hello, my', openai.prefill?.mark);
  const { body, warnings } = openai.encodeChat(asked, target('mistral'), new Map());
  assert.deepEqual(JSON.parse(body.toString()).messages.at(-1), {
    role: 'assistant',
    content: 'Hello, my',
    prefix: true,
  });
  assert.deepEqual(warnings, []);
});
