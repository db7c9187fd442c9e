import type { Provider, Side } from './providers.ts';
import { retryAfter, scaled } from './timing.ts';

/** Tokens of every answer; faults on the way strike after 40 of them. */
export const TOKENS = 60;
/** Nobody waits longer for an answer; real milliseconds, as all times here that stand inside `scaled`. */
export const REQUEST_TIMEOUT_MS = 60_000;

/** A simulator's directives, and for how many requests; the first that is not used up holds. */
export interface Fault {
  readonly fault: Readonly<Record<string, unknown>>;
  readonly times?: number;
}

/** One attempt as metadata shows it: whose, and its status; `ok`: it answered, `none`: no status came, `late`: our own limit ended it. */
export type AttemptSeen = readonly [side: Side, how: number | 'ok' | 'none' | 'late'];

export interface Whole {
  readonly kind: 'whole';
  readonly attempts: readonly AttemptSeen[];
  /** In place of them where the whole text ends in the middle of a sentence, as texts of the simulator may. */
  readonly attemptsInMidSentence?: readonly AttemptSeen[];
  readonly resumed?: boolean;
  readonly finishReason?: string;
  /** The larger model answers, which the client named as a fallback. */
  readonly byFallbackModel?: boolean;
  /** The provider refused to say anything. */
  readonly silent?: boolean;
  /** The provider did not tell what it used. */
  readonly estimated?: boolean;
  /** It took at least so long, real milliseconds. */
  readonly least?: number;
}

export interface Failed {
  readonly kind: 'failed';
  /** Absent: the status was 200 already, and the error is the last frame of the stream. */
  readonly status?: number;
  /** The SDK's class. */
  readonly thrown: string;
  readonly type: string;
  /** Absent: whatever the provider said. */
  readonly code?: string;
  /** Requests that each provider received, the SDK's own retries included. */
  readonly received: Readonly<Record<Side, number>>;
  readonly least?: number;
}

export interface Situation {
  readonly name: string;
  readonly primary: readonly Fault[];
  /** Default: well. `none`: the model has no second endpoint. */
  readonly secondary?: readonly Fault[] | 'none';
  /** Further members of the request; `fallbackModel` stands for a model with a larger window on the secondary provider. */
  readonly request?: Readonly<Record<string, unknown>> & { readonly fallbackModel?: true };
  /** Default both. */
  readonly only?: 'stream' | 'json';
  expect(run: Circumstances): Whole | Failed;
}

export interface Circumstances {
  readonly primary: Provider;
  readonly secondary: Provider;
  readonly stream: boolean;
}

const always = (fault: Fault['fault']): readonly Fault[] => [{ fault }];
const once = (fault: Fault['fault']): readonly Fault[] => [{ fault, times: 1 }];

const whole = (...attempts: readonly AttemptSeen[]): Whole => ({ kind: 'whole', attempts });
/** The second provider writes the whole answer; a stream goes on where it broke. */
const takenUp = (stream: boolean, how: 200 | 'late'): Whole => ({
  ...whole(['primary', how], ['secondary', 'ok']),
  resumed: stream,
});
const failed = (status: number, thrown: string, type: string, code: string, primary: number): Failed => ({
  kind: 'failed',
  status,
  thrown,
  type,
  code,
  received: { primary, secondary: 0 },
});
/** The stream ends with an error that says why, and nobody could go on. */
const brokenOff = (code: string, type: string, received: Failed['received']): Failed => ({
  kind: 'failed',
  thrown: 'APIError',
  type,
  code,
  received,
});

const LIMITED = { status: 429, ...retryAfter(2_000) };
const tooMany: Failed = {
  kind: 'failed',
  status: 429,
  thrown: 'RateLimitError',
  type: 'rate_limit_exceeded',
  received: { primary: 6, secondary: 0 },
};
const tooLong = failed(400, 'BadRequestError', 'invalid_request_error', 'context_length_exceeded', 1);

