import { completionTokens, promptTokens, type Usage } from '../chat/index.ts';
import { type ChatAnswer, type ToldDelta, Transcript } from '../dialects/index.ts';
import { type Countable, type TokenCounter, tokenScale, tokensOfBytes } from '../tokens/index.ts';
import type { Attempt } from './attempt.ts';
import { targetOf } from './preparation.ts';

/** What a provider had said of an answer until it broke off, apart from what it thought. */
interface Said {
  readonly texts: readonly string[];
  readonly thoughts: readonly string[];
  readonly lost: number;
}

/**
 * What an attempt that is over, but did not come to its end, has used: what its provider told until then, and where it told
 * nothing, counted tokens of the request and of what was said. Thoughts that nobody was shown are not in it, and neither is
 * what was under way. An answer that was not streamed is counted by its length, as far as it has come.
 */
export async function estimateUsage(
  attempt: Attempt,
  counter: TokenCounter,
  answer: ChatAnswer | null = null,
): Promise<Usage> {
  const { dialect, planned, output } = attempt;
  const said = answer === null ? attempt.said : saidIn(answer);
  const told = output?.decoder.progress.usage ?? null;
  if (told !== null && dialect.usageRuns?.(targetOf(planned)) === true) return told;
  const { texts, thoughts, lost } = read(said);
  const hasPrompt = told !== null && promptTokens(told) > 0;
  const job: Countable = { prompt: hasPrompt ? null : promptOf(attempt), texts: [...texts, ...thoughts] };
  const counted = await counter.count(job);
  const scale = tokenScale(planned.endpoint.model);
  const sum = (tokens: readonly number[]): number => Math.ceil(tokens.reduce((a, b) => a + b, 0) * scale);
  const usage: Usage = {
    uncachedInput: sum([counted.prompt]),
    cacheRead: null,
    cacheWrite: null,
    output:
      sum(counted.texts.slice(0, texts.length)) + tokensOfBytes(answer === null ? lost + attempt.answerBytes : lost),
    reasoning: thoughts.length === 0 ? null : sum(counted.texts.slice(texts.length)),
  };
  if (told === null) return usage;
  // A provider's first word on its output is not its last.
  const moreOutput = completionTokens(usage) > completionTokens(told);
  const { output: visible, reasoning } = moreOutput ? usage : told;
  return hasPrompt ? { ...told, output: visible, reasoning } : { ...usage, output: visible, reasoning };
}

/** A copy that can be given away: large bodies are written anew in place for the next attempt. */
function promptOf({ asked }: Attempt): Uint8Array<ArrayBuffer> {
  const original = asked.body.original();
  const copy = new Uint8Array(original.length);
  copy.set(original);
  return copy;
}

interface Message extends ToldDelta {
  readonly tool_calls?: readonly object[] | null;
}

function saidIn(answer: ChatAnswer): Transcript {
  const said = new Transcript();
  const { choices } = JSON.parse(answer.render({ json: '{}', atTop: false }).toString('utf8')) as {
    choices: readonly { readonly index?: number; readonly message?: Message | null }[];
  };
  for (const { index = 0, message } of choices) {
    if (!message) continue;
    const { tool_calls, ...others } = message;
    // In a stream they would have numbers.
    const calls = Array.isArray(tool_calls) ? { tool_calls: tool_calls.map((call, i) => ({ ...call, index: i })) } : {};
    said.delta(index, { ...others, ...calls });
  }
  return said;
}

function read(said: Transcript | null): Said {
  const texts: string[] = [];
  const thoughts: string[] = [];
  for (const choice of said?.choices.values() ?? []) {
    texts.push(choice.content, choice.refusal);
    for (const { name, arguments: given } of choice.calls.values()) texts.push(name, given);
    // The same thoughts are told in both ways, or in one of them.
    const details = [...choice.details.values()].map(({ text }) => text).join('');
    thoughts.push(details.length > choice.reasoning.length ? details : choice.reasoning);
  }
  return { texts: texts.filter(isSaid), thoughts: thoughts.filter(isSaid), lost: said?.lost ?? 0 };
}

const isSaid = (text: string): boolean => text !== '';
