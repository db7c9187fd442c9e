import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asStreamed, canBeStreamed } from './as-streamed.ts';
import { type ChatRequest, readChatRequest } from './request.ts';

function read(fields: object): ChatRequest {
  const bytes = Buffer.from(JSON.stringify({ model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], ...fields }));
  return readChatRequest(bytes, 0, bytes.length);
}

describe('a request asked for as a stream', () => {
  it('is the same but for being one, and tells its usage', () => {
    const chat = read({ n: 2, stream: false });
    const streamed = asStreamed(chat);
    assert.deepEqual([streamed.stream, streamed.includeUsage], [true, true]);
    assert.deepEqual({ ...streamed, stream: false, includeUsage: false }, chat);
    assert.equal(streamed.body, chat.body);
    assert.equal(chat.stream, false, 'the original is as it was');
  });

  const cases: [string, object, boolean][] = [
    ['a plain one', {}, true],
    ['several choices', { n: 3 }, true],
    ['text and images', { modalities: ['text', 'image'] }, true],
    ['nothing said of them', { modalities: null, audio: null }, true],
    ['one to be stored', { store: true }, true],
    ['sound', { modalities: ['text', 'audio'] }, false],
    ['sound, by its settings alone', { audio: { voice: 'alloy', format: 'wav' } }, false],
    ['a stream', { stream: true }, false],
  ];
  for (const [what, fields, expected] of cases) {
    it(`${what}: ${expected ? 'yes' : 'no'}`, () => assert.equal(canBeStreamed(read(fields)), expected));
  }
});
