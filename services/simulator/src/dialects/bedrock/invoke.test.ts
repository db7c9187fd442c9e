import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type BedrockRuntimeClient,
  BedrockRuntimeServiceException,
  InvokeModelCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { type Simulator, startSimulator } from '../../server.ts';
import { bedrockClientOf, knownCredentials } from '../../testing/bedrockClient.ts';
import { clientOf } from '../../testing/sdkClient.ts';

const titan = 'amazon.titan-embed-text-v2:0';
const cohere = 'cohere.embed-english-v3';
const inputType = { input_type: 'search_document' };

describe("InvokeModel of embedding models through AWS's SDK", () => {
  let simulator: Simulator;
  let client: BedrockRuntimeClient;
  before(async () => {
    simulator = await startSimulator();
    client = bedrockClientOf(simulator);
  });
  after(async () => {
    client.destroy();
    await simulator.close();
  });

  const invoke = async (modelId: string, body: object, through = client) => {
    const answer = await through.send(
      new InvokeModelCommand({ modelId, body: JSON.stringify(body), contentType: 'application/json' }),
    );
    return JSON.parse(answer.body.transformToString());
  };
  const refused = (asked: Promise<unknown>, message: RegExp, name = 'ValidationException') =>
    assert.rejects(asked, (error: unknown) => {
      assert.ok(error instanceof BedrockRuntimeServiceException);
      assert.equal(error.name, name);
      assert.match(error.message, message);
      return true;
    });
  const others = async (input: string[], dimensions: number) => {
    const { data, usage } = await clientOf(simulator).embeddings.create({
      model: 'text-embedding-3-small',
      input,
      dimensions,
      encoding_format: 'float',
    });
    return { vectors: data.map(({ embedding }) => embedding), tokens: usage.prompt_tokens };
  };

  it('gives with Titan the vector and the token count that the others give', async () => {
    const inputText = 'Sunny day at the beach';
    const { vectors, tokens } = await others([inputText], 1024);
    const answer = await invoke(titan, { inputText });
    assert.deepEqual(answer, {
      embedding: vectors[0],
      embeddingsByType: { float: vectors[0] },
      inputTextTokenCount: tokens,
    });
    assert.deepEqual(await invoke('amazon.titan-embed-text-v1', { inputText }), {
      embedding: (await others([inputText], 1536)).vectors[0],
      inputTextTokenCount: tokens,
    });
    const bits = await invoke(titan, { inputText, dimensions: 256, embeddingTypes: ['binary'] });
    assert.deepEqual(
      bits.embeddingsByType.binary,
      (await others([inputText], 256)).vectors[0]?.map((value) => (value > 0 ? 1 : 0)),
    );
    const lengths = (await invoke(titan, { inputText, normalize: false })).embedding.map((value: number) => value ** 2);
    assert.ok(lengths.reduce((sum: number, square: number) => sum + square) > 2);
    assert.equal(simulator.requests.find(({ model }) => model === titan)?.items, 1);
    assert.equal(simulator.usage.report().byModel[titan]?.prompt, 3 * tokens);
  });

  it("gives with Cohere's models lists of them, plain or by type, and the token count in a header", async () => {
    const texts = ['Sunny day at the beach', 'Rain'];
    const { vectors, tokens } = await others(texts, 1024);
    const plain = await invoke(cohere, { texts, ...inputType });
    assert.deepEqual([plain.embeddings, plain.response_type], [vectors, 'embeddings_floats']);
    const typed = await invoke(cohere, { texts, ...inputType, embedding_types: ['float', 'int8'] });
    assert.deepEqual([typed.embeddings.float, typed.response_type], [vectors, 'embeddings_by_type']);
    assert.equal(typed.embeddings.int8.length, 2);
    const small = await invoke('eu.cohere.embed-v4:0', { texts, ...inputType, output_dimension: 256 });
    assert.deepEqual(small.embeddings, (await others(texts, 256)).vectors);
    const { body, headers } = await raw({ texts, ...inputType });
    assert.equal(JSON.parse(body).texts.length, 2);
    assert.equal(headers.get('x-amzn-bedrock-input-token-count'), String(tokens));
    assert.equal(simulator.requests.at(-1)?.items, 2);
  });

  const raw = async (body: object) => {
    const response = await fetch(`${simulator.url}/model/${cohere}/invoke`, {
      method: 'POST',
      headers: { authorization: 'Bearer bedrock-key' },
      body: JSON.stringify(body),
    });
    return { body: await response.text(), headers: response.headers };
  };

  it('refuses what Bedrock refuses', async () => {
    await refused(invoke(titan, { texts: ['a'] }), /required key \[inputText\] not found#: extraneous key \[texts\]/);
    await refused(invoke(titan, { inputText: '' }), /#\/inputText: expected minLength: 1, actual: 0/);
    await refused(invoke(titan, { inputText: ['a'] }), /expected type: String, found: JSONArray/);
    await refused(invoke(titan, { inputText: 'a', dimensions: 300 }), /#\/dimensions: 300 is not a valid enum value/);
    await refused(
      invoke('amazon.titan-embed-text-v1', { inputText: 'a', dimensions: 256 }),
      /extraneous key \[dimensions\]/,
    );
    await refused(
      invoke(titan, { inputText: ' a'.repeat(9000) }),
      /Max input tokens: 8192, request input token count: 9000/,
    );
    await refused(invoke(titan, { inputText: 'a'.repeat(50_001) }), /expected maxLength: 50000, actual: 50001/);
    await refused(
      invoke(cohere, { inputText: 'a' }),
      /\[texts\] not found#: required key \[input_type\] not found#: extraneous/,
    );
    await refused(invoke(cohere, { texts: Array(97).fill('a'), ...inputType }), /maximum item count: 96, found: 97/);
    await refused(
      invoke(cohere, { texts: ['a'.repeat(2049)], ...inputType }),
      /expected maxLength: 2048, actual: 2049/,
    );
    await refused(invoke(cohere, { texts: [' a'.repeat(600)], ...inputType }), /more than 512 tokens/);
    assert.equal(
      (await invoke(cohere, { texts: [' a'.repeat(600)], ...inputType, truncate: 'END' })).embeddings.length,
      1,
    );
    await refused(invoke('anthropic.claude-haiku-4-5-v1:0', { prompt: 'a' }), /embedding models only/);
    const stranger = bedrockClientOf(simulator, { credentials: { ...knownCredentials, secretAccessKey: 'wrong' } });
    await refused(invoke(titan, { inputText: 'a' }, stranger), /does not match/, 'InvalidSignatureException');
    stranger.destroy();
  });

  it('breaks as asked for', async () => {
    await refused(invoke(titan, { inputText: '[[sim status=429]] a' }), /Too many requests/, 'ThrottlingException');
    await refused(
      invoke(cohere, { texts: ['a', '[[sim error=server]]b'], ...inputType }),
      /unexpected/,
      'InternalServerException',
    );
    assert.deepEqual(await invoke(titan, { inputText: '[[sim ttft=5]] a' }), await invoke(titan, { inputText: 'a' }));
    assert.equal((await invoke(`${titan}+dims=4`, { inputText: 'a' })).embedding.length, 4);
  });
});
