import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ConverseRequest, ContentBlock as SdkBlock, Message as SdkMessage } from '@aws-sdk/client-bedrock-runtime';
import { type Simulator, startSimulator } from '../../server.ts';
import { pdf, png } from '../../testing/media.ts';
import type { Wire } from './wire.ts';

type ContentBlock = Wire<SdkBlock>;
type Message = Wire<SdkMessage>;

const user = (...content: ContentBlock[]): Message => ({ role: 'user', content });
const assistant = (...content: ContentBlock[]): Message => ({ role: 'assistant', content });
const hello = { text: 'Hello' };

describe('what Bedrock would refuse', () => {
  let simulator: Simulator;
  before(async () => {
    simulator = await startSimulator();
  });
  after(() => simulator.close());

  const post = async (
    body: object | string,
    modelId = 'anthropic.claude-haiku-4-5-20251001-v1:0',
    verb = 'converse',
  ) => {
    const response = await fetch(`${simulator.url}/model/${encodeURIComponent(modelId)}/${verb}`, {
      method: 'POST',
      headers: { authorization: 'Bearer bedrock-api-key', 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const type = response.headers.get('x-amzn-errortype')?.split(':')[0];
    return { status: response.status, type, message: response.ok ? '' : String(JSON.parse(text).message) };
  };
  const refused = async (body: object, message: RegExp, modelId?: string) => {
    const answer = await post(body, modelId);
    assert.match(answer.message, message);
    assert.deepEqual([answer.status, answer.type], [400, 'ValidationException'], answer.message);
  };
  const accepted = async (body: object, modelId?: string) => {
    const { status, message } = await post(body, modelId);
    assert.equal(status, 200, message);
  };
  /** An answer to `hello` with more members. */
  const withMembers = (members: Partial<Wire<ConverseRequest>> & Record<string, unknown>) => ({
    messages: [user(hello)],
    ...members,
  });

  it('unknown members, wherever they stand', async () => {
    await refused(withMembers({ max_tokens: 5 }), /#\/: extraneous key \[max_tokens\] is not permitted/);
    await refused(
      { messages: [{ ...user(hello), name: 'Ann' }] },
      /#\/messages\/0: extraneous key \[name\] is not permitted/,
    );
    await refused(
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] },
      /#\/messages\/0\/content\/0: extraneous key \[type\]/,
    );
    await refused(withMembers({ inferenceConfig: { topK: 5 } as object }), /extraneous key \[topK\]/);
    await accepted(withMembers({ whatever: 5, inferenceConfig: { maxTokens: 5 } }), 'anthropic.claude-v3+lenient');
  });

  it('wrong types, missing members and unions with two members', async () => {
    for (const [body, message] of [
      [
        withMembers({ inferenceConfig: { maxTokens: '5' } as object }),
        /STRING_VALUE can not be converted to an Integer/,
      ],
      [{ messages: 'Hello' }, /Expected list or null/],
      [{ messages: [{ role: 'user', content: 'Hello' }] }, /Expected list or null/],
      [{ messages: [user({ text: 5 } as object as ContentBlock)] }, /NUMBER_VALUE can not be converted to a String/],
    ] as const) {
      const answer = await post(body);
      assert.match(answer.message, message);
      assert.deepEqual([answer.status, answer.type], [400, 'SerializationException']);
    }
    await refused({ system: [hello] }, /'messages' failed to satisfy constraint: Member must not be null/);
    await refused({ messages: [{ content: [hello] }] }, /'messages\.0\.role' failed .* must not be null/);
    await refused(
      { messages: [user({ ...hello, image: { format: 'png', source: { bytes: png } } } as object as ContentBlock)] },
      /messages\.0\.content\.0 is invalid: exactly one of .* must be set, found text, image/,
    );
    await refused({ messages: [{ role: 'system', content: [hello] }] }, /enum value set: \[user, assistant\]/);
    await refused(withMembers({ inferenceConfig: { temperature: 1.5 } }), /value less than or equal to 1/);
    await refused(withMembers({ inferenceConfig: { maxTokens: 0 } }), /value greater than or equal to 1/);
    assert.equal((await post('{"messages": [')).type, 'SerializationException');
    await accepted(withMembers({ system: null as never, inferenceConfig: null as never }));
  });

  it('turns out of order, and empty ones', async () => {
    await refused({ messages: [] }, /must start with a user message/);
    await refused({ messages: [assistant(hello), user(hello)] }, /must start with a user message/);
    await refused({ messages: [user(hello), user(hello)] }, /must alternate between user and assistant roles/);
    await refused({ messages: [user()] }, /content field in the Message object at messages\.0 is empty/);
    await refused(
      { messages: [user({ text: ' \n' })] },
      /text field in the ContentBlock object at messages\.0\.content\.0 is blank/,
    );
    await refused(withMembers({ system: [{ text: '' }] }), /SystemContentBlock object at system\.0 is blank/);
    await refused({ messages: [user(hello), assistant({ text: 'I think ' })] }, /cannot end with trailing whitespace/);
    await refused(
      { messages: [user(hello), assistant(hello)] },
      /does not support assistant message prefill/,
      'us.anthropic.claude-opus-4-6-v1',
    );
  });

  it('blocks of the other role', async () => {
    await refused(
      { messages: [user({ toolUse: { toolUseId: 'a', name: 'f', input: {} } })] },
      /toolUse block at messages\.0\.content\.0 can only be in a message with the assistant role/,
    );
    await refused(
      { messages: [user(hello), assistant({ image: { format: 'png', source: { bytes: png } } }), user(hello)] },
      /image block at messages\.1\.content\.0 can only be in a message with the user role/,
    );
  });

  it('broken media', async () => {
    const image = (format: 'png' | 'jpeg', bytes: string) => ({
      messages: [user({ image: { format, source: { bytes } } })],
    });
    await accepted(image('png', png));
    await refused(image('jpeg', png), /does not match the provided media type image\/jpeg: .* image\/png/);
    await refused(image('png', pdf), /Could not process image/);
    assert.equal((await post(image('png', 'data:image/png;base64,AAAA'))).type, 'SerializationException');
    const link = {
      messages: [
        user({ image: { format: 'png', source: { url: 'https://example.com/a.png' } } } as object as ContentBlock),
      ],
    };
    await refused(link, /extraneous key \[url\]/);
  });

  it('documents without text beside them, with bad names, twice, or not what they say', async () => {
    const document = (name: string, bytes = pdf): ContentBlock => ({
      document: { format: 'pdf', name, source: { bytes } },
    });
    await accepted({ messages: [user(document('Report [1] - (final)'), hello)] });
    await refused({ messages: [user(document('Report'))] }, /Include a text block in the same message/);
    for (const name of ['report.pdf', 'my_report', 'a  b', 'résumé', "John's"])
      await refused(
        { messages: [user(document(name), hello)] },
        /The document file name can only contain alphanumeric/,
      );
    await refused({ messages: [user(document('A'), document('A'), hello)] }, /can't contain duplicate document names/);
    const six = Array.from({ length: 6 }, (_, index) => document(`D${index}`));
    await refused({ messages: [user(...six, hello)] }, /can't include more than 5 documents/);
    await refused({ messages: [user(document('A', png), hello)] }, /The PDF specified was not valid/);
  });

  it('bad tools', async () => {
    const toolSpec = { name: 'f', inputSchema: { json: { type: 'object' } } };
    await refused(
      withMembers({ toolConfig: { tools: [] } }),
      /'toolConfig\.tools' failed .* greater than or equal to 1/,
    );
    await refused(
      withMembers({ toolConfig: { tools: [{ toolSpec: { ...toolSpec, name: 'a b' } }] } }),
      /regular expression pattern: \^\[a-zA-Z0-9_-\]\+\$/,
    );
    await refused(
      withMembers({ toolConfig: { tools: [{ toolSpec: { ...toolSpec, description: '' } }] } }),
      /toolSpec\.description' failed .* length greater than or equal to 1/,
    );
    await refused(
      withMembers({ toolConfig: { tools: [{ toolSpec: { ...toolSpec, inputSchema: { json: {} } } }] } }),
      /toolSpec\.inputSchema\.json\.type must be one of the following: object/,
    );
    await refused(
      withMembers({ toolConfig: { tools: [{ toolSpec }], toolChoice: { tool: { name: 'g' } } } }),
      /Tool 'g' not found in provided tools/,
    );
    await refused(withMembers({ toolConfig: { tools: [{ toolSpec }, { toolSpec }] } }), /Tool names must be unique/);
    await refused(
      withMembers({ toolConfig: { tools: [{ toolSpec }], toolChoice: { none: {} } as object as never } }),
      /extraneous key \[none\]/,
    );
  });

  it("what Claude does not take among the model's own fields", async () => {
    const own = (fields: object, members = {}) =>
      withMembers({ additionalModelRequestFields: fields as never, ...members });
    await refused(own({ frequency_penalty: 1 }), /frequency_penalty: Extra inputs are not permitted/);
    await accepted(own({ frequency_penalty: 1 }), 'mistral.mistral-large-2407-v1:0');
    const thinking = { type: 'enabled', budget_tokens: 2000 };
    await refused(own({ thinking: { type: 'enabled', budget_tokens: 100 } }), /greater than or equal to 1024/);
    await refused(own({ thinking: { type: 'enabled' } }), /budget_tokens: Field required/);
    await refused(
      own({ thinking }, { inferenceConfig: { maxTokens: 2000 } }),
      /must be greater than `thinking\.budget_tokens`/,
    );
    await refused(
      own({ thinking }, { inferenceConfig: { temperature: 0.5 } }),
      /may only be set to 1 when thinking is enabled/,
    );
    const tools = [{ toolSpec: { name: 'f', inputSchema: { json: { type: 'object' } } } }];
    await refused(
      own({ thinking }, { toolConfig: { tools, toolChoice: { any: {} } } }),
      /when tool_choice forces tool use/,
    );
    await refused(withMembers({ inferenceConfig: { temperature: 0.5, topP: 0.5 } }), /cannot both be specified/);
  });

  it('cachePoints where there is no cache, and too many', async () => {
    const cachePoint = { cachePoint: { type: 'default' as const } };
    const body = { messages: [user(hello, cachePoint)] };
    await accepted(body);
    const { status, type } = await post(body, 'meta.llama3-1-70b-instruct-v1:0');
    assert.deepEqual([status, type], [403, 'AccessDeniedException']);
    await refused(
      { messages: [user(hello, ...new Array(5).fill(cachePoint))] },
      /maximum of 4 blocks with cache_control/,
    );
  });

  it('bad model ids and operations', async () => {
    await refused(withMembers({}), /provided model identifier is invalid/, 'anthropic claude');
    await refused(withMembers({}), /provided model identifier is invalid/, 'arn:aws:s3:::bucket/key');
    const unknown = await post(withMembers({}), undefined, 'chat');
    assert.deepEqual([unknown.status, unknown.type], [404, 'UnknownOperationException']);
  });
});
