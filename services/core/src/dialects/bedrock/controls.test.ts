import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { call, encode, LLAMA, NOVA_2, OPUS_47, SONNET_37, tool, user } from './encode.testing.ts';
import { CLAUDE, NOVA } from './play.testing.ts';

describe('tools', () => {
  it('have an object as schema, and are strict where that is taken', () => {
    const closed = { type: 'object', properties: {}, additionalProperties: false };
    const tools = [
      tool({ strict: true, parameters: closed, description: 'd' }),
      { type: 'function', function: { name: 'g' } },
    ];
    const { sent, warnings } = encode({ tools });
    assert.deepEqual(sent.toolConfig.tools, [
      { toolSpec: { name: 'f', description: 'd', inputSchema: { json: closed }, strict: true } },
      { toolSpec: { name: 'g', inputSchema: { json: { type: 'object', properties: {} } } } },
    ]);
    assert.deepEqual(warnings, []);
    assert.deepEqual(encode({ tools }, NOVA).warnings, ['tools.0.function.strict']);
  });

  const named = { type: 'function', function: { name: 'f' } };
  const allowed = (mode: string) => ({ type: 'allowed_tools', allowed_tools: { mode, tools: [named] } });
  const choices: [string, unknown, string, unknown, string[], string[]][] = [
    ['auto', 'auto', CLAUDE, { auto: {} }, ['f', 'g'], []],
    ['required', 'required', CLAUDE, { any: {} }, ['f', 'g'], []],
    ['a name', named, CLAUDE, { tool: { name: 'f' } }, ['f', 'g'], []],
    ['a name, where names cannot be forced', named, 'mistral.mistral-large-2407-v1:0', { any: {} }, ['f'], []],
    ['required, where nothing can be forced', 'required', LLAMA, undefined, ['f', 'g'], ['tool_choice']],
    ['some', allowed('auto'), CLAUDE, { auto: {} }, ['f'], []],
    ['some, required', allowed('required'), CLAUDE, { any: {} }, ['f'], []],
  ];
  for (const [what, tool_choice, model, choice, offered, warned] of choices) {
    it(`tool_choice: ${what}`, () => {
      const { sent, warnings } = encode({ tools: [tool(), tool({ name: 'g' })], tool_choice }, model);
      assert.deepEqual(sent.toolConfig.toolChoice, choice);
      const names = sent.toolConfig.tools.map(({ toolSpec }: { toolSpec: { name: string } }) => toolSpec.name);
      assert.deepEqual([names, warnings], [offered, warned]);
    });
  }

  const history = [
    user('x'),
    { role: 'assistant', content: null, tool_calls: [call('c')] },
    { role: 'tool', tool_call_id: 'c', content: 'y' },
  ];

  it('tool_choice none leaves the tools out, unless the history needs them', () => {
    assert.equal('toolConfig' in encode({ tools: [tool()], tool_choice: 'none' }).sent, false);
    const { sent, warnings } = encode({ messages: history, tools: [tool()], tool_choice: 'none' });
    assert.equal(sent.toolConfig.tools.length, 1);
    assert.deepEqual(warnings, ['tool_choice']);
  });

  it('a history with calls has tools, whatever is offered', () => {
    const { sent, warnings } = encode({ messages: history });
    assert.equal(sent.toolConfig.tools.length, 1);
    assert.equal('toolChoice' in sent.toolConfig, false);
    assert.deepEqual(warnings, []);
  });

  it('one call at a time is asked of Claude in its own words', () => {
    const body = { tools: [tool()], parallel_tool_calls: false };
    assert.deepEqual(encode(body).sent.additionalModelRequestFields, {
      tool_choice: { disable_parallel_tool_use: true },
    });
    assert.deepEqual(encode(body, NOVA).warnings, ['parallel_tool_calls']);
    assert.equal('additionalModelRequestFields' in encode({ ...body, parallel_tool_calls: true }).sent, false);
  });
});

