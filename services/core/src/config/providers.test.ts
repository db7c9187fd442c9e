import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultBaseUrl } from './providers.ts';

describe('where Vertex is', () => {
  const places: [string, string][] = [
    ['us-east5', 'https://us-east5-aiplatform.googleapis.com'],
    ['global', 'https://aiplatform.googleapis.com'],
    ['eu', 'https://aiplatform.eu.rep.googleapis.com'],
    ['us', 'https://aiplatform.us.rep.googleapis.com'],
  ];
  for (const [location, expected] of places) {
    it(location, () => assert.equal(defaultBaseUrl('vertex', 'vertex', { location }), expected));
  }

  it('nobody knows without a location', () => assert.equal(defaultBaseUrl('vertex', 'vertex', {}), null));
});
