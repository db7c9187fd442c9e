import type { Random } from './random.ts';

/** What befalls one endpoint, as a simulator's directives. */
export interface DrawnFault {
  readonly directives: string;
  /** `ill`: it gives no whole answer; `mild`: it does, in an odd form; `caller`: it refuses the request, and so would the others. */
  readonly kind: 'ill' | 'mild' | 'caller' | 'empty';
}

type Draw = (random: Random, tokens: number) => string;

const at = (random: Random, tokens: number): number => random.between(0, tokens);

const ILL: readonly Draw[] = [
  () => 'status=500',
  () => 'status=503',
  () => 'status=529',
  () => 'status=408',
  (random) => `status=429 retry-after-ms=${random.between(20, 300)}`,
  () => 'status=429',
  () => 'status=403',
  () => 'status=500 body=%3Chtml%3E',
  () => 'reset=before',
  () => 'reset=after',
  (random, tokens) => `reset=${at(random, tokens)}`,
  () => 'hang',
  () => 'silent',
  () => 'ttft=60000',
  () => 'slow=60000',
  (random, tokens) => `stall=${at(random, tokens - 1)}`,
  (random, tokens) => `stall=${at(random, tokens - 1)}:60000`,
  (random, tokens) => `cut=${at(random, tokens)}`,
  (random, tokens) => `cut=${at(random, tokens - 1)} partial`,
  (random, tokens) => `tear=${at(random, tokens)}`,
  (random, tokens) => `tear=${at(random, tokens - 1)} partial`,
  (random, tokens) => `malformed=${at(random, tokens - 1)}`,
  (random, tokens) => `stream-error=${at(random, tokens)}`,
  (random, tokens) => `split=${random.between(1, 40)} cut=${at(random, tokens)}`,
  () => 'nofinish nodone',
];

/** Still a whole answer. */
const MILD: readonly Draw[] = [
  (random) => `split=${random.between(1, 60)}`,
  () => 'comments',
  () => 'gzip',
  () => 'ttft=100',
  () => 'nodone',
];

const CALLER: readonly Draw[] = [() => 'status=400', () => 'error=content_filter', () => 'error=context_length'];

/** Null: it is well. `tokens`: of its answer. */
export function drawFault(random: Random, tokens: number): DrawnFault | null {
  if (random.chance(0.45)) return null;
  const draw = (kind: DrawnFault['kind'], from: readonly Draw[]): DrawnFault => ({
    kind,
    directives: random.pick(from)(random, tokens),
  });
  if (random.chance(0.12)) return draw('mild', MILD);
  if (random.chance(0.03)) return draw('caller', CALLER);
  if (random.chance(0.03)) return { kind: 'empty', directives: 'empty' };
  return draw('ill', ILL);
}
