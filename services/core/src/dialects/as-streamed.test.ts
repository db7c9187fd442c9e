import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asStreamed, type ChatRequest, readChatRequest } from '../chat/index.ts';
import { HEADROOM } from '../json/index.ts';
import type { Dialect, Target } from './dialect.ts';
import { findDialect } from './index.ts';

/** A client that wants a whole answer says so in three ways. */
const WHOLE = [{}, { stream: false }, { stream: null, stream_options: null }];
const TARGETS: readonly [dialect: string, model: string, settings?: Record<string, string>][] = [
  ['openai', 'gpt-4o'],
  ['openai', 'mistral-large', { preset: 'mistral' }],
  ['azure', 'my-deployment', { apiVersion: '2024-10-21' }],
  ['azure', 'my-deployment', { apiVersion: '2024-06-01' }],
  ['anthropic', 'claude-sonnet-4'],
  ['gemini', 'gemini-3-pro'],
  ['vertex', 'gemini-3-pro', { project: 'p', location: 'us-east5' }],
  ['vertex', 'claude-sonnet-4', { project: 'p', location: 'us-east5' }],
  ['bedrock', 'anthropic.claude-sonnet-4-v1:0'],
];

function read(fields: object): ChatRequest {
  const body = { model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], temperature: 0.5, ...fields };
  const bytes = Buffer.from(JSON.stringify(body));
  const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
  return readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
}

const target = (dialect: string, model: string, settings: Record<string, string> = {}): Target => ({
  provider: dialect,
  model,
  baseUrl: 'http://127.0.0.1:1',
  credentials: { apiKey: 'k' },
  settings,
  maxOutputTokens: 4_096,
  publisher: '',
});

const encode = (dialect: Dialect, chat: ChatRequest, to: Target): object => {
  const { url, headers, body, warnings } = dialect.encodeChat(chat, to, new Map());
  return { url, headers, body: JSON.parse(body.toString()) as unknown, warnings };
};

describe('a whole answer asked for as a stream', () => {
  for (const [name, model, settings] of TARGETS) {
    it(`goes out as a client's own stream does: ${name}, ${model} ${JSON.stringify(settings ?? {})}`, () => {
      const dialect = findDialect(name);
      assert.ok(dialect);
      const to = target(name, model, settings);
      const streamed = encode(dialect, read({ stream: true, stream_options: { include_usage: true } }), to);
      for (const fields of WHOLE) {
        const chat = read(fields);
        assert.deepEqual(encode(dialect, asStreamed(chat), to), streamed);
        assert.notDeepEqual(encode(dialect, chat, to), streamed, 'the request itself is as it was');
      }
    });
  }
});
