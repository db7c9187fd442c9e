import type { Directives } from '../faults/directives.ts';
import { seedOf } from '../text/random.ts';
import { sampleOf } from '../text/sample.ts';
import type { Conversation, Tool } from './conversation.ts';

export interface PlannedCall {
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

/**
 * Which tools the model calls. When it may choose it calls when the last message is the user's and shares a word
 * with a tool's name or description: the tool that shares most, once for each place that the text names ("in Paris and in
 * Rome"). Where it must it calls in any case, where it must not never.
 */
export function planCalls(conversation: Conversation, directives: Directives, seed: number): readonly PlannedCall[] {
  const { turns, toolChoice } = conversation;
  const tools = conversation.tools.filter(({ name }) => toolChoice.only?.includes(name) ?? true);
  const last = turns.at(-1);
  if (tools.length === 0 || toolChoice.mode === 'none') return [];
  const required = toolChoice.mode === 'required';
  const forced = required || (directives.calls ?? 0) > 0;
  const answered = last?.role === 'tool' && directives.calls === undefined;
  if (
    directives.calls === 0 ||
    (answered && !(required && toolChoice.only === undefined)) ||
    (last?.role !== 'user' && !forced)
  )
    return [];

  const text = last?.role === 'user' ? last.text : '';
  const tool = bestMatch(tools, text) ?? (forced ? tools[0] : undefined);
  if (tool === undefined) return [];
  const places = placesIn(text);
  const wanted = directives.calls ?? Math.max(1, places.length);
  const count = conversation.parallelCalls ? wanted : 1;
  return Array.from({ length: count }, (_, index) => ({
    name: tool.name,
    arguments: directives.args ?? argumentsFor(tool, places[index] ?? places[0], seedOf(seed, index)),
  }));
}

function bestMatch(tools: readonly Tool[], text: string): Tool | undefined {
  const said = wordsOf(text);
  let best: Tool | undefined;
  let most = 0;
  for (const tool of tools) {
    const named = wordsOf(`${tool.name} ${tool.description}`);
    const shared = [...named].filter((word) => said.has(word)).length;
    if (shared > most) [best, most] = [tool, shared];
  }
  return best;
}

const smallWords = new Set(
  'the and for you are can has have get set use with from this that what which when where who how its not all any one call tell show tool given user please into about'.split(
    ' ',
  ),
);

function wordsOf(text: string): Set<string> {
  const words =
    text
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .match(/\p{L}{3,}/gu) ?? [];
  return new Set(words.filter((word) => !smallWords.has(word)));
}

/** Capitalised names behind "in", "for" or "and": "in Paris and in New York". */
function placesIn(text: string): string[] {
  const found = text.matchAll(/\b(?:in|for|and)\s+(\p{Lu}[\p{L}'-]*(?:\s+\p{Lu}[\p{L}'-]*)*)/gu);
  return [...new Set([...found].map((match) => match[1] ?? ''))];
}

function argumentsFor(tool: Tool, place: string | undefined, seed: number): string {
  const named = place === undefined ? {} : { location: place, city: place, place, query: place };
  return JSON.stringify(sampleOf({ type: 'object', ...tool.parameters }, { seed, named }));
}
