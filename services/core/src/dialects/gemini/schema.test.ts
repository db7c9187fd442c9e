import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeJsonSchema, encodeParameters } from './schema.ts';

type Raw = Record<string, unknown>;

/** One property's schema as Gemini's `parameters` have it. */
const own = (property: unknown): unknown => {
  const { schema } = encodeParameters({ type: 'object', properties: { p: property } }, 'x');
  assert.ok(
    'parameters' in schema && schema.parameters,
    `not said in Gemini's own language: ${JSON.stringify(schema)}`,
  );
  return schema.parameters.properties?.p;
};

/** One property's schema, where it takes JSON Schema. */
const json = (property: unknown): unknown => {
  const { schema } = encodeParameters({ type: 'object', properties: { p: property } }, 'x');
  assert.ok('parametersJsonSchema' in schema, `said in Gemini's own language: ${JSON.stringify(schema)}`);
  return (schema.parametersJsonSchema.properties as Raw).p;
};

const dropped = (schema: Raw): readonly string[] => encodeParameters(schema, 'x').dropped;

describe("tool parameters in Gemini's own language", () => {
  const cases: [string, unknown, unknown][] = [
    ['a plain type', { type: 'string', description: 'd' }, { type: 'STRING', description: 'd' }],
    ['a type already in capitals', { type: 'INTEGER' }, { type: 'INTEGER' }],
    ['null among the types', { type: ['string', 'null'] }, { type: 'STRING', nullable: true }],
    [
      'several types',
      { type: ['string', 'integer', 'null'], description: 'd' },
      {
        anyOf: [
          { type: 'STRING', description: 'd', nullable: true },
          { type: 'INTEGER', description: 'd', nullable: true },
        ],
      },
    ],
    ['null among anyOf', { anyOf: [{ type: 'string' }, { type: 'null' }] }, { type: 'STRING', nullable: true }],
    [
      'oneOf, with what stands beside it',
      { description: 'd', oneOf: [{ type: 'string' }, { type: 'number', description: 'n' }] },
      {
        anyOf: [
          { type: 'STRING', description: 'd' },
          { type: 'NUMBER', description: 'n' },
        ],
      },
    ],
    [
      'allOf',
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
          { properties: { b: { type: 'integer' } }, required: ['b'] },
        ],
      },
      { type: 'OBJECT', properties: { a: { type: 'STRING' }, b: { type: 'INTEGER' } }, required: ['a', 'b'] },
    ],
    ['const', { const: 'a' }, { type: 'STRING', enum: ['a'] }],
    ['an enum with null', { enum: ['a', null] }, { type: 'STRING', enum: ['a'], nullable: true }],
    ['an enum with an empty word', { type: 'string', enum: ['a', ''] }, { type: 'STRING', enum: ['a'] }],
    [
      'exclusive bounds of integers',
      { type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 10 },
      { type: 'INTEGER', minimum: 1, maximum: 9 },
    ],
    [
      'exclusive bounds of draft 4',
      { type: 'integer', minimum: 3, exclusiveMinimum: true },
      { type: 'INTEGER', minimum: 4 },
    ],
    ['exclusive bounds of numbers', { type: 'number', exclusiveMinimum: 0 }, { type: 'NUMBER', minimum: 0 }],
    [
      'constraints',
      { type: 'string', minLength: 1, maxLength: 9, pattern: '^a' },
      { type: 'STRING', minLength: 1, maxLength: 9, pattern: '^a' },
    ],
    ['formats that are taken', { type: 'string', format: 'date-time' }, { type: 'STRING', format: 'date-time' }],
    ['formats that are not', { type: 'string', format: 'uri' }, { type: 'STRING' }],
    [
      'an array',
      { type: 'array', items: { type: 'string' }, minItems: 1 },
      { type: 'ARRAY', items: { type: 'STRING' }, minItems: 1 },
    ],
    [
      'a closed object',
      { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false },
      { type: 'OBJECT', properties: { a: { type: 'STRING' } } },
    ],
    [
      'properties with the names of keywords',
      { type: 'object', properties: { $ref: { type: 'string' }, additionalProperties: { type: 'string' } } },
      { type: 'OBJECT', properties: { $ref: { type: 'STRING' }, additionalProperties: { type: 'STRING' } } },
    ],
    [
      'required names that are no properties',
      { type: 'object', properties: { a: { type: 'string' } }, required: ['a', 'b'] },
      { type: 'OBJECT', properties: { a: { type: 'STRING' } }, required: ['a'] },
    ],
    [
      'keywords that Gemini lacks',
      { type: 'array', items: { type: 'string', examples: ['e'] }, uniqueItems: true },
      { type: 'ARRAY', items: { type: 'STRING' } },
    ],
    [
      'a type that is only implied',
      { properties: { a: { type: 'string' } } },
      { type: 'OBJECT', properties: { a: { type: 'STRING' } } },
    ],
  ];
  for (const [name, given, expected] of cases) it(name, () => assert.deepEqual(own(given), expected));

  it('resolves references, with what stands beside them', () => {
    const { schema, dropped } = encodeParameters(
      {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: {
          home: { $ref: '#/$defs/Place', description: 'where they live' },
          work: { $ref: '#/definitions/a~1b' },
        },
        $defs: {
          Place: { type: 'object', description: 'a place', properties: { city: { $ref: '#/$defs/City' } } },
          City: { type: 'string' },
        },
        definitions: { 'a/b': { type: 'integer' } },
      },
      'x',
    );
    assert.deepEqual(schema, {
      parameters: {
        type: 'OBJECT',
        properties: {
          home: { type: 'OBJECT', description: 'where they live', properties: { city: { type: 'STRING' } } },
          work: { type: 'INTEGER' },
        },
      },
    });
    assert.deepEqual(dropped, []);
  });

  it('omits the parameters of a tool without any', () => {
    for (const schema of [{}, { type: 'object' }, { type: 'object', properties: {}, additionalProperties: false }]) {
      assert.deepEqual(encodeParameters(schema, 'x'), { schema: {}, dropped: [] });
    }
  });

  it('names what it drops', () => {
    assert.deepEqual(
      dropped({
        type: 'object',
        properties: { a: { type: 'array', items: { type: 'string', format: 'uri' }, uniqueItems: true } },
        required: ['a', 'b'],
        patternProperties: {},
      }),
      [
        'x.patternProperties: not taken by the provider, dropped',
        'x.properties.a.uniqueItems: not taken by the provider, dropped',
        'x.required: names dropped that are no properties',
        'x.properties.a.items.format: uri is not taken by the provider, dropped',
      ],
    );
  });
});

