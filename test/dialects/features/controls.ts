import assert from 'node:assert/strict';
import type { Feature } from '../feature.ts';
import { asking, CLAUDES, each, refuses, WORKS, warns } from '../feature.ts';
import type { ProviderRow } from '../providers.ts';

const user = (content: string) => ({ role: 'user', content }) as const;
const PROFILE = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer' },
    tags: { type: 'array', items: { type: 'string' } },
    address: {
      type: 'object',
      properties: { city: { type: 'string' }, zip: { type: ['string', 'null'] } },
      required: ['city', 'zip'],
      additionalProperties: false,
    },
  },
  required: ['name', 'age', 'tags', 'address'],
  additionalProperties: false,
} as const;

/** What a request may ask of the model beside its messages and tools. */
export const CONTROLS: readonly Feature[] = [
  asking({
    row: 'stop sequences',
    name: 'stop sequences',
    ask: { messages: [user('[[sim text=one%20two%20three]] Count.')], stop: [' three'] },
    check: ({ text, finish }) => {
      assert.equal(text, 'one two');
      assert.equal(finish, 'stop');
    },
  }),
  asking({
    name: 'one stop sequence as a string',
    ask: { messages: [user('[[sim text=one%20two%20three]] Count.')], stop: ' two' },
    check: ({ text }) => assert.equal(text, 'one'),
  }),
  asking({
    row: 'max_tokens, max_completion_tokens',
    name: 'max_tokens -> length',
    ask: { messages: [user('[[sim tokens=40]] Go on and on.')], max_tokens: 7 },
    check: ({ finish, usage }) => {
      assert.equal(finish, 'length');
      assert.equal(usage?.completion_tokens, 7);
    },
  }),
  asking({
    row: 'max_tokens, max_completion_tokens',
    name: 'max_completion_tokens -> length',
    ask: { messages: [user('[[sim tokens=40]] Go on and on.')], max_completion_tokens: 9 },
    check: ({ finish, usage }) => {
      assert.equal(finish, 'length');
      assert.equal(usage?.completion_tokens, 9);
    },
  }),
  asking({
    row: 'temperature, top_p',
    name: 'temperature',
    fates: { claude47: warns('temperature') },
    ask: { messages: [user('Roll a die.')], temperature: 0.5 },
  }),
  asking({
    row: 'temperature, top_p',
    name: 'top_p',
    fates: { claude47: warns('top_p') },
    ask: { messages: [user('Roll a die.')], top_p: 0.5 },
  }),
  asking({
    name: 'temperature and top_p',
    fates: { ...each(CLAUDES, warns('top_p')), claude47: warns('temperature') },
    ask: { messages: [user('Roll a die.')], temperature: 0.5, top_p: 0.5 },
  }),
  asking({
    row: 'temperature above 1',
    name: 'temperature above 1',
    fates: each(CLAUDES, warns('temperature')),
    ask: { messages: [user('Roll a die.')], temperature: 1.5 },
  }),
  asking({
    row: 'seed',
    name: 'seed',
    fates: each(CLAUDES, warns('seed')),
    sameAsOpenAi: false,
    ask: { messages: [user('Roll a die.')], seed: 7 },
  }),
  asking({
    row: 'penalties',
    name: 'frequency and presence penalty',
    fates: each(CLAUDES, warns('frequency_penalty')),
    ask: { messages: [user('Roll a die.')], frequency_penalty: 0.5, presence_penalty: 0.5 },
  }),
  asking({
    name: 'user',
    fates: { gemini: warns('user'), gemini3: warns('user') },
    ask: { messages: [user('Who am I?')], user: 'user-1' },
  }),
  {
    row: 'several choices (n)',
    name: 'n = 2',
    fates: each(CLAUDES, refuses('unsupported_parameter')),
    async run({ bench, provider, fate }) {
      const body = { model: provider.model, n: 2, messages: [user('Roll a die.')] };
      const whole = await bench.post(body);
      const answer = (await whole.json()) as {
        error?: { code: string };
        choices?: { index: number; message: { content: string }; finish_reason: string }[];
      };
      if (fate.kind === 'refuses') {
        assert.deepEqual([whole.status, answer.error?.code], [fate.status, fate.code]);
        return;
      }
      const choices = answer.choices ?? [];
      assert.deepEqual(
        choices.map(({ index, finish_reason: finish }) => [index, finish]),
        [
          [0, 'stop'],
          [1, 'stop'],
        ],
      );
      const { frames } = await bench.frames(provider, { n: 2, messages: [user('Roll a die.')] });
      const said = ['', ''];
      for (const frame of frames.filter((each) => each !== 'data: [DONE]')) {
        const chunk = JSON.parse(frame.replace(/^data: /, '')) as {
          choices: { index: 0 | 1; delta: { content?: string } }[];
        };
        for (const { index, delta } of chunk.choices) said[index] += delta.content ?? '';
      }
      assert.deepEqual(
        said,
        choices.map(({ message }) => message.content),
      );
    },
  },
  asking({
    row: 'response_format json_schema',
    name: 'json_schema',
    ask: {
      messages: [user('Make somebody up.')],
      response_format: { type: 'json_schema', json_schema: { name: 'profile', strict: true, schema: PROFILE } },
    },
    check: ({ text, finish, calls }) => {
      const { name, age, tags, address } = JSON.parse(text ?? '');
      assert.equal(typeof name, 'string');
      assert.ok(Number.isInteger(age) && Array.isArray(tags) && typeof address.city === 'string');
      assert.equal(finish, 'stop');
      assert.deepEqual(calls, []);
    },
  }),
  asking({
    name: 'json_schema with objects that are open',
    fates: each(CLAUDES, warns('response_format.json_schema.schema.properties.notes.additionalProperties')),
    ask: {
      messages: [user('Make somebody up.')],
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'profile',
          description: 'Somebody',
          schema: {
            type: 'object',
            properties: { name: { type: 'string' }, notes: { type: ['object', 'null'], additionalProperties: true } },
            required: ['name'],
          },
        },
      },
    },
    sameAsOpenAi: false,
    check: ({ text }) => assert.equal(typeof JSON.parse(text ?? '').name, 'string'),
  }),
  asking({
    row: 'response_format json_object',
    name: 'json_object',
    // Claude has no such mode: it is told to, which the simulator does not read.
    sameAsOpenAi: false,
    ask: { messages: [user('Answer in JSON: who are you?')], response_format: { type: 'json_object' } },
    check: ({ text, finish }, { provider }) => {
      if (provider.family !== 'claude') assert.equal(typeof JSON.parse(text ?? ''), 'object');
      assert.equal(finish, 'stop');
    },
    checkReceived: (body, { provider }) => {
      if (provider.family === 'claude') assert.match(JSON.stringify(body.system), /one JSON object/);
    },
  }),
  asking({
    name: 'response_format text',
    ask: { messages: [user('Say something.')], response_format: { type: 'text' } },
  }),
  {
    row: 'the provider’s own fields (`providerOptions`)',
    name: 'providerOptions.<provider> reaches the provider as its own fields',
    async run(context) {
      const { bench, provider } = context;
      const [own, check] = OWN_FIELDS[provider.dialect === 'bedrock' ? 'bedrock' : provider.family];
      const answer = await bench.askBoth(
        { ...context, fate: WORKS },
        { messages: [user('Roll a die.')], providerOptions: { [provider.name]: own } },
      );
      assert.ok(answer);
      check(await context.received());
    },
  },
  {
    row: '`strict`: refuses what would be warned of',
    name: 'strict refuses what would be dropped',
    async run({ bench, provider }) {
      const body = {
        model: provider.model,
        messages: [{ ...user('Hello.'), cache_control: { type: 'ephemeral' } }],
        verbosity: 'low',
        logit_bias: { 50256: -100 },
        providerOptions: { gateway: { strict: true } },
      };
      const response = await bench.post(body);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      assert.deepEqual([response.status, error.code], [400, 'unsupported_parameter'], error.message);
    },
  },
];

type Body = Readonly<Record<string, unknown>>;

const OWN_FIELDS: Readonly<Record<ProviderRow['family'] | 'bedrock', readonly [Body, (received: Body) => void]>> = {
  openai: [{ verbosity: 'low' }, ({ verbosity }) => assert.equal(verbosity, 'low')],
  claude: [{ metadata: { user_id: 'own' } }, ({ metadata }) => assert.deepEqual(metadata, { user_id: 'own' })],
  bedrock: [
    { additionalModelRequestFields: { top_k: 5 } },
    ({ additionalModelRequestFields: fields }) => assert.equal((fields as Body).top_k, 5),
  ],
  gemini: [{ generationConfig: { topK: 5 } }, ({ generationConfig: config }) => assert.equal((config as Body).topK, 5)],
};
