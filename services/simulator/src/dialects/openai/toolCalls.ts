import type { ChatCompletionCreateParams, ChatCompletionFunctionTool } from 'openai/resources/chat/completions';
import type { Directives } from '../../faults/directives.ts';
import { seedOf } from '../../text/random.ts';
import { sampleOf } from '../../text/sample.ts';
import type { ChatRequest } from './chatRequest.ts';

export interface PlannedCall {
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

/**
 * Which tools the model calls. With `tool_choice: auto` it calls when the last message is the user's and shares a word
 * with a tool's name or description: the tool that shares most, once for each place that the text names ("in Paris and in
 * Rome"). `required` and a named tool call in any case, `none` never.
 */
export function planCalls(request: ChatRequest, directives: Directives, seed: number): readonly PlannedCall[] {
  const { params, turns } = request;
  const tools = allowedTools(params);
  const last = turns.at(-1);
  const choice = params.tool_choice;
  if (tools.length === 0 || choice === 'none') return [];
  const forced =
    choice === 'required' || (typeof choice === 'object' && mustCall(choice)) || (directives.calls ?? 0) > 0;
  const answered = last?.role === 'tool' && directives.calls === undefined;
  if (directives.calls === 0 || (answered && choice !== 'required') || (last?.role !== 'user' && !forced)) return [];

  const text = last?.role === 'user' ? last.text : '';
  const tool = bestMatch(tools, text) ?? (forced ? tools[0] : undefined);
  if (tool === undefined) return [];
  const places = placesIn(text);
  const wanted = directives.calls ?? Math.max(1, places.length);
  const count = params.parallel_tool_calls === false ? 1 : wanted;
  return Array.from({ length: count }, (_, index) => ({
    name: tool.function.name,
    arguments: directives.args ?? argumentsFor(tool, places[index] ?? places[0], seedOf(seed, index)),
  }));
}

function allowedTools({ tools = [], tool_choice: choice }: ChatCompletionCreateParams): ChatCompletionFunctionTool[] {
  const functions = tools.filter((tool) => tool.type === 'function');
  if (typeof choice !== 'object') return functions;
  if (choice.type === 'function') return functions.filter((tool) => tool.function.name === choice.function.name);
  if (choice.type === 'custom') return [];
  const allowed = new Set(choice.allowed_tools.tools.map((tool) => JSON.stringify(tool.function)));
  return functions.filter((tool) => allowed.has(JSON.stringify({ name: tool.function.name })));
}

function mustCall(choice: Exclude<ChatCompletionCreateParams['tool_choice'], string | undefined>): boolean {
  return choice.type === 'allowed_tools' ? choice.allowed_tools.mode === 'required' : true;
}

function bestMatch(tools: readonly ChatCompletionFunctionTool[], text: string): ChatCompletionFunctionTool | undefined {
  const said = wordsOf(text);
  let best: ChatCompletionFunctionTool | undefined;
  let most = 0;
  for (const tool of tools) {
    const named = wordsOf(`${tool.function.name} ${tool.function.description ?? ''}`);
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

function argumentsFor(
  { function: called }: ChatCompletionFunctionTool,
  place: string | undefined,
  seed: number,
): string {
  const named = place === undefined ? {} : { location: place, city: place, place, query: place };
  return JSON.stringify(sampleOf({ type: 'object', ...called.parameters }, { seed, named }));
}