describe('tool parameters that take JSON Schema', () => {
  const cases: [string, unknown, unknown][] = [
    [
      'a map',
      { type: 'object', additionalProperties: { type: 'string' } },
      { type: 'object', additionalProperties: { type: 'string' } },
    ],
    ['an open object', { type: 'object', additionalProperties: true }, { type: 'object', additionalProperties: true }],
    ['an object of which nothing is known', { type: 'object' }, { type: 'object' }],
    ['numbers to choose from', { type: 'integer', enum: [1, 2] }, { type: 'integer', enum: [1, 2] }],
    ['the same, or null', { enum: [1, 2, null] }, { anyOf: [{ type: 'integer', enum: [1, 2] }, { type: 'null' }] }],
    [
      'a tuple',
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] },
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] },
    ],
    [
      'a tuple of draft 7',
      { type: 'array', items: [{ type: 'string' }] },
      { type: 'array', prefixItems: [{ type: 'string' }] },
    ],
    ['any value', {}, {}],
    ['an array of any values', { type: ['array', 'null'] }, { type: ['array', 'null'] }],
  ];
  for (const [name, given, expected] of cases) it(name, () => assert.deepEqual(json(given), expected));

  it('keeps a root that lists its forms an object', () => {
    const a = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
    const b = { type: 'object', properties: { b: { type: 'string' } }, required: ['b'] };
    const { schema } = encodeParameters({ type: 'object', anyOf: [a, b] }, 'x');
    assert.deepEqual(schema, { parametersJsonSchema: { type: 'object', anyOf: [a, b] } });
  });

  it('unrolls recursion, then cuts it off', () => {
    const tree = {
      type: 'object',
      properties: { value: { type: 'string' }, children: { type: 'array', items: { $ref: '#' } } },
    };
    const { schema, dropped } = encodeParameters(tree, 'x');
    const text = JSON.stringify(schema);
    assert.equal(text.match(/"value"/g)?.length, 3);
    assert.ok(!text.includes('$ref'));
    assert.deepEqual(dropped, [
      'x.properties.children.items.properties.children.items.properties.children.items: the recursion into # is cut off here',
    ]);
  });

  it('ends with references in a circle, and with those that are nowhere', () => {
    const { schema } = encodeParameters(
      {
        properties: { a: { $ref: '#/$defs/A' }, b: { $ref: 'other.json' }, c: { allOf: [{ $ref: '#' }] } },
        $defs: { A: { $ref: '#/$defs/A' } },
      },
      'x',
    );
    assert.ok(!JSON.stringify(schema).includes('$ref'));
  });

  it('does not let references that fan out grow without end', () => {
    const $defs: Raw = { D0: { type: 'object', properties: { x: { type: 'string' } } } };
    for (let i = 1; i < 40; i++) {
      const ref = { $ref: `#/$defs/D${i - 1}` };
      $defs[`D${i}`] = { type: 'object', properties: { a: ref, b: ref } };
    }
    const { schema, dropped } = encodeParameters({ $ref: '#/$defs/D39', $defs }, 'x');
    assert.ok(JSON.stringify(schema).length < 2_000_000);
    assert.ok(dropped.some((line) => line.includes('too large')));
  });
});