describe('structured output', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
  const response_format = { type: 'json_schema', json_schema: { name: 'n', schema } };

  it('is native where the model has it', () => {
    const { textFormat } = encode({ response_format }).sent.outputConfig;
    assert.equal(textFormat.type, 'json_schema');
    assert.equal(textFormat.structure.jsonSchema.name, 'n');
    assert.deepEqual(JSON.parse(textFormat.structure.jsonSchema.schema), { ...schema, additionalProperties: false });
  });

  it('is a forced tool where it has not', () => {
    for (const model of [SONNET_37, NOVA]) {
      const { toolConfig } = encode({ response_format }, model).sent;
      const [{ toolSpec }] = toolConfig.tools;
      assert.deepEqual(toolSpec.inputSchema.json, schema);
      assert.deepEqual(toolConfig.toolChoice, { tool: { name: toolSpec.name } });
    }
    const beside = encode({ response_format, tools: [tool()] }, SONNET_37).sent.toolConfig;
    assert.deepEqual([beside.tools.length, beside.toolChoice], [2, { any: {} }]);
  });

  it('is told of where nothing can be forced, and plain JSON everywhere', () => {
    const { sent, warnings } = encode({ response_format }, LLAMA);
    assert.ok(sent.system[0].text.includes(JSON.stringify(schema)));
    assert.deepEqual(warnings, ['response_format']);
    assert.equal(encode({ response_format: { type: 'json_object' } }).sent.system.length, 1);
  });
});

describe('reasoning', () => {
  const of = (body: object, model?: string) => {
    const { sent, warnings } = encode(body, model);
    return {
      fields: sent.additionalModelRequestFields,
      output: sent.outputConfig,
      inference: sent.inferenceConfig,
      warnings,
    };
  };

  it('is a budget for Claude, under a limit that is sent with it', () => {
    assert.deepEqual(of({ reasoning_effort: 'high', max_tokens: 10_000 }), {
      fields: { thinking: { type: 'enabled', budget_tokens: 8_000 } },
      output: undefined,
      inference: { maxTokens: 10_000 },
      warnings: [],
    });
    const { fields, inference } = of({ reasoning: { max_tokens: 2_000 } }, SONNET_37);
    assert.deepEqual(fields, { thinking: { type: 'enabled', budget_tokens: 2_000 } });
    assert.ok(inference.maxTokens > 2_000);
  });

  it('is an effort for the Claudes that decide by themselves', () => {
    const { fields, output, inference } = of({ reasoning_effort: 'low' }, OPUS_47);
    assert.deepEqual([fields, output, inference], [{ thinking: { type: 'adaptive' } }, { effort: 'low' }, undefined]);
    assert.deepEqual(of({ reasoning: { max_tokens: 2_000 } }, OPUS_47).warnings, ['reasoning.max_tokens']);
  });

  it('switches changed sampling off', () => {
    const { inference, warnings } = of({
      reasoning_effort: 'low',
      temperature: 0.2,
      top_p: 0.5,
      top_k: 3,
      max_tokens: 9_000,
    });
    assert.deepEqual([inference, warnings], [{ maxTokens: 9_000 }, ['temperature', 'top_p', 'top_k']]);
  });

  it('gives way to a forced tool, and to a call that came without its reasoning', () => {
    const wish = { reasoning_effort: 'low', tools: [tool()] };
    assert.deepEqual(of({ ...wish, tool_choice: 'required' }).warnings, ['reasoning']);
    const messages = [
      user('x'),
      { role: 'assistant', content: null, tool_calls: [call('c')] },
      { role: 'tool', tool_call_id: 'c', content: 'y' },
    ];
    assert.deepEqual(of({ ...wish, messages }).warnings, ['reasoning']);
    const kept = { type: 'reasoning.text', text: 'hm', signature: 'sig', format: 'anthropic-claude-v1', index: 0 };
    const whole = messages.map((message) =>
      'tool_calls' in message ? { ...message, reasoning_details: [kept] } : message,
    );
    assert.deepEqual(of({ ...wish, messages: whole }).warnings, []);
  });

  it("is Nova's effort, without limits at its hardest", () => {
    const config = (maxReasoningEffort: string) => ({ reasoningConfig: { type: 'enabled', maxReasoningEffort } });
    assert.deepEqual(of({ reasoning_effort: 'minimal' }, NOVA_2).fields, config('low'));
    const hard = of({ reasoning_effort: 'max', max_tokens: 50, temperature: 0.5 }, NOVA_2);
    assert.deepEqual([hard.fields, hard.inference], [config('high'), undefined]);
    assert.deepEqual(hard.warnings, ['temperature', 'max_tokens']);
    assert.deepEqual(of({ reasoning_effort: 'low' }, NOVA), {
      fields: undefined,
      output: undefined,
      inference: undefined,
      warnings: ['reasoning'],
    });
  });

  it('is said in the words of providerOptions alone where it is said there', () => {
    const thinking = { type: 'enabled', budget_tokens: 1_024 };
    const own = {
      providerOptions: { bedrock: { additionalModelRequestFields: { thinking } } },
      reasoning_effort: 'high',
    };
    assert.deepEqual(of(own).fields, { thinking });
    assert.deepEqual(of({ ...own, providerOptions: { bedrock: { thinking } } }).fields, { thinking });
  });

  it('goes back as it came, and only to the model that it came from', () => {
    const details = [
      { type: 'reasoning.text', text: 'hm', signature: 'sig', format: 'anthropic-claude-v1', index: 0 },
      { type: 'reasoning.encrypted', data: 'AAAA', format: 'anthropic-claude-v1', index: 1 },
      { type: 'reasoning.text', text: 'unsigned', format: 'anthropic-claude-v1', index: 2 },
      { type: 'reasoning.encrypted', data: 'BBBB', format: 'unknown', index: 3 },
    ];
    const messages = [user('x'), { role: 'assistant', content: 'y', reasoning_details: details }, user('z')];
    const claude = encode({ messages });
    assert.deepEqual(claude.sent.messages[1].content, [
      { reasoningContent: { reasoningText: { text: 'hm', signature: 'sig' } } },
      { reasoningContent: { redactedContent: 'AAAA' } },
      { text: 'y' },
    ]);
    assert.deepEqual(claude.warnings, ['messages.1.reasoning_details.2', 'messages.1.reasoning_details.3']);
    const gpt = encode({ messages }, 'openai.gpt-oss-120b-1:0');
    assert.deepEqual(gpt.sent.messages[1].content, [{ reasoningContent: { redactedContent: 'BBBB' } }, { text: 'y' }]);
  });
});

