import type { EndpointEntry, ModelEntry } from '../catalog/index.ts';
import { CallerAccounts } from './byok.ts';
import { type EndpointHealth, type HealthView, isCooling, isOpen } from './endpoint-health.ts';
import type { PlannedAttempt } from './plan.ts';
import type { RoutingOptions } from './request.ts';
import type { Ranked } from './weights.ts';

/** An endpoint in its place among all models. */
export interface Place extends Ranked {
  readonly model: ModelEntry;
}

interface Draft {
  readonly attempt: PlannedAttempt;
  /** Of the catalog's endpoint, also where the attempt has a copy. */
  readonly health: EndpointHealth | undefined;
  /** Why it goes last; null: it is well. */
  readonly unwell: string | null;
}

export interface Ordered {
  readonly attempts: readonly PlannedAttempt[];
  readonly permits: readonly string[];
  readonly wanted: readonly string[];
  /** Providers of attempts that went last because they are unwell and passed one that is well. */
  readonly deprioritized: readonly string[];
}

/** The attempts: with each credential, and those at unwell endpoints behind all others, also those of fallback models. */
export function attemptsOf(places: readonly Place[], options: RoutingOptions, health: HealthView): Ordered {
  const accounts = new CallerAccounts(options.byok);
  const drafts = places.flatMap((place) => draftsOf(place, accounts, options, health));
  const firstWell = drafts.findIndex(isWellThrough);
  const front = firstWell < 0 ? drafts : drafts.slice(0, firstWell);
  const lastWell = drafts.findLastIndex(({ unwell }) => unwell === null);
  return {
    attempts: [
      ...drafts.filter(({ unwell }) => unwell === null).map(({ attempt }) => attempt),
      ...drafts.flatMap(({ attempt, unwell }) =>
        unwell === null ? [] : [{ ...attempt, reason: `${attempt.reason}; last: ${unwell}` }],
      ),
    ],
    permits: keysOf(front, ({ unwell, health: of }) => unwell === null && of?.breaker === 'half_open'),
    wanted: keysOf(front, ({ health: of }) => of?.breaker === 'open' && of.probeDue),
    deprioritized: [
      ...new Set(
        drafts
          .slice(0, lastWell + 1)
          .filter(({ unwell }) => unwell !== null)
          .map(({ attempt }) => attempt.endpoint.provider.name),
      ),
    ],
  };
}

/** The caller's accounts in turn, then the gateway's own. */
function draftsOf(
  { model, endpoint, reason }: Place,
  accounts: CallerAccounts,
  options: RoutingOptions,
  view: HealthView,
): Draft[] {
  const health = view.of(endpoint.key);
  const broken = isOpen(health) ? 'its breaker is open' : null;
  const planned = (
    of: EndpointEntry,
    credentialType: PlannedAttempt['credentialType'],
    why: string,
  ): PlannedAttempt => {
    const firstTokenMs = firstTokenWish(options, endpoint.provider.name);
    if (firstTokenMs === undefined) return { model, endpoint: of, credentialType, firstTokenBinds: false, reason: why };
    const timed = { ...of, timeouts: { ...of.timeouts, firstTokenMs } };
    return { model, endpoint: timed, credentialType, firstTokenBinds: true, reason: why };
  };
  return [
    // A cool-down is the gateway's own credential's.
    ...accounts
      .endpoints(endpoint, model.id)
      .map((of) => ({ attempt: planned(of, 'byok', `${reason}, own credential`), health, unwell: broken })),
    {
      attempt: planned(endpoint, 'system', reason),
      health,
      unwell: broken ?? (isCooling(health, view.now) ? 'it cools down' : null),
    },
  ];
}

function firstTokenWish({ providerTimeouts }: RoutingOptions, provider: string): number | undefined {
  const wishes = providerTimeouts?.byok;
  return wishes && Object.hasOwn(wishes, provider) ? wishes[provider] : undefined;
}

const isWellThrough = ({ unwell, health }: Draft): boolean => unwell === null && health?.breaker !== 'half_open';

/** Of the gateway's own attempts: outcomes with a caller's credential are not told to health. */
const keysOf = (drafts: readonly Draft[], which: (draft: Draft) => boolean): string[] => [
  ...new Set(
    drafts
      .filter((draft) => draft.attempt.credentialType === 'system' && which(draft))
      .map(({ attempt }) => attempt.endpoint.key),
  ),
];
