/**
 * The text of a headgate.yaml (JSON is YAML) with one model on the mock and one key. The key's limits are far above any
 * load here, but they are there: every request that is measured counts against them.
 */
export function configuration(model: string, redisPort: number, mockPort: number, key: string): string {
  const limits = { requestsPerMinute: 1_000_000_000, tokensPerMinute: 1_000_000_000_000, concurrency: 1_000_000 };
  return JSON.stringify(
    {
      server: { host: '127.0.0.1', processes: 1 },
      redis: { url: `redis://127.0.0.1:${redisPort}` },
      auth: { keys: [{ name: 'bench', key, limits }] },
      providers: { mock: { dialect: 'openai', baseUrl: `http://127.0.0.1:${mockPort}/v1`, apiKey: 'none' } },
      models: [{ id: model, type: 'chat', endpoints: [{ provider: 'mock', model: 'mock' }] }],
    },
    undefined,
    2,
  );
}