/** The situations of DESIGN 6, but for the outage, which takes many requests, and the bill, which is looked at in each. */
export const SITUATIONS: readonly Situation[] = [
  {
    name: '429 with Retry-After 2',
    primary: once(LIMITED),
    expect: () => whole(['primary', 429], ['secondary', 'ok']),
  },
  {
    name: '429 with Retry-After 2, and no second provider',
    primary: once(LIMITED),
    secondary: 'none',
    expect: () => ({ ...whole(['primary', 429], ['primary', 'ok']), least: 2_000 }),
  },
  {
    name: '429 for ever',
    primary: always(LIMITED),
    expect: () => whole(['primary', 429], ['secondary', 'ok']),
  },
  {
    name: '429 for ever, and no second provider',
    primary: always(LIMITED),
    secondary: 'none',
    expect: () => ({ ...tooMany, least: 10_000 }),
  },
  {
    name: '429 for ever from both providers',
    primary: always(LIMITED),
    secondary: always(LIMITED),
    expect: () => ({ ...tooMany, received: { primary: 3, secondary: 3 } }),
  },
  {
    name: '429 once from both providers',
    primary: once({ status: 429, ...retryAfter(8_000) }),
    secondary: once(LIMITED),
    expect: () => ({ ...whole(['primary', 429], ['secondary', 429], ['secondary', 'ok']), least: 2_000 }),
  },
  {
    name: '500 once',
    primary: once({ status: 500 }),
    expect: () => whole(['primary', 500], ['primary', 'ok']),
  },
  {
    name: '503 for ever',
    primary: always({ status: 503 }),
    expect: () => whole(['primary', 503], ['primary', 503], ['secondary', 'ok']),
  },
  {
    name: '503 for ever, and no second provider',
    primary: always({ status: 503 }),
    secondary: 'none',
    expect: () => ({
      kind: 'failed',
      status: 503,
      thrown: 'InternalServerError',
      type: 'service_unavailable',
      received: { primary: 2, secondary: 0 },
    }),
  },
  {
    name: 'TCP reset before the headers',
    primary: always({ reset: 'before' }),
    expect: () => whole(['primary', 'none'], ['primary', 'none'], ['secondary', 'ok']),
  },
  {
    name: 'TCP reset once',
    primary: once({ reset: 'before' }),
    expect: () => whole(['primary', 'none'], ['primary', 'ok']),
  },
  {
    name: 'TCP reset after the headers',
    primary: always({ reset: 'after' }),
    expect: () => whole(['primary', 200], ['primary', 200], ['secondary', 'ok']),
  },
  {
    name: 'TCP reset after 40 of 60 tokens',
    primary: always({ reset: 40 }),
    expect: ({ stream }) => takenUp(stream, 200),
  },
  {
    name: 'a provider that never answers',
    primary: always({ hang: true }),
    expect: () => whole(['primary', 'late'], ['secondary', 'ok']),
  },
  {
    name: 'a provider that never answers, and no second one',
    primary: always({ hang: true }),
    secondary: 'none',
    expect: () => ({
      ...failed(504, 'InternalServerError', 'upstream_timeout', 'deadline_exceeded', 1),
      least: REQUEST_TIMEOUT_MS,
    }),
  },
  {
    name: 'headers, and then nothing',
    primary: always({ silent: true }),
    expect: () => whole(['primary', 'late'], ['secondary', 'ok']),
  },
  {
    name: 'first token after 20 s',
    primary: always({ ttft: scaled(20_000) }),
    expect: () => whole(['primary', 'late'], ['secondary', 'ok']),
  },
  {
    name: 'first token after 20 s, and no second provider',
    primary: always({ ttft: scaled(20_000) }),
    secondary: 'none',
    expect: () => ({ ...whole(['primary', 'ok']), least: 20_000 }),
  },
  {
    name: 'stream cut after 40 of 60 tokens',
    primary: always({ cut: 40 }),
    expect: ({ stream }) => takenUp(stream, 200),
  },
  {
    name: 'stream torn off after 40 of 60 tokens, within an event',
    primary: always({ tear: 40, partial: true }),
    expect: ({ stream }) => takenUp(stream, 200),
  },
  {
    name: 'stream cut after 40 of 60 tokens, and no second provider',
    primary: always({ cut: 40 }),
    secondary: 'none',
    only: 'stream',
    expect: () => brokenOff('stream_broken', 'upstream_error', { primary: 1, secondary: 0 }),
  },
  {
    name: 'stream cut after 40 of 60 tokens, once, resume: always, and no second provider',
    primary: once({ cut: 40 }),
    secondary: 'none',
    only: 'stream',
    request: { providerOptions: { gateway: { resume: 'always' } } },
    expect: () => ({ ...whole(['primary', 200], ['primary', 'ok']), resumed: true }),
  },
  {
    name: 'stream cut after 40 of 60 tokens, resume: off',
    primary: always({ cut: 40 }),
    only: 'stream',
    request: { providerOptions: { gateway: { resume: 'off' } } },
    expect: () => brokenOff('stream_broken', 'upstream_error', { primary: 1, secondary: 0 }),
  },
  {
    name: 'stream stalled for 30 s',
    primary: always({ stall: `40:${scaled(30_000)}` }),
    expect: ({ stream }) => takenUp(stream, 'late'),
  },
  {
    name: 'stream stalled for 30 s, and no second provider',
    primary: always({ stall: `40:${scaled(30_000)}` }),
    secondary: 'none',
    only: 'stream',
    expect: () => brokenOff('stream_stalled', 'upstream_timeout', { primary: 1, secondary: 0 }),
  },
  {
    name: 'a malformed chunk',
    primary: always({ malformed: 40 }),
    // An answer of Google's that cannot be read gets a second try while nothing has been sent.
    expect: ({ stream, primary }) =>
      !stream && primary.dialect === 'gemini'
        ? whole(['primary', 200], ['primary', 200], ['secondary', 'ok'])
        : takenUp(stream, 200),
  },
  {
    name: 'an error event after 40 of 60 tokens',
    primary: always({ 'stream-error': 40 }),
    // It says that it is overloaded: as long as nothing has been sent that is worth a second try.
    expect: ({ stream }) =>
      stream ? takenUp(stream, 200) : whole(['primary', 200], ['primary', 200], ['secondary', 'ok']),
  },
  {
    name: 'a stream without [DONE]',
    primary: always({ nodone: true }),
    // Bedrock tells the usage in its last event.
    expect: ({ primary }) => ({ ...whole(['primary', 'ok']), estimated: primary.dialect === 'bedrock' }),
  },
  {
    name: 'a stream without finish reason and [DONE]',
    primary: always({ nofinish: true, nodone: true }),
    // Who is given the whole text has nothing to add: where that looks like half a sentence, it proves the end by repeating it.
    expect: ({ stream, secondary }) => ({
      ...takenUp(stream, 200),
      ...(stream && secondary.continues
        ? { attemptsInMidSentence: whole(['primary', 200], ['secondary', 200], ['secondary', 'ok']).attempts }
        : {}),
    }),
  },
  {
    name: 'context-length rejection',
    primary: always({ error: 'context_length' }),
    expect: () => tooLong,
  },
  {
    name: 'context-length rejection, with a model of a larger window to fall back to',
    primary: always({ error: 'context_length' }),
    request: { fallbackModel: true },
    expect: () => ({ ...whole(['primary', 400], ['secondary', 'ok']), byFallbackModel: true }),
  },
  {
    name: 'content-filter rejection',
    primary: always({ error: 'content_filter' }),
    // Google answers, and says nothing.
    expect: ({ primary }) =>
      primary.dialect === 'gemini'
        ? { ...whole(['primary', 'ok']), finishReason: 'content_filter', silent: true }
        : failed(400, 'BadRequestError', 'invalid_request_error', 'content_filter', 1),
  },
  {
    name: 'an answer that the provider filters',
    primary: always({ finish: 'content_filter' }),
    expect: () => ({ ...whole(['primary', 'ok']), finishReason: 'content_filter' }),
  },
  {
    name: 'a cut whose fallback rejects prefill',
    primary: always({ cut: 40 }),
    secondary: always({ prefill: 'reject' }),
    expect: ({ stream, secondary }) =>
      stream && secondary.continues
        ? { ...whole(['primary', 200], ['secondary', 400], ['secondary', 'ok']), resumed: true }
        : takenUp(stream, 200),
  },
  {
    name: 'a cut whose fallback rejects prefill, and says something else',
    primary: always({ cut: 40 }),
    secondary: always({ prefill: 'reject', salt: 'other' }),
    only: 'stream',
    expect: ({ secondary }) =>
      brokenOff('stream_broken', 'upstream_error', { primary: 1, secondary: secondary.continues ? 2 : 1 }),
  },
  {
    name: 'both providers break off',
    primary: always({ cut: 40 }),
    secondary: always({ cut: 50 }),
    only: 'stream',
    expect: () => brokenOff('stream_broken', 'upstream_error', { primary: 1, secondary: 1 }),
  },
];
