import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Simulator, startSimulator } from '../../server.ts';
import { pdf, png } from '../../testing/media.ts';

type Body = Readonly<Record<string, unknown>>;

const hello = { role: 'user', parts: [{ text: 'Hello' }] };
const saying = (...parts: Body[]) => ({ contents: [{ role: 'user', parts }] });
const inline = (mimeType: string, data: string) => saying({ inlineData: { mimeType, data } });
const config = (generationConfig: Body) => ({ generationConfig });
const declaring = (...functionDeclarations: Body[]) => ({ tools: [{ functionDeclarations }] });
const taking = (...schemas: Body[]) =>
  declaring(
    ...schemas.map((schema, index) => ({
      name: `f${index}`,
      parameters: { type: 'OBJECT', properties: { a: schema } },
    })),
  );
const at = "at 'tools\\[0\\]\\.function_declarations\\[0\\]\\.parameters\\.properties\\[0\\]\\.value'";
const call = { functionCall: { name: 'f', args: {} } };
const response = { functionResponse: { name: 'f', response: { output: 'x' } } };

const refused: readonly (readonly [string, Body, RegExp])[] = [
  ['unknown field', { foo: 1 }, /^Invalid JSON payload received\. Unknown name "foo": Cannot find field\.$/],
  ['OpenAI messages', { messages: [] }, /Unknown name "messages"/],
  ['unknown config', config({ max_tokens: 5 }), /Unknown name "max_tokens" at 'generation_config': Cannot find field/],
  ['no contents', { contents: [] }, /GenerateContentRequest\.contents: contents is not specified/],
  [
    'other roles',
    { contents: [{ role: 'assistant', parts: [{ text: 'a' }] }] },
    /Please use a valid role: user, model/,
  ],
  ['no parts', { contents: [{ role: 'user', parts: [] }] }, /contents\[0\]\.parts: contents\.parts must not be empty/],
  ['no data', saying({}), /contents\[0\]\.parts\[0\]\.data: required oneof field 'data'/],
  ['two data', saying({ text: 'a', functionCall: { name: 'f' } }), /oneof field 'data' is already set/],
  [
    'text as a part',
    { contents: [{ role: 'user', parts: ['Hello'] }] },
    /Invalid value at 'contents\[0\]\.parts\[0\]'/,
  ],
  ['content as text', { contents: ['Hello'] }, /Invalid value at 'contents\[0\]'/],
  [
    'temperature as text',
    config({ temperature: 'hot' }),
    /Invalid value at 'generation_config\.temperature' \(TYPE_FLOAT\), "hot"/,
  ],
  ['temperature above 2', config({ temperature: 2.5 }), /temperature must be in the range \[0, 2\]/],
  ['six stop sequences', config({ stopSequences: ['a', 'b', 'c', 'd', 'e', 'f'] }), /at most 5/],
  [
    'mode of a call',
    { toolConfig: { functionCallingConfig: { mode: 'required' } } },
    /Invalid value at 'tool_config\.function_calling_config\.mode'/,
  ],
  [
    'names with AUTO',
    {
      ...declaring({ name: 'f' }),
      toolConfig: { functionCallingConfig: { mode: 'AUTO', allowedFunctionNames: ['f'] } },
    },
    /only when function calling mode is ANY/,
  ],
  [
    'mode without functions',
    { toolConfig: { functionCallingConfig: { mode: 'ANY' } } },
    /set without function_declarations/,
  ],
  ['$ref', taking({ $ref: '#/$defs/a' }), new RegExp(`Unknown name "\\$ref" ${at}`)],
  [
    'additionalProperties',
    taking({ type: 'OBJECT', additionalProperties: false }),
    new RegExp(`Unknown name "additionalProperties" ${at}`),
  ],
  ['oneOf', taking({ oneOf: [] }), new RegExp(`Unknown name "oneOf" ${at}`)],
  ['const', taking({ const: 1 }), new RegExp(`Unknown name "const" ${at}`)],
  [
    'list of types',
    taking({ type: ['string', 'null'] }),
    new RegExp(`Unknown name "type" ${at}: Proto field is not repeating, cannot start list`),
  ],
  ['numbers in an enum', taking({ type: 'STRING', enum: [1] }), /Invalid value at '.*enum\[0\]' \(TYPE_STRING\), 1/],
  [
    'enum of integers',
    taking({ type: 'INTEGER', enum: ['1'] }),
    /\.properties\[a\]\.enum: only allowed for STRING type/,
  ],
  [
    'string format',
    taking({ type: 'STRING', format: 'uri' }),
    /only 'enum' and 'date-time' are supported for STRING type/,
  ],
  ['array without items', taking({ type: 'ARRAY' }), /\.properties\[a\]\.items: missing field/],
  ['no type', taking({ description: 'a' }), /type: must be specified when not using/],
  [
    'empty object',
    declaring({ name: 'f', parameters: { type: 'OBJECT', properties: {} } }),
    /should be non-empty for OBJECT type/,
  ],
  [
    'required stranger',
    declaring({ name: 'f', parameters: { type: 'OBJECT', properties: { a: { type: 'STRING' } }, required: ['b'] } }),
    /required\[0\]: property is not defined/,
  ],
  ['function name', declaring({ name: '1 f' }), /Invalid function name/],
  ['two functions of a name', declaring({ name: 'f' }, { name: 'f' }), /Duplicate function declaration found: f/],
  [
    'schema without JSON',
    config({ responseSchema: { type: 'STRING' } }),
    /only allowed when response_mime_type is 'application\/json'/,
  ],
  [
    'functions with JSON',
    { ...declaring({ name: 'f' }), ...config({ responseMimeType: 'application/json' }) },
    /Function calling with a response mime type/,
  ],
  [
    'level of older models',
    config({ thinkingConfig: { thinkingLevel: 'LOW' } }),
    /Thinking level is not supported for this model/,
  ],
  [
    'level and budget',
    config({ thinkingConfig: { thinkingLevel: 'LOW', thinkingBudget: 5 } }),
    /only one of thinking budget and thinking level/,
  ],
  ['budget out of range', config({ thinkingConfig: { thinkingBudget: 52_428 } }), /thinking budget 52428 is invalid/],
  ['images of text models', config({ responseModalities: ['IMAGE'] }), /only supports text output/],
  ['GIF', inline('image/gif', png), /Unsupported MIME type: image\/gif/],
  ['data URI as data', inline('image/png', `data:image/png;base64,${png}`), /Base64 decoding failed/],
  ['no image', inline('image/png', 'AAAA'), /Unable to process input image/],
  ['no PDF', inline('application/pdf', png), /The document has no pages/],
  ['data as a link', saying({ fileData: { fileUri: 'data:text/plain,a' } }), /Invalid or unsupported file uri/],
  [
    'call first',
    { contents: [{ role: 'model', parts: [call] }] },
    /function call turn comes immediately after a user turn/,
  ],
  [
    'call without response',
    { contents: [hello, { role: 'model', parts: [call] }, hello] },
    /number of function response parts is equal/,
  ],
  [
    'response without call',
    { contents: [hello, { role: 'model', parts: [{ text: 'a' }] }, { role: 'user', parts: [response] }] },
    /function response turn comes immediately after a function call turn/,
  ],
  [
    'response of another name',
    {
      contents: [
        hello,
        { role: 'model', parts: [call] },
        { role: 'user', parts: [{ functionResponse: { name: 'g', response: {} } }] },
      ],
    },
    /name of each function response/,
  ],
  [
    'response without name',
    {
      contents: [
        hello,
        { role: 'model', parts: [call] },
        { role: 'user', parts: [{ functionResponse: { response: {} } }] },
      ],
    },
    /function_response\.name: Name cannot be empty/,
  ],
  [
    'response as text',
    {
      contents: [
        hello,
        { role: 'model', parts: [call] },
        { role: 'user', parts: [{ functionResponse: { name: 'f', response: 'x' } }] },
      ],
    },
    /google\.protobuf\.Struct\), "x"/,
  ],
  [
    'arguments as text',
    { contents: [hello, { role: 'model', parts: [{ functionCall: { name: 'f', args: '{}' } }] }] },
    /google\.protobuf\.Struct\)/,
  ],
];

