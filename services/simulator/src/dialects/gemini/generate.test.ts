import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type Content,
  FunctionCallingConfigMode,
  type GenerateContentConfig,
  type GenerateContentResponse,
  GoogleGenAI,
  type Part,
  ThinkingLevel,
  Type,
} from '@google/genai';
import { type Simulator, startSimulator } from '../../server.ts';
import { pdf, png } from '../../testing/media.ts';
import { clientOf, collect } from '../../testing/sdkClient.ts';

const partsOf = (response: GenerateContentResponse | undefined) => response?.candidates?.[0]?.content?.parts ?? [];
const joined = (chunks: readonly GenerateContentResponse[]) =>
  chunks.flatMap((chunk) => partsOf(chunk).map((part) => (part.thought ? '' : (part.text ?? '')))).join('');

const tools = [
  {
    functionDeclarations: [
      { name: 'tellTime', description: 'Tell the time' },
      {
        name: 'get_weather',
        description: 'Get the current weather in a given location',
        parameters: {
          type: Type.OBJECT,
          properties: { location: { type: Type.STRING }, days: { type: Type.INTEGER, nullable: true } },
          required: ['location'],
        },
      },
    ],
  },
];

describe("generateContent through Google's SDK", () => {
  let simulator: Simulator;
  let client: GoogleGenAI;
  before(async () => {
    simulator = await startSimulator();
    client = new GoogleGenAI({ apiKey: 'AIza-test-key', httpOptions: { baseUrl: simulator.url } });
  });
  after(() => simulator.close());

  const ask = (contents: string | Content[], config: GenerateContentConfig = {}, model = 'gemini-2.5-flash') =>
    client.models.generateContent({ model, contents, config });
  const stream = async (contents: string | Content[], config: GenerateContentConfig = {}, model = 'gemini-2.5-flash') =>
    await collect(await client.models.generateContentStream({ model, contents, config }));

  it('says what the OpenAI dialect says to the same conversation, and counts the same', async () => {
    const openai = await clientOf(simulator).chat.completions.create({
      model: 'gpt-4o',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hi.' },
        { role: 'user', content: 'Tell me a story.' },
      ],
      seed: 7,
    });
    const response = await ask(
      [
        { role: 'user', parts: [{ text: 'Hello' }] },
        { role: 'model', parts: [{ text: 'Hi.' }] },
        { role: 'user', parts: [{ text: 'Tell me a story.' }] },
      ],
      { systemInstruction: 'Be brief.', seed: 7 },
    );
    assert.equal(response.text, openai.choices[0]?.message.content);
    assert.equal(response.candidates?.[0]?.finishReason, 'STOP');
    assert.equal(response.modelVersion, 'gemini-2.5-flash');
    assert.ok(response.responseId);
    const { promptTokenCount, candidatesTokenCount, totalTokenCount } = response.usageMetadata ?? {};
    assert.equal(promptTokenCount, openai.usage?.prompt_tokens);
    assert.equal(candidatesTokenCount, openai.usage?.completion_tokens);
    assert.equal(totalTokenCount, openai.usage?.total_tokens);
  });

  it('streams the same answer with a growing usage', async () => {
    const whole = await ask('Hello [[sim emoji]]');
    const chunks = await stream('Hello [[sim emoji]]');
    assert.equal(joined(chunks), whole.text);
    const counts = chunks.map(({ usageMetadata }) => usageMetadata?.candidatesTokenCount ?? 0);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
    assert.ok((counts[0] ?? 9) < (counts.at(-1) ?? 0));
    assert.deepEqual(chunks.at(-1)?.usageMetadata, whole.usageMetadata);
    assert.deepEqual(chunks.map(({ candidates }) => candidates?.[0]?.finishReason).filter(Boolean), ['STOP']);
    assert.equal(new Set(chunks.map(({ responseId }) => responseId)).size, 1);
  });

  it('ends for the reasons that Google knows', async () => {
    const endOf = async (...args: Parameters<typeof ask>) => {
      const reason = (await ask(...args)).candidates?.[0]?.finishReason;
      assert.equal((await stream(...args)).at(-1)?.candidates?.[0]?.finishReason, reason);
      return reason;
    };
    assert.equal(await endOf('Hello [[sim tokens=50]]', { maxOutputTokens: 5 }), 'MAX_TOKENS');
    assert.equal(await endOf('Hello [[sim refusal]]'), 'SAFETY');
    assert.equal(await endOf('Hello [[sim stop-reason=RECITATION]]'), 'RECITATION');
    assert.equal(await endOf('Hello [[sim calls=1 args=%7Bbroken]]', { tools }), 'MALFORMED_FUNCTION_CALL');
    assert.equal(await endOf('Hello [[sim text=aaa%20bbb]]', { stopSequences: ['b'] }), 'STOP');
    const refused = await ask('Hello [[sim refusal]]');
    assert.deepEqual([partsOf(refused), refused.candidates?.[0]?.safetyRatings?.[0]?.blocked], [[], true]);
  });

  it('blocks a prompt without any candidate', async () => {
    for (const response of [
      await ask('Hello [[sim error=content_filter]]'),
      ...(await stream('Hello [[sim error=content_filter]]')),
    ]) {
      assert.equal(response.promptFeedback?.blockReason, 'PROHIBITED_CONTENT');
      assert.equal(response.candidates, undefined);
      assert.equal(response.usageMetadata?.candidatesTokenCount, undefined);
    }
    const safety = await ask('Hello [[sim error=content_filter code=SAFETY]]');
    assert.equal(safety.promptFeedback?.blockReason, 'SAFETY');
  });

  it('thinks hidden or in the open, and counts it apart', async () => {
    const hidden = await ask('Why?', { thinkingConfig: { thinkingBudget: 20 } });
    assert.equal(hidden.usageMetadata?.thoughtsTokenCount, 20);
    assert.ok(partsOf(hidden).every(({ thought }) => thought !== true));
    const config = { thinkingConfig: { includeThoughts: true, thinkingLevel: ThinkingLevel.LOW } };
    const open = await ask('Why?', config, 'gemini-3-pro-preview');
    const [thought, said] = partsOf(open);
    assert.ok(thought?.thought === true && thought.text);
    assert.ok(said?.text && said.thoughtSignature && said.thought === undefined);
    const {
      promptTokenCount = 0,
      candidatesTokenCount = 0,
      thoughtsTokenCount,
      totalTokenCount,
    } = open.usageMetadata ?? {};
    assert.equal(thoughtsTokenCount, 16);
    assert.equal(totalTokenCount, promptTokenCount + candidatesTokenCount + 16);
    const chunks = await stream('Why?', config, 'gemini-3-pro-preview');
    assert.equal(joined(chunks), open.text);
    assert.equal(partsOf(chunks.at(-1))[0]?.thoughtSignature, said.thoughtSignature);
  });

  it('sees images, reads files, and draws', async () => {
    const parts: Part[] = [
      { inlineData: { mimeType: 'image/png', data: png } },
      { inlineData: { mimeType: 'application/pdf', data: pdf } },
      { fileData: { mimeType: 'image/jpeg', fileUri: 'https://example.com/cat.jpg' } },
      { text: 'What is this?' },
    ];
    const response = await ask([{ role: 'user', parts }]);
    assert.match(response.text ?? '', /I see 2 images \(image\/png, 70 bytes; https:\/\/example.com\/cat.jpg\)/);
    assert.match(response.text ?? '', /I read 1 file \(unnamed, application\/pdf, 48 bytes\)/);
    const details = response.usageMetadata?.promptTokensDetails ?? [];
    assert.deepEqual(
      details.map(({ modality }) => modality),
      ['TEXT', 'IMAGE', 'DOCUMENT'],
    );
    const drawn = await ask('Draw a cat.', { responseModalities: ['TEXT', 'IMAGE'] }, 'gemini-2.5-flash-image');
    const picture = partsOf(drawn).find(({ inlineData }) => inlineData !== undefined)?.inlineData;
    assert.equal(picture?.mimeType, 'image/png');
    assert.ok(
      Buffer.from(picture?.data ?? '', 'base64')
        .subarray(1, 4)
        .equals(Buffer.from('PNG')),
    );
  });

  it('answers in the JSON that a schema asks for, in both spellings', async () => {
    const schema = { type: Type.OBJECT, properties: { name: { type: Type.STRING } }, required: ['name'] };
    const responseMimeType = 'application/json';
    const restricted = JSON.parse((await ask('Who?', { responseMimeType, responseSchema: schema })).text ?? '');
    assert.equal(typeof restricted.name, 'string');
    const responseJsonSchema = { type: 'object', properties: { n: { type: 'integer' } }, additionalProperties: false };
    const full = JSON.parse((await ask('Who?', { responseMimeType, responseJsonSchema })).text ?? '');
    assert.ok(Number.isInteger(full.n));
  });

  it('gives several candidates, and knows long prompts again', async () => {
    const { candidates } = await ask('Hello', { candidateCount: 2 });
    assert.deepEqual(
      candidates?.map(({ index }) => index),
      [0, 1],
    );
    const long = 'The rules of the house. '.repeat(400);
    assert.equal((await ask(`${long} One`)).usageMetadata?.cachedContentTokenCount, undefined);
    assert.ok(((await ask(`${long} Two`)).usageMetadata?.cachedContentTokenCount ?? 0) >= 1024);
  });

  it('calls several functions at once and goes through the loop with its signatures', async () => {
    const model = 'gemini-3-pro-preview';
    const question: Content = { role: 'user', parts: [{ text: 'What is the weather in Paris and in Rome?' }] };
    const called = await ask([question], { tools }, model);
    const calls = called.functionCalls ?? [];
    assert.deepEqual(
      calls.map(({ name, args }) => [name, args?.location]),
      [
        ['get_weather', 'Paris'],
        ['get_weather', 'Rome'],
      ],
    );
    assert.deepEqual(
      partsOf(called).map(({ thoughtSignature }) => thoughtSignature !== undefined),
      [true, false],
    );
    const streamed = (await stream([question], { tools }, model)).flatMap((chunk) => chunk.functionCalls ?? []);
    assert.deepEqual(streamed, calls);

    const responses: Content = {
      role: 'user',
      parts: [
        { functionResponse: { name: 'get_weather', response: { output: '20 degrees' } } },
        { functionResponse: { name: 'get_weather', response: { output: '30 degrees' } } },
      ],
    };
    const loop = (parts: Part[], answers = responses) =>
      ask([question, { role: 'model', parts }, answers], { tools }, model);
    const parts = partsOf(called);
    assert.match((await loop(parts)).text ?? '', /The tool says: 20 degrees\. The tool says: 30 degrees\./);
    const bare = parts.map(({ thoughtSignature: _signature, ...part }) => part);
    await assert.rejects(loop(bare), /Function call is missing a thought_signature in functionCall parts.*position 2/);
    const dummy = bare.map((part) => ({ ...part, thoughtSignature: 'skip_thought_signature_validator' }));
    assert.ok((await loop(dummy)).text);
    const swapped = parts.toReversed().map((part, index) => ({
      ...part,
      ...(index === 0 && parts[0]?.thoughtSignature ? { thoughtSignature: parts[0].thoughtSignature } : {}),
    }));
    await assert.rejects(loop(swapped), /Corrupted thought signature/);
    const [first] = responses.parts ?? [];
    assert.ok(first);
    await assert.rejects(loop(parts, { role: 'user', parts: [first] }), /number of function response parts is equal/);
    const older = await ask([question, { role: 'model', parts: bare }, responses], { tools });
    assert.ok(older.text);
    const goOn: Content = { role: 'user', parts: [{ text: 'Thanks.' }] };
    const past = await ask([question, { role: 'model', parts: bare }, responses, goOn], { tools }, model);
    assert.ok(past.text, 'Only the current turn needs its signatures.');
  });

  it('obeys the function calling mode', async () => {
    const names = async (contents: string, mode: FunctionCallingConfigMode, allowedFunctionNames?: string[]) => {
      const functionCallingConfig = { mode, ...(allowedFunctionNames === undefined ? {} : { allowedFunctionNames }) };
      const { functionCalls } = await ask(contents, { tools, toolConfig: { functionCallingConfig } });
      return functionCalls?.map(({ name }) => name);
    };
    assert.deepEqual(await names('Hello', FunctionCallingConfigMode.ANY), ['tellTime']);
    assert.deepEqual(await names('Hello', FunctionCallingConfigMode.ANY, ['get_weather']), ['get_weather']);
    assert.equal(await names('Weather in Rome?', FunctionCallingConfigMode.NONE), undefined);
    assert.equal(await names('Hello', FunctionCallingConfigMode.AUTO), undefined);
  });

  it('counts tokens', async () => {
    const { totalTokens } = await client.models.countTokens({ model: 'gemini-2.5-flash', contents: 'How many?' });
    assert.equal(totalTokens, (await ask('How many?')).usageMetadata?.promptTokenCount);
  });
});