describe('caching', () => {
  const cache_control = { type: 'ephemeral' };
  const point = { cachePoint: { type: 'default' } };
  const body = {
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'S', cache_control }] },
      user([{ type: 'text', text: 'x', cache_control: { ...cache_control, ttl: '1h' } }]),
    ],
    tools: [{ ...tool(), cache_control }],
  };

  it('marks become points behind what they mark', () => {
    const { sent, warnings } = encode(body);
    assert.deepEqual(sent.system, [{ text: 'S' }, point]);
    assert.deepEqual(sent.messages[0].content, [{ text: 'x' }, { cachePoint: { type: 'default', ttl: '1h' } }]);
    assert.deepEqual(sent.toolConfig.tools[1], point);
    assert.deepEqual(warnings, []);
  });

  it('only where the model takes them', () => {
    const nova = encode(body, NOVA);
    assert.deepEqual(nova.sent.system, [{ text: 'S' }, point]);
    assert.equal(nova.sent.toolConfig.tools.length, 1);
    assert.deepEqual(nova.warnings, ['messages.1.content.0.cache_control.ttl', 'tools.0.cache_control']);
    const llama = encode(body, LLAMA);
    assert.deepEqual(llama.sent.system, [{ text: 'S' }]);
    assert.equal(llama.warnings.length, 3);
  });

  it('auto marks tools, system and the last message, unless the client has marked', () => {
    const auto = { providerOptions: { gateway: { caching: 'auto' } } };
    const messages = [{ role: 'system', content: 'S' }, user('x')];
    const { sent } = encode({ ...auto, messages, tools: [tool()] });
    assert.deepEqual(
      [sent.system.at(-1), sent.messages[0].content.at(-1), sent.toolConfig.tools.at(-1)],
      [point, point, point],
    );
    assert.deepEqual(
      encode({ ...auto, messages: [user([{ type: 'text', text: 'x', cache_control }]), user('y')] }).sent.messages,
      [{ role: 'user', content: [{ text: 'x' }, point, { text: 'y' }] }],
    );
    const plain = encode({ ...auto, messages }, LLAMA);
    assert.deepEqual([plain.sent.system, plain.warnings], [[{ text: 'S' }], []]);
  });

  it('of more than four points the first give way', () => {
    const parts = [1, 2, 3, 4, 5, 6].map((n) => ({ type: 'text', text: String(n), cache_control }));
    const { sent, warnings } = encode({ messages: [user(parts)] });
    const order = sent.messages[0].content.map((block: { text?: string }) => block.text ?? '|').join('');
    assert.deepEqual([order, warnings], ['123|4|5|6|', ['cache_control']]);
  });
});

