/** Every values file rendered by every helm, once. */
import assert from 'node:assert/strict';
import { findHelms, type Helm } from './helm.ts';
import { type Manifest, render } from './render.ts';

/** The oldest that Chart.yaml allows, and the newest. */
export const OLDEST_AND_NEWEST = ['1.27.0', '1.36.3-gke.100'];
/** Both sides of the preStop sleep. */
export const AROUND_SLEEP = ['1.29.15', '1.30.0'];

export const { helms, missing } = findHelms();
const [first] = helms;
const rendered = new Map<string, Promise<Manifest[]>>();

export function newest(): Helm {
  assert.ok(first, `no helm: ${missing.join('; ')}`);
  return first;
}

/** What a file in ci/ renders. */
export function rendersOf(name: string, helm: Helm = newest()): Promise<Manifest[]> {
  const key = `${name} ${helm.name}`;
  const known = rendered.get(key) ?? render(helm, { values: name });
  rendered.set(key, known);
  return known;
}
