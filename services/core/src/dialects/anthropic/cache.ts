import type { CacheControlEphemeral, MessageCreateParams } from '@anthropic-ai/sdk/resources/messages';
import type { Fields } from '../translation/index.ts';

/** The API takes this many breakpoints a request. */
const MOST_MARKS = 4;

type Body = Pick<MessageCreateParams, 'system' | 'tools' | 'messages'>;
interface Markable {
  cache_control?: CacheControlEphemeral | null;
}

/** `caching: auto` (WIRE 2.10): the tools, the system prompt, and the last message; marks of the client's own win. */
export function markAutomatically(body: Body): void {
  if (markables(body).some((block) => block.cache_control)) return;
  const system = Array.isArray(body.system) ? body.system.at(-1) : undefined;
  const last = body.messages.at(-1)?.content;
  const content = Array.isArray(last) ? last.at(-1) : undefined;
  for (const block of [body.tools?.at(-1), system, content]) {
    if (block && isMarkable(block)) block.cache_control = { type: 'ephemeral' };
  }
}

/** More breakpoints than the API takes would be refused: the earliest give way, for later ones cover their prefix too. */
export function limitCacheMarks(body: Body, fields: Fields): void {
  const marked = markables(body).filter((block) => block.cache_control);
  const extra = marked.length - MOST_MARKS;
  if (extra <= 0) return;
  for (const block of marked.slice(0, extra)) delete block.cache_control;
  fields.warn(
    'cache_control',
    `${marked.length} breakpoints given, the provider takes ${MOST_MARKS}; the first ${extra} dropped`,
  );
}

/** In the order in which the API counts its prefix: tools, system, messages. */
function markables(body: Body): Markable[] {
  const blocks: object[] = [...(body.tools ?? [])];
  if (Array.isArray(body.system)) blocks.push(...body.system);
  for (const { content } of body.messages) if (Array.isArray(content)) blocks.push(...content);
  return blocks.filter(isMarkable);
}

/** Thinking cannot carry a mark. */
const isMarkable = (block: object): block is Markable =>
  !('type' in block && (block.type === 'thinking' || block.type === 'redacted_thinking'));