describe('other fields', () => {
  it('have their places', () => {
    const { sent, warnings } = encode({
      max_completion_tokens: 7,
      temperature: 1.5,
      stop: ['x', ' '],
      user: 'u',
      metadata: { team: 'a', 'bad|key': 'x' },
      service_tier: 'flex',
    });
    assert.deepEqual(sent.inferenceConfig, { maxTokens: 7, temperature: 1, stopSequences: ['x'] });
    assert.deepEqual(sent.requestMetadata, { user: 'u', team: 'a' });
    assert.deepEqual(sent.serviceTier, { type: 'flex' });
    assert.deepEqual(warnings, ['stop', 'temperature', 'metadata.bad|key']);
  });

  it('sampling that a model no longer takes is dropped', () => {
    const both = { temperature: 0.5, top_p: 0.5 };
    assert.deepEqual(encode(both).sent.inferenceConfig, { temperature: 0.5 });
    assert.deepEqual(encode(both, SONNET_37).sent.inferenceConfig, { temperature: 0.5, topP: 0.5 });
    assert.deepEqual(encode(both, OPUS_47).warnings, ['temperature', 'top_p']);
  });

  it('top_k goes where the maker has it', () => {
    assert.deepEqual(encode({ top_k: 5 }).sent.additionalModelRequestFields, { top_k: 5 });
    assert.deepEqual(encode({ top_k: 5 }, NOVA).sent.additionalModelRequestFields, { inferenceConfig: { topK: 5 } });
    assert.deepEqual(encode({ top_k: 5 }, LLAMA).warnings, ['top_k']);
  });

  it('what the provider has no place for is in the warnings', () => {
    const fields = {
      seed: 1,
      frequency_penalty: 1,
      presence_penalty: 1,
      logit_bias: { 1: 1 },
      logprobs: true,
      verbosity: 'low',
    };
    assert.deepEqual(encode(fields).warnings.toSorted(), Object.keys(fields).toSorted());
  });

  it('n is one', () => {
    assert.throws(() => encode({ n: 2 }), { status: 400, param: 'n' });
    assert.deepEqual(encode({ n: 1 }).warnings, []);
  });

  it("providerOptions are merged in as Converse's own fields", () => {
    const { sent, warnings } = encode({
      max_tokens: 5,
      providerOptions: {
        bedrock: {
          guardrailConfig: { guardrailIdentifier: 'g', guardrailVersion: '1' },
          inferenceConfig: { topP: 0.5 },
          additionalModelRequestFields: { a: 1 },
          anthropic_beta: ['x'],
          messages: [],
        },
      },
    });
    assert.deepEqual(sent.guardrailConfig, { guardrailIdentifier: 'g', guardrailVersion: '1' });
    assert.deepEqual(sent.inferenceConfig, { maxTokens: 5, topP: 0.5 });
    assert.deepEqual(sent.additionalModelRequestFields, { a: 1, anthropic_beta: ['x'] });
    assert.equal(sent.messages.length, 1);
    assert.deepEqual(warnings, ['providerOptions.bedrock.messages']);
  });
});