const accepted: readonly (readonly [string, Body])[] = [
  [
    'snake case',
    { system_instruction: { parts: [{ text: 'Be brief.' }] }, generation_config: { max_output_tokens: 5 } },
  ],
  ['types in lower case', taking({ type: 'string', nullable: true, format: 'enum', enum: ['a'] })],
  [
    'full JSON Schema',
    declaring({
      name: 'f',
      parametersJsonSchema: {
        type: 'object',
        additionalProperties: false,
        properties: { a: { $ref: '#/$defs/a' } },
        $defs: { a: { const: 1 } },
      },
    }),
  ],
  ['a tool loop', { contents: [hello, { role: 'model', parts: [call] }, { role: 'user', parts: [response] }] }],
  ['no role', { contents: [{ parts: [{ text: 'Hello' }] }] }],
  ['no thinking', config({ thinkingConfig: { thinkingBudget: 0 } })],
  ['URL-safe base64', inline('application/pdf', pdf.replaceAll('+', '-').replaceAll('/', '_'))],
];

describe("Google's validation", () => {
  let simulator: Simulator;
  before(async () => {
    simulator = await startSimulator();
  });
  after(() => simulator.close());

  const post = async (body: unknown, headers: Record<string, string> = { 'x-goog-api-key': 'AIza' }, query = '') => {
    const response = await fetch(`${simulator.url}/v1beta/models/gemini-2.5-flash:generateContent${query}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };

  for (const [name, change, message] of refused)
    it(`refuses: ${name}`, async () => {
      const { status, body } = await post({ contents: [hello], ...change });
      assert.equal(body.error?.status, 'INVALID_ARGUMENT', JSON.stringify(body));
      assert.match(body.error.message, message);
      assert.deepEqual([status, body.error.code], [400, 400]);
    });

  for (const [name, change] of accepted)
    it(`accepts: ${name}`, async () => {
      const { status, body } = await post({ contents: [hello], ...change });
      assert.equal(status, 200, JSON.stringify(body));
    });

  it('lists every unknown name at once', async () => {
    const { body } = await post({ contents: [hello], foo: 1, bar: 2 });
    assert.deepEqual(body.error.details[0].fieldViolations.length, 2);
    assert.equal(body.error.details[0]['@type'], 'type.googleapis.com/google.rpc.BadRequest');
  });

  it('demands a key, in the header or the query, and tells no one', async () => {
    const missing = await post({ contents: [hello] }, {});
    assert.deepEqual([missing.status, missing.body.error.status], [403, 'PERMISSION_DENIED']);
    const bad = await post({ contents: [hello] }, { 'x-goog-api-key': 'sk-invalid' });
    assert.deepEqual([bad.status, bad.body.error.details[0].reason], [400, 'API_KEY_INVALID']);
    assert.equal((await post({ contents: [hello] }, {}, '?key=AIza-a-secret-key')).status, 200);
    const { query } = simulator.requests.at(-1) ?? {};
    assert.match(query ?? '', /^\?key=.*-key$/);
    assert.ok(!query?.includes('secret'));
  });
});
