import { APIError } from 'openai';
import type { Call, Outcome } from '../client.ts';
import type { Question } from './question.ts';

/** What became of one request; `corrupted` and `unclean` must never be. */
export type Verdict =
  | { readonly kind: 'at_once' | 'failed_over' | 'resumed' | 'empty' }
  | { readonly kind: 'clean_error'; readonly code: string }
  | { readonly kind: 'corrupted' | 'unclean' | 'needless_error' | 'hanging'; readonly why: string };

/** What providers' failures come to, and never a 500 of our own. */
const STATUSES = [429, 502, 503, 504];
const REFUSALS = [400, 422];

interface Said {
  readonly text: string;
  readonly calls: readonly Call[];
}

export function judge(question: Question, outcome: Outcome, references: readonly Said[], longestMs: number): Verdict {
  if (outcome.tookMs > longestMs) return { kind: 'hanging', why: `${Math.round(outcome.tookMs)} ms` };
  if (outcome.exchanges.length !== 1) return { kind: 'unclean', why: `${outcome.exchanges.length} exchanges` };
  return outcome.error === null
    ? judgeAnswer(question, outcome, references)
    : judgeError(question, outcome, references);
}

function judgeAnswer(question: Question, outcome: Outcome, references: readonly Said[]): Verdict {
  const { gateway, text, calls } = outcome;
  const [exchange] = outcome.exchanges;
  if (gateway === null) return { kind: 'unclean', why: 'an answer without metadata' };
  if (question.request.stream !== exchange?.raw.endsWith('data: [DONE]\n\n'))
    return { kind: 'unclean', why: 'its end' };
  if (outcome.finishReason === 'content_filter' && question.mayBeRefused)
    return { kind: 'clean_error', code: 'filtered' };
  if (text === '' && calls.length === 0 && question.mayBeEmpty) return { kind: 'empty' };
  const wanted = calls.length > 0 ? 'tool_calls' : 'stop';
  if (outcome.finishReason !== wanted) return { kind: 'corrupted', why: `finish_reason ${outcome.finishReason}` };
  if (!references.some((one) => isSame(one, outcome))) return { kind: 'corrupted', why: 'another answer' };
  if (gateway.resumed) return { kind: 'resumed' };
  return { kind: gateway.routing.totalProviderAttemptCount > 1 ? 'failed_over' : 'at_once' };
}

function judgeError(question: Question, outcome: Outcome, references: readonly Said[]): Verdict {
  const { error } = outcome;
  const raw = outcome.exchanges[0]?.raw ?? '';
  if (!(error instanceof APIError)) return { kind: 'unclean', why: String(error) };
  const { status, code, type } = error;
  if (typeof type !== 'string') return { kind: 'unclean', why: `no type: ${raw.slice(-300)}` };
  if (status === undefined) {
    const frames = raw.split('\n\n').filter((frame) => frame !== '');
    if (!frames.at(-1)?.startsWith('data: {"error":{'))
      return { kind: 'unclean', why: 'the error is not the last frame' };
    if (raw.includes('[DONE]')) return { kind: 'unclean', why: '[DONE] beside an error' };
    if (outcome.finishReason !== null) return { kind: 'corrupted', why: 'a finish reason before an error' };
    if (!references.some((one) => isBeginning(outcome, one))) return { kind: 'corrupted', why: 'no beginning' };
  } else {
    const allowed = question.mayBeRefused ? [...STATUSES, ...REFUSALS] : STATUSES;
    if (!allowed.includes(status)) return { kind: 'unclean', why: `status ${status}: ${raw.slice(-300)}` };
  }
  const name = `${status ?? 'in a stream'} ${code ?? type}`;
  return question.answerable ? { kind: 'needless_error', why: name } : { kind: 'clean_error', code: name };
}

const isSame = (one: Said, other: Said): boolean =>
  one.text === other.text && JSON.stringify(one.calls.map(plain)) === JSON.stringify(other.calls.map(plain));

const isBeginning = (part: Said, whole: Said): boolean =>
  whole.text.startsWith(part.text) &&
  part.calls.every((call, i) => {
    const told = whole.calls[i];
    return told?.name === call.name && told.arguments.startsWith(call.arguments);
  });

const plain = ({ name, arguments: text }: Call): Call => ({ name, arguments: text });
