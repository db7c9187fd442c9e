import { PAIRS, type Pair, PROVIDERS, type ProviderName, type Side, upstreamModel } from './providers.ts';
import { type Failed, type Fault, SITUATIONS, type Situation, type Whole } from './table.ts';

/** One situation with one pair of providers, as a stream or whole. */
export interface Run {
  readonly id: string;
  readonly title: string;
  readonly pair: Pair;
  readonly stream: boolean;
  /** What the client asks for: a model of this run alone, so that no other run finds its providers unwell. */
  readonly model: string;
  /** The model with the larger window, on the secondary provider; null where the request names none. */
  readonly fallbackModel: string | null;
  readonly alone: boolean;
  readonly request: Readonly<Record<string, unknown>>;
  readonly sides: Readonly<Record<Side, RunSide>>;
  readonly expected: Whole | Failed;
}

export interface RunSide {
  readonly provider: ProviderName;
  readonly simulator: 0 | 1;
  /** The provider's own name of the model. */
  readonly name: string;
  /** Begins the provider's name of the larger model. */
  readonly fallback: string | null;
  readonly faults: readonly Fault[];
}

export const RUNS: readonly Run[] = SITUATIONS.flatMap((situation, number) =>
  [true, false]
    .filter((stream) => situation.only === undefined || stream === (situation.only === 'stream'))
    .flatMap((stream) => PAIRS.map((pair) => runOf(situation, number, pair, stream))),
);

function runOf(situation: Situation, number: number, pair: Pair, stream: boolean): Run {
  const form = stream ? 'stream' : 'JSON';
  const id = `s${number}-${pair.primary}-${form}`.toLowerCase();
  const alone = situation.secondary === 'none';
  const { fallbackModel, ...request } = situation.request ?? {};
  const larger = fallbackModel ? `larger/${id}` : null;
  const side = (which: Side, faults: readonly Fault[]): RunSide => ({
    provider: pair[which],
    simulator: PROVIDERS[pair[which]].simulator,
    name: upstreamModel(pair[which], id),
    fallback: larger !== null && which === 'secondary' ? `larger-${id}` : null,
    faults,
  });
  return {
    id,
    title: `${situation.name}: ${pair.primary}${alone ? '' : `, then ${pair.secondary}`}, ${form}`,
    pair,
    stream,
    model: `test/${id}`,
    fallbackModel: larger,
    alone,
    request: larger === null ? request : { ...request, models: [larger] },
    sides: {
      primary: side('primary', situation.primary),
      secondary: side('secondary', situation.secondary === 'none' ? [] : (situation.secondary ?? [])),
    },
    expected: situation.expect({
      primary: PROVIDERS[pair.primary],
      secondary: PROVIDERS[pair.secondary],
      stream,
    }),
  };
}
