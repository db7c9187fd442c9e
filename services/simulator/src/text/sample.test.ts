import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleOf } from './sample.ts';

describe('sample of a JSON Schema', () => {
  it('fills objects, arrays, enums, numbers within their bounds, and formats', () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 12, maxLength: 14 },
        unit: { enum: ['celsius', 'fahrenheit'] },
        count: { type: 'integer', minimum: 3, maximum: 5 },
        ratio: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 2 },
        even: { type: 'integer', multipleOf: 4, minimum: 10, maximum: 30 },
        when: { type: 'string', format: 'date' },
        tags: { type: 'array', items: { type: 'string' }, minItems: 3, maxItems: 3 },
        fixed: { const: 'yes' },
        none: { type: 'null' },
        open: { type: 'boolean' },
      },
      required: ['name'],
    };
    for (let seed = 0; seed < 50; seed++) {
      const value = sampleOf(schema, { seed });
      assert.ok(typeof value === 'object' && value !== null);
      const { name, unit, count, ratio, even, when, tags, fixed, none, open } = value as Record<string, unknown>;
      assert.ok(typeof name === 'string' && name.length >= 12 && name.length <= 14);
      assert.ok(unit === 'celsius' || unit === 'fahrenheit');
      assert.ok(Number.isInteger(count) && Number(count) >= 3 && Number(count) <= 5);
      assert.ok(Number(ratio) > 0 && Number(ratio) < 2);
      assert.ok(Number(even) % 4 === 0 && Number(even) >= 10 && Number(even) <= 30);
      assert.match(String(when), /^\d{4}-\d\d-\d\d$/);
      assert.ok(Array.isArray(tags) && tags.length === 3);
      assert.equal(fixed, 'yes');
      assert.equal(none, null);
      assert.equal(typeof open, 'boolean');
      assert.deepEqual(sampleOf(schema, { seed }), value);
    }
  });

  it('follows $ref and anyOf, and ends in a recursive schema', () => {
    const schema = {
      $ref: '#/$defs/node',
      $defs: {
        node: {
          type: 'object',
          properties: {
            label: { type: 'string' },
            next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
            children: { type: 'array', items: { $ref: '#/$defs/node' } },
          },
          required: ['label', 'next', 'children'],
        },
      },
    };
    const check = (node: unknown): void => {
      if (node === null) return;
      assert.ok(typeof node === 'object' && 'label' in node && 'next' in node && 'children' in node);
      assert.equal(typeof node.label, 'string');
      check(node.next);
      assert.ok(Array.isArray(node.children));
      node.children.forEach(check);
    };
    const value = sampleOf(schema, { seed: 1 });
    assert.notEqual(value, null);
    check(value);
  });

  it('takes preferred values by property name', () => {
    const schema = { type: 'object', properties: { location: { type: 'string' } } };
    assert.deepEqual(sampleOf(schema, { seed: 1, named: { location: 'Rome' } }), { location: 'Rome' });
  });
});
