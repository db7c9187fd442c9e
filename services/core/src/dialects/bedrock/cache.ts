import type { CachePointBlock, ContentBlock, SystemContentBlock, Tool } from '@aws-sdk/client-bedrock-runtime';
import type { CacheMark } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';
import { cachesTools, takesCachePoints, takesLongTtl } from './models.ts';

/** The service takes this many a request. */
const MOST_POINTS = 4;

/** The end of a cacheable prefix, as a block. */
export interface CachePoint {
  readonly cachePoint: CachePointBlock;
}

interface Cacheable {
  readonly tools: Tool[];
  readonly system: SystemContentBlock[];
  readonly messages: readonly { readonly content: ContentBlock[] }[];
}

/** The end of a cacheable prefix, behind the block that was marked. Null, with a warning, for a model that caches by itself or not at all. */
export function cachePoint({ ttl }: CacheMark, model: string, path: string, fields: Fields): CachePoint | null {
  if (!takesCachePoints(model)) {
    fields.warn(`${path}.cache_control`, 'not taken by the model, dropped');
    return null;
  }
  if (ttl === null || ttl === '5m') return { cachePoint: { type: 'default' } };
  if (ttl === '1h' && takesLongTtl(model)) return { cachePoint: { type: 'default', ttl: '1h' } };
  fields.warn(`${path}.cache_control.ttl`, `${ttl} is not offered for this model, 5m used`);
  return { cachePoint: { type: 'default' } };
}

/** `caching: auto` (WIRE 2.10): behind the tools, the system prompt and the last message; marks of the client's own win. */
export function pointAutomatically({ tools, system, messages }: Cacheable, model: string): void {
  if (!takesCachePoints(model) || [...lists({ tools, system, messages })].some((list) => list.some(isPoint))) return;
  const point = { cachePoint: { type: 'default' as const } };
  if (tools.length > 0 && cachesTools(model)) tools.push(point);
  if (system.length > 0) system.push(point);
  messages.at(-1)?.content.push(point);
}

/** More points than the service takes would be refused: the earliest give way, for later ones cover their prefix, too. */
export function limitCachePoints(body: Cacheable, fields: Fields): void {
  const all = [...lists(body)];
  const given = all.reduce((sum, list) => sum + list.filter(isPoint).length, 0);
  let extra = given - MOST_POINTS;
  if (extra <= 0) return;
  fields.warn(
    'cache_control',
    `${given} breakpoints given, the provider takes ${MOST_POINTS}; the first ${extra} dropped`,
  );
  for (const list of all) {
    for (let at = list.findIndex(isPoint); at >= 0 && extra > 0; at = list.findIndex(isPoint)) {
      list.splice(at, 1);
      extra--;
    }
  }
}

type Block = Tool | SystemContentBlock | ContentBlock;

/** In the order of the prefix: tools, system, messages. */
function* lists({ tools, system, messages }: Cacheable): Generator<Block[]> {
  yield tools;
  yield system;
  for (const { content } of messages) yield content;
}

const isPoint = (block: Block): boolean => block.cachePoint !== undefined;