describe('schemas for structured output', () => {
  it('are JSON Schema, without what Gemini lacks', () => {
    const { schema, dropped } = encodeJsonSchema(
      {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: {
          name: { type: 'string', minLength: 1 },
          age: { type: ['integer', 'null'], exclusiveMinimum: 0 },
          kind: { const: 'person' },
        },
        required: ['name', 'age', 'kind'],
        additionalProperties: false,
      },
      's',
    );
    assert.deepEqual(schema, {
      type: 'object',
      properties: {
        name: { type: 'string' },
        age: { type: ['integer', 'null'], minimum: 1 },
        kind: { type: 'string', enum: ['person'] },
      },
      required: ['name', 'age', 'kind'],
      additionalProperties: false,
    });
    assert.deepEqual(dropped, ['s.properties.name.minLength: not taken by the provider, dropped']);
  });
});

describe('any schema at all', () => {
  const { schema: anySchema } = fc.letrec((tie) => ({
    schema: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.record(
        {
          type: fc.constantFrom(
            'string',
            'integer',
            'number',
            'boolean',
            'null',
            ['string', 'null'],
            ['object', 'array'],
          ),
          format: fc.constantFrom('uri', 'date-time'),
        },
        { requiredKeys: [] },
      ),
      fc.record({
        enum: fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)), { minLength: 1 }),
      }),
      fc.record({ $ref: fc.constantFrom('#', '#/$defs/A', '#/$defs/missing', '#/properties/a') }),
      fc.record(
        { type: fc.constant('array'), items: tie('schema'), uniqueItems: fc.boolean() },
        { requiredKeys: ['type'] },
      ),
      fc.record(
        {
          type: fc.constant('object'),
          properties: fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'type', '$ref'), tie('schema'), {
            maxKeys: 3,
          }),
          required: fc.array(fc.constantFrom('a', 'b', 'z'), { maxLength: 2 }),
          additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
        },
        { requiredKeys: ['type'] },
      ),
      fc.record(
        { anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }), description: fc.string() },
        { requiredKeys: ['anyOf'] },
      ),
      fc.record({ allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
      fc.constant(true),
      fc.constant(false),
    ),
  }));

  it('becomes one that Gemini takes', () => {
    fc.assert(
      fc.property(anySchema, anySchema, (a, $def) => {
        const { schema } = encodeParameters({ type: 'object', properties: { a }, $defs: { A: $def } }, 'x');
        if ('parametersJsonSchema' in schema) checkKeywords(schema.parametersJsonSchema, JSON_KEYWORDS);
        else if (schema.parameters) checkOwn(schema.parameters);
      }),
      { seed: 20_260, numRuns: 300 },
    );
  });
});

const JSON_KEYWORDS = [
  'type',
  'format',
  'title',
  'description',
  'enum',
  'items',
  'prefixItems',
  'minItems',
  'maxItems',
  'minimum',
  'maximum',
  'anyOf',
  'properties',
  'additionalProperties',
  'required',
];

function checkKeywords(schema: unknown, allowed: readonly string[]): void {
  if (typeof schema !== 'object' || schema === null) return;
  const node = schema as Raw;
  for (const key of Object.keys(node)) assert.ok(allowed.includes(key), key);
  for (const child of childrenOf(node)) checkKeywords(child, allowed);
}

/** What Google's service demands of `Schema` beyond its fields. */
function checkOwn(schema: unknown): void {
  const node = schema as Raw;
  checkKeywords(node, [
    ...JSON_KEYWORDS,
    'nullable',
    'pattern',
    'default',
    'minLength',
    'maxLength',
    'minProperties',
    'maxProperties',
  ]);
  assert.ok(!('additionalProperties' in node) && !('prefixItems' in node));
  if (node.anyOf) assert.deepEqual(Object.keys(node), ['anyOf']);
  else assert.match(String(node.type), /^(STRING|NUMBER|INTEGER|BOOLEAN|ARRAY|OBJECT)$/);
  if (node.type === 'OBJECT') {
    const names = Object.keys(node.properties as Raw);
    assert.ok(names.length > 0);
    for (const name of (node.required ?? []) as string[]) assert.ok(names.includes(name));
  }
  if (node.type === 'ARRAY') assert.ok(node.items);
  if (node.enum)
    assert.ok(
      node.type === 'STRING' && (node.enum as unknown[]).every((word) => typeof word === 'string' && word !== ''),
    );
  for (const child of childrenOf(node)) checkOwn(child);
}

const childrenOf = (node: Raw): unknown[] => [
  ...Object.values((node.properties ?? {}) as Raw),
  ...((node.anyOf ?? []) as unknown[]),
  ...((node.prefixItems ?? []) as unknown[]),
  ...(node.items ? [node.items] : []),
  ...(typeof node.additionalProperties === 'object' ? [node.additionalProperties] : []),
];
