import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MatrixBench } from './bench.ts';
import { type Feature, fateOf } from './feature.ts';
import { FEATURES } from './matrix.ts';
import { matrixConfig, PROVIDERS, type ProviderRow } from './providers.ts';

let bench: MatrixBench;

before(async () => {
  bench = await MatrixBench.start();
});
after(() => bench?.stop());

describe('every feature at every provider', { concurrency: 7 }, () => {
  for (const provider of PROVIDERS) {
    describe(provider.title, { concurrency: 1 }, () => {
      for (const feature of FEATURES) if (feature.only?.includes(provider.name) ?? true) prove(feature, provider);
    });
  }
});

function prove(feature: Feature, provider: ProviderRow): void {
  const fate = fateOf(feature, provider.name);
  const told = fate.kind === 'works' ? '' : ` (${fate.kind})`;
  test(`${feature.name}${told}`, () =>
    feature.run({ bench, provider, fate, received: () => bench.received(provider) }));
}

describe('URLs of clients that lead into the gateway’s own network', () => {
  before(() => bench.stack.reconfigure(matrixConfig(bench.stack.simulators, { allowPrivateFileUrls: false })));

  const fetching = PROVIDERS.filter(({ dialect }) => ['gemini', 'vertex', 'bedrock'].includes(dialect));
  for (const provider of fetching) {
    test(`${provider.title}: are a clear 400 and are not fetched`, async () => {
      const asked = bench.media.asked.length;
      const { port } = new URL(bench.media.url('/'));
      for (const host of ['127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '0.0.0.0']) {
        for (const stream of [false, true]) {
          const response = await bench.post({
            model: provider.model,
            stream,
            messages: [
              {
                role: 'user',
                content: [{ type: 'image_url', image_url: { url: `http://${host}:${port}/image.png` } }],
              },
            ],
          });
          const { error } = (await response.json()) as { error: { code: string; message: string } };
          assert.deepEqual([response.status, error.code], [400, 'invalid_file_url'], host);
          assert.match(error.message, /not a public address/);
        }
      }
      assert.equal(bench.media.asked.length, asked, 'nothing was fetched');
    });
  }
});
