import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type {
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
} from 'openai/resources/chat/completions';
import { columns, fateOf, fidelityPage, presets } from './fidelity.ts';
import { SECTIONS } from './leaves.ts';
import { PAGE } from './pages.ts';

/** Every top-level field that the OpenAI SDK knows: a field that it learns is a compile error here. */
const OPENAI_FIELDS: Readonly<
  Record<keyof ChatCompletionCreateParamsNonStreaming | keyof ChatCompletionCreateParamsStreaming, true>
> = {
  audio: true,
  frequency_penalty: true,
  function_call: true,
  functions: true,
  logit_bias: true,
  logprobs: true,
  max_completion_tokens: true,
  max_tokens: true,
  messages: true,
  metadata: true,
  modalities: true,
  model: true,
  moderation: true,
  n: true,
  parallel_tool_calls: true,
  prediction: true,
  presence_penalty: true,
  prompt_cache_key: true,
  prompt_cache_options: true,
  prompt_cache_retention: true,
  reasoning_effort: true,
  response_format: true,
  safety_identifier: true,
  seed: true,
  service_tier: true,
  stop: true,
  store: true,
  stream: true,
  stream_options: true,
  temperature: true,
  tool_choice: true,
  tools: true,
  top_logprobs: true,
  top_p: true,
  user: true,
  verbosity: true,
  web_search_options: true,
};

const leaves = SECTIONS.flatMap((section) => section.leaves);

describe('law 2: nothing vanishes', () => {
  test('every field that the OpenAI SDK knows is looked at', () => {
    const looked = new Set(leaves.map(({ path }) => path.split('.')[0]));
    // The model is the route itself.
    const forgotten = Object.keys(OPENAI_FIELDS).filter((field) => field !== 'model' && !looked.has(field));
    assert.deepEqual(forgotten, []);
  });

  for (const column of [...columns(), ...presets()]) {
    test(`${column.provider.title}: every leaf is passed, mapped, warned of or rejected`, () => {
      const vanished = leaves.filter((leaf) => fateOf(column, leaf).kind === 'vanished').map(({ title }) => title);
      assert.deepEqual(vanished, []);
    });

    test(`${column.provider.title}: what is rejected is rejected with a code`, () => {
      for (const leaf of leaves) {
        const fate = fateOf(column, leaf);
        if (fate.kind === 'rejected')
          assert.ok(fate.status === 400 && fate.code, `${leaf.title}: ${JSON.stringify(fate)}`);
      }
    });
  }

  test('docs/fidelity.md says so (node -C source test/dialects/write-docs.ts writes it)', () => {
    assert.equal(readFileSync(PAGE, 'utf8'), fidelityPage());
  });
});
