import type OpenAI from 'openai';
import type { Answer } from './answer.ts';
import type { MatrixBench } from './bench.ts';
import type { ProviderName, ProviderRow } from './providers.ts';

/** A chat request without `model` and `stream`; extensions of the gateway are allowed. */
export type Ask = Omit<OpenAI.ChatCompletionCreateParams, 'model' | 'stream'> & Readonly<Record<string, unknown>>;

/** What becomes of a feature at a provider. */
export type Fate =
  /** It does what OpenAI documents, and nothing is warned of. */
  | { readonly kind: 'works' }
  /** It succeeds; what could not be done is named in the warnings, by the beginning of its path. */
  | { readonly kind: 'warns'; readonly path: string }
  /** An error of the caller, before anything is sent. */
  | { readonly kind: 'refuses'; readonly status: number; readonly code: string };

export const WORKS: Fate = { kind: 'works' };
export const warns = (path: string): Fate => ({ kind: 'warns', path });
export const refuses = (code: string, status = 400): Fate => ({ kind: 'refuses', status, code });

export interface Context {
  readonly bench: MatrixBench;
  readonly provider: ProviderRow;
  readonly fate: Fate;
  /** Body of the last request that the provider got. */
  received(): Promise<Readonly<Record<string, unknown>>>;
}

/** One row of the matrix. */
export interface Feature {
  /** Row of the README's table; several features may share one, and then the worst fate shows. */
  readonly row: string | null;
  readonly name: string;
  /** Where it does not simply work. */
  readonly fates?: Readonly<Partial<Record<ProviderName, Fate>>>;
  /** The only providers that the feature is about; default all. */
  readonly only?: readonly ProviderName[];
  /** Runs it and asserts all that its fate promises; throws otherwise. */
  run(context: Context): Promise<void>;
}

export const fateOf = (feature: Feature, provider: ProviderName): Fate => feature.fates?.[provider] ?? WORKS;

/** The same fate for several providers. */
export const each = (names: readonly ProviderName[], fate: Fate): Partial<Record<ProviderName, Fate>> =>
  Object.fromEntries(names.map((name) => [name, fate]));

export const CLAUDES = ['anthropic', 'claude47', 'vertexclaude', 'bedrock'] as const;
export const GEMINIS = ['gemini', 'gemini3', 'vertex'] as const;
export const OPENAIS = ['openai', 'azure', 'local'] as const;

interface Asking {
  readonly row?: string | null;
  readonly name: string;
  readonly fates?: Feature['fates'];
  readonly only?: readonly ProviderName[];
  readonly ask: Ask | ((provider: ProviderRow) => Ask);
  /**
   * The simulator says the same thing in every dialect: what it says to the client's own request in OpenAI's tongue is
   * what must come out of every other, or something was lost on the way. Default true.
   */
  readonly sameAsOpenAi?: boolean;
  /** Of the whole answer; the stream is held to equal it. */
  check?(answer: Answer, context: Context): void | Promise<void>;
  /** Of the provider's request, when the answer shows nothing of it. */
  checkReceived?(body: Readonly<Record<string, unknown>>, context: Context): void;
}

/** A feature that is one request, asked as JSON and as a stream. */
export function asking(definition: Asking): Feature {
  const { row = null, name, fates, only, ask, sameAsOpenAi = true, check, checkReceived } = definition;
  return {
    row,
    name,
    ...(fates === undefined ? {} : { fates }),
    ...(only === undefined ? {} : { only }),
    async run(context) {
      const { bench, provider } = context;
      const body = typeof ask === 'function' ? ask(provider) : ask;
      const answer = await bench.askBoth(context, body);
      if (answer === null) return;
      await check?.(answer, context);
      if (checkReceived) checkReceived(await context.received(), context);
      if (sameAsOpenAi) await bench.assertSaysWhatOpenAiSays(body, answer);
    },
  };
}
