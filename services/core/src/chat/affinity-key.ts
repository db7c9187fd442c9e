import { crc32 } from 'node:zlib';
import { findMember, skipSpace, valueEnd } from '../json/index.ts';
import type { RoutingOptions } from '../routing/index.ts';
import type { ChatRequest } from './request.ts';

/** Providers cache no shorter prompts: about 1024 tokens. */
const LEAST_BYTES = 4_096;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;

/**
 * A number for the beginning that a prompt shares with others of its conversation or application, which the provider that
 * served it last has cached: the caller's own key, OpenAI's `prompt_cache_key`, else the tools and the first messages that
 * together are long enough. Null where nothing is gained. Not cryptographic: a collision sends a prompt elsewhere, no more.
 */
export function affinityKey(request: ChatRequest, { affinity }: RoutingOptions): number | null {
  if (affinity === 'off') return null;
  if (typeof affinity === 'object') return crc32(affinity.key, SALT_OWN);
  const { prompt_cache_key: key } = request.outline;
  if (typeof key === 'string' && key !== '') return crc32(key, SALT_OPENAI);
  return request.body.length < LEAST_BYTES ? null : prefixHash(request);
}

/** Keys of different kinds do not meet. */
const SALT_OWN = 1;
const SALT_OPENAI = 2;

/** CRC-32 of the bytes as they are sent: a client that writes the same prompt writes it alike. */
function prefixHash({ body, members }: ChatRequest): number | null {
  const bytes = body.original();
  const tools = findMember(members, 'tools');
  const messages = findMember(members, 'messages');
  if (!messages) return null;
  let length = tools ? tools.end - tools.valueStart : 0;
  let at = skipSpace(bytes, messages.valueStart + 1);
  const start = at;
  let end = at;
  while (at < messages.end && bytes[at] !== CLOSE_BRACKET) {
    end = valueEnd(bytes, at);
    length += end - at;
    if (length >= LEAST_BYTES) break;
    at = skipSpace(bytes, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  if (length < LEAST_BYTES) return null;
  const hash = tools ? crc32(bytes.subarray(tools.valueStart, tools.end)) : 0;
  return crc32(bytes.subarray(start, end), hash);
}
