import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readFeatures } from './features.ts';
import { chatRequest } from './request.testing.ts';

const part = (...content: unknown[]) => ({ messages: [{ role: 'user', content }] });
const features = (body: Record<string, unknown>) => readFeatures(chatRequest(body));
const NONE = { images: false, files: false, audio: false, tools: false, jsonSchema: false };

describe('readFeatures', () => {
  it('a plain text needs nothing', () => {
    const { promptTokens, ...rest } = features({});
    assert.deepEqual(rest, { ...NONE, maxOutputTokens: null });
    assert.ok(promptTokens > 0 && promptTokens < 30);
  });

  const table: [name: string, body: Record<string, unknown>, expected: Partial<typeof NONE>][] = [
    ['an image', part({ type: 'image_url', image_url: { url: 'https://x.example/a.png' } }), { images: true }],
    ['audio', part({ type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } }), { audio: true }],
    ['a PDF', part({ type: 'file', file: { data: 'AA==', media_type: 'application/pdf' } }), { files: true }],
    ['a file by id', part({ type: 'file', file: { file_id: 'file-1' } }), { files: true }],
    ['an image as file', part({ type: 'file', file: { data: 'AA==', media_type: 'image/png' } }), { images: true }],
    [
      'an image as data URI',
      part({ type: 'file', file: { file_data: 'data:image/png;base64,AA==' } }),
      { images: true },
    ],
    ['audio as file', part({ type: 'file', file: { data: 'AA==', media_type: 'audio/mpeg' } }), { audio: true }],
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }, { tools: true }],
    ['no tools', { tools: [] }, {}],
    ['functions', { functions: [{ name: 'f' }] }, { tools: true }],
    [
      'a schema',
      { response_format: { type: 'json_schema', json_schema: { name: 's', schema: {} } } },
      { jsonSchema: true },
    ],
    ['a legacy schema', { response_format: { type: 'json', schema: {} } }, { jsonSchema: true }],
    ['just JSON', { response_format: { type: 'json_object' } }, {}],
  ];
  for (const [name, body, expected] of table) {
    it(name, () => {
      const { promptTokens: _, maxOutputTokens: __, ...rest } = features(body);
      assert.deepEqual(rest, { ...NONE, ...expected });
    });
  }

  it('the limit of the answer', () => {
    assert.equal(features({ max_tokens: 5 }).maxOutputTokens, 5);
    assert.equal(features({ max_tokens: 5, max_completion_tokens: 7 }).maxOutputTokens, 7);
  });

  it('counts text by its bytes, also where the outline has but its ends, and no images', () => {
    const words = 'lang '.repeat(20_000);
    const near = (tokens: number): void => assert.ok(tokens > 24_900 && tokens < 25_200, String(tokens));
    near(features(part({ type: 'text', text: words })).promptTokens);
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0K'.repeat(50_000)}` } };
    const pdf = { type: 'file', file: { data: 'JVBERi0x'.repeat(50_000), media_type: 'application/pdf' } };
    near(features(part({ type: 'text', text: words }, image, pdf)).promptTokens);
    const quoted = { type: 'text', text: `"${'{\\"a\\"}'.repeat(1_000)}"` };
    const small = features(part(quoted, { ...image, image_url: { url: 'data:image/png;base64,AA==' } })).promptTokens;
    assert.ok(small > 2_000 && small < 5_000, String(small));
  });
});
