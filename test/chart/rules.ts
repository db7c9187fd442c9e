/** The alerts as Prometheus gets them. */
import type { Manifest } from './render.ts';
import { only } from './shapes.ts';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

export const rulesOf = (manifests: readonly Manifest[]): Rules => only(manifests, 'PrometheusRule').spec as Rules;

export const alertsOf = (manifests: readonly Manifest[]): Alert[] =>
  rulesOf(manifests).groups.flatMap(({ rules }) => rules);
