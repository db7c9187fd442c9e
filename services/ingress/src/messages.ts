import type { MetricsSnapshot } from '@headgate/core/telemetry';

/** What the primary process and its workers tell each other. */
export type ToWorker =
  | { readonly type: 'drain' }
  | { readonly type: 'measure'; readonly id: number }
  | { readonly type: 'scrape'; readonly id: number; readonly text: string };

export type ToPrimary =
  | { readonly type: 'listening' }
  | { readonly type: 'measured'; readonly id: number; readonly snapshot: MetricsSnapshot }
  | { readonly type: 'scrape'; readonly id: number };

/** Messages of another origin (node's own cluster messages) are not ours. */
export function isMessage<T extends ToWorker | ToPrimary>(value: unknown): value is T {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
