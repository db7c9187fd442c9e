import { readChatRequest } from '../../chat/index.ts';
import { HEADROOM } from '../../json/index.ts';
import type { FetchedMedia } from '../dialect.ts';
import { bedrock } from './dialect.ts';
import { CLAUDE, target } from './play.testing.ts';

export const LLAMA = 'us.meta.llama3-3-70b-instruct-v1:0';
export const SONNET_37 = 'us.anthropic.claude-3-7-sonnet-20250219-v1:0';
export const OPUS_47 = 'us.anthropic.claude-opus-4-7-v1:0';
export const NOVA_2 = 'us.amazon.nova-2-lite-v1:0';
const NO_MEDIA: FetchedMedia = new Map();

export function request(body: object) {
  const bytes = Buffer.from(JSON.stringify({ model: 'a/b', messages: [{ role: 'user', content: 'Hi' }], ...body }));
  const store = Buffer.alloc(HEADROOM + bytes.length + HEADROOM);
  bytes.copy(store, HEADROOM);
  return readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
}

export function encode(body: object, model = CLAUDE, media = NO_MEDIA) {
  const { body: sent, warnings, url, headers } = bedrock.encodeChat(request(body), target(model), media);
  const paths = warnings.map((warning) => warning.split(':')[0]);
  return { sent: JSON.parse(sent.toString()), warnings: paths, url, headers };
}

export const messagesOf = (messages: readonly object[], model = CLAUDE) => encode({ messages }, model).sent.messages;
export const user = (content: unknown) => ({ role: 'user', content });
export const call = (id: string, args = '{}') => ({ id, type: 'function', function: { name: 'f', arguments: args } });
export const tool = (more: object = {}) => ({
  type: 'function',
  function: { name: 'f', parameters: { type: 'object', properties: {} }, ...more },
});
