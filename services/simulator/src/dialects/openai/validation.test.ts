import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import OpenAI from 'openai';
import type { Simulator } from '../../server.ts';
import { clientOf, startWithClient } from '../../testing/sdkClient.ts';

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const pdf = Buffer.from('%PDF-1.4\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF').toString('base64');

describe('what OpenAI would refuse', () => {
  let simulator: Simulator;
  let client: OpenAI;
  before(async () => {
    ({ simulator, client } = await startWithClient());
  });
  after(() => simulator.close());

  const user = { role: 'user', content: 'Hello!' };
  /** Sends any body at all, past the SDK's types. */
  const post = (body: unknown) =>
    client.post<OpenAI.ChatCompletion>('/chat/completions', { body: body as Record<string, unknown> });
  const refused = async (body: Record<string, unknown>, param: string | null, message: RegExp) => {
    await assert.rejects(post({ model: 'gpt-4o', messages: [user], ...body }), (error: unknown) => {
      assert.ok(error instanceof OpenAI.BadRequestError, String(error));
      assert.equal(error.type, 'invalid_request_error');
      assert.equal(error.param, param);
      assert.match(error.message, message);
      return true;
    });
  };

  it("catches a gateway's own fields", async () => {
    await refused(
      { providerOptions: { gateway: {} } },
      null,
      /Unrecognized request argument supplied: providerOptions/,
    );
    await refused(
      { models: ['a'], reasoning: {}, provider: {} },
      null,
      /arguments supplied: models, reasoning, provider/,
    );
    await refused(
      { tools: [{ type: 'function', function: { name: 'a' }, cache_control: {} }] },
      'tools[0].cache_control',
      /Unknown parameter/,
    );
    await refused({ messages: [{ ...user, cache_control: {} }] }, 'messages[0].cache_control', /Unknown parameter/);
    const part = { type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } };
    await refused({ messages: [{ role: 'user', content: [part] }] }, 'messages[0].content[0].cache_control', /Unknown/);
    await post({ model: 'gpt-4o+lenient', messages: [user], providerOptions: {} });
  });

  it('names the parameter of a wrong type, a wrong value or a missing one', async () => {
    await refused({ messages: 'Hello' }, 'messages', /expected an array, but got a string/);
    await refused({ messages: [] }, 'messages', /empty array/);
    await refused({ messages: undefined }, 'messages', /Missing required parameter: 'messages'/);
    await refused({ model: undefined }, 'model', /Missing required parameter: 'model'/);
    await refused(
      { messages: [{ role: 'wizard', content: '' }] },
      'messages[0].role',
      /Supported values are: 'system'/,
    );
    await refused(
      { messages: [{ role: 'user', content: 5 }] },
      'messages[0].content',
      /expected an array, but got an integer/,
    );
    await refused({ messages: [{ role: 'user' }] }, 'messages[0].content', /Missing/);
    await refused({ messages: [user, { role: 'assistant' }] }, 'messages[1].content', /expected a string, got null/);
    await refused({ temperature: 3 }, 'temperature', /<= 2/);
    await refused({ temperature: '1' }, 'temperature', /expected a decimal, but got a string/);
    await refused({ stream: 'yes' }, 'stream', /expected a boolean/);
    await refused({ max_tokens: 0 }, 'max_tokens', />= 1/);
    await refused({ reasoning_effort: 'enormous' }, 'reasoning_effort', /Supported values/);
    await refused({ max_tokens: 5, max_completion_tokens: 5 }, 'max_tokens', /at the same time/);
    await refused({ stream_options: { include_usage: true } }, 'stream_options', /only allowed when 'stream'/);
    await refused({ tool_choice: 'auto' }, 'tool_choice', /only allowed when 'tools'/);
    await refused({ model: 'gpt-5', max_tokens: 5 }, 'max_tokens', /Use 'max_completion_tokens' instead/);
  });

  it('wants tool results right behind their calls', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'a', arguments: '{}' } };
    const assistant = { role: 'assistant', content: null, tool_calls: [call] };
    const result = { role: 'tool', tool_call_id: 'call_1', content: 'done' };
    await refused({ messages: [user, result] }, 'messages[1].role', /preceeding message with 'tool_calls'/);
    await refused({ messages: [user, assistant, user] }, 'messages[2].role', /did not have response messages: call_1/);
    await refused({ messages: [user, assistant] }, 'messages[2].role', /call_1/);
    await post({ model: 'gpt-4o', messages: [user, assistant, result] });
  });

  it('reads real images and PDFs, and refuses what only looks like one', async () => {
    const see = (part: unknown) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Look' }, part] }] });
    const image = (url: string) => see({ type: 'image_url', image_url: { url } });
    const file = (of: Record<string, string>) => see({ type: 'file', file: of });
    const said = async (body: object) => (await post({ model: 'gpt-4o', ...body })).choices[0]?.message.content ?? '';

    assert.match(await said(image(`data:image/png;base64,${png}`)), /^I see 1 image \(image\/png, 70 bytes\)\. /);
    assert.match(await said(image('https://example.com/a.png')), /I see 1 image \(https:/);
    const bytes = Buffer.from(pdf, 'base64').length;
    const read = await said(file({ file_data: `data:application/pdf;base64,${pdf}`, filename: 'a.pdf' }));
    assert.ok(read.startsWith(`I read 1 file (a.pdf, application/pdf, ${bytes} bytes). `), read);
    const sound = { type: 'input_audio', input_audio: { data: Buffer.from('RIFF').toString('base64'), format: 'wav' } };
    assert.match(await said(see(sound)), /I hear 1 sound \(audio\/wav, 4 bytes\)/);

    const url = 'messages[0].content[1].image_url.url';
    await refused(image('data:image/png;base64,aGVsbG8='), url, /unsupported image/);
    await refused(image('data:image/png;base64,%%%'), url, /Expected a valid URL/);
    await refused(image(png), url, /Expected a valid URL/);
    const data = 'messages[0].content[1].file.file_data';
    await refused(
      file({ file_data: 'data:application/pdf;base64,aGVsbG8=', filename: 'a.pdf' }),
      data,
      /not a valid PDF/,
    );
    await refused(file({ file_data: pdf, filename: 'a.pdf' }), data, /data URL/);
    await refused(
      file({ data: pdf, media_type: 'application/pdf', filename: 'a.pdf' }),
      'messages[0].content[1].file.data',
      /Unknown parameter/,
    );
  });

  it('refuses a missing or wrong key, unknown paths, wrong methods and broken JSON', async () => {
    await assert.rejects(clientOf(simulator, 'sk-invalid').models.list(), OpenAI.AuthenticationError);
    const raw = (path: string, init: RequestInit) => fetch(simulator.url + path, init);
    const authorization = 'Bearer sk-test';
    assert.equal((await raw('/v1/models', {})).status, 401);
    assert.equal((await raw('/v1/nothing', { headers: { authorization } })).status, 404);
    assert.equal((await raw('/v1/chat/completions', { headers: { authorization } })).status, 405);
    const broken = await raw('/v1/chat/completions', { method: 'POST', headers: { authorization }, body: '{"model":' });
    assert.equal(broken.status, 400);
    assert.match(await broken.text(), /could not parse the JSON body/);
  });
});
