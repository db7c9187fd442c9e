import assert from 'node:assert/strict';
import { it } from 'node:test';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import { targetOf } from './preparation.ts';
import { planOf } from './scripted.testing.ts';

it('an endpoint knows better than its model what it can put out', () => {
  const limits = [0, 500].map((maxOutputTokens) => endpointEntry(providerEntry('p'), 'up', { maxOutputTokens }));
  const { attempts } = planOf([modelEntry('m', limits, { maxOutputTokens: 8_000 })]);
  assert.deepEqual(
    attempts.map((planned) => targetOf(planned).maxOutputTokens),
    [8_000, 500],
  );
});
