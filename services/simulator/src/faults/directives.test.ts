import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DirectiveError, mergeDirectives, splitModel, splitText } from './directives.ts';
import { FaultRules } from './rules.ts';
import { Steerer } from './steering.ts';

describe('directives', () => {
  it('stand behind the model name', () => {
    assert.deepEqual(splitModel('openai/gpt-4o+status=429+retry-after=2+header-X-A=b+crlf+stall=3:500'), {
      base: 'openai/gpt-4o',
      directives: { status: 429, 'retry-after': '2', crlf: true, stall: { at: 3, ms: 500 }, headers: { 'X-A': 'b' } },
    });
    assert.deepEqual(splitModel('command-r+'), { base: 'command-r+', directives: {} });
    assert.deepEqual(splitModel('gpt-4o+text=a%2Bb%20c').directives, { text: 'a+b c' });
  });

  it('stand in message text and are cut out of it', () => {
    assert.deepEqual(splitText('Hello [[sim cut=40 ttft=200]] there [[sim split]]'), {
      rest: 'Hello there ',
      blocks: [{ cut: 40, ttft: 200 }, { split: 1 }],
    });
  });

  it('refuse typos and bad values by name', () => {
    assert.throws(() => splitModel('m+statos=500'), /Unknown simulator directive 'statos'/);
    assert.throws(() => splitModel('m+status=soon'), /'status' needs a whole number/);
    assert.throws(() => splitModel('m+error=weird'), /'error' must be one of context_length/);
    assert.throws(() => splitText('[[sim text=%zz]]'), DirectiveError);
  });

  it('are merged name by name, later ones winning', () => {
    const merged = mergeDirectives({ cut: 1, tps: 5, headers: { a: '1' } }, { cut: 2, headers: { b: '2' } });
    assert.deepEqual(merged, { cut: 2, tps: 5, headers: { a: '1', b: '2' } });
  });
});

describe('steering', () => {
  const path = '/v1/chat/completions';

  it('lets text win over the model name, and rules over both', () => {
    const rules = new FaultRules();
    const steerer = new Steerer(rules);
    const request = { model: 'm+cut=1+tps=5+split=3', texts: ['[[sim cut=2 tps=6]]'] };
    assert.deepEqual(steerer.steer(path, request), { model: 'm', directives: { cut: 2, tps: 6, split: 3 } });
    rules.add({ match: { model: 'm*', path: '/v1/*' }, fault: { cut: 3 }, times: 1 });
    assert.deepEqual(steerer.steer(path, request).directives, { cut: 3, tps: 6, split: 3 });
    assert.deepEqual(steerer.steer(path, request).directives, { cut: 2, tps: 6, split: 3 });
  });

  it('applies `for` to one model and `times` to the first requests', () => {
    const steerer = new Steerer(new FaultRules());
    const texts = ['[[sim for=a* status=500 times=2]]'];
    const statusOf = (model: string) => steerer.steer(path, { model, texts }).directives.status;
    assert.deepEqual(
      [statusOf('abc'), statusOf('xyz'), statusOf('abc'), statusOf('abc')],
      [500, undefined, 500, undefined],
    );
  });

  it('keeps rules apart by match, newest first, until they are cleared', () => {
    const rules = new FaultRules();
    const first = rules.add({ fault: { status: 500 } });
    rules.add({ match: { model: 'gpt-4o' }, fault: { status: 503 } });
    assert.equal(rules.take({ model: 'gpt-4o', path }).status, 503);
    assert.equal(rules.take({ model: 'gpt-4', path }).status, 500);
    assert.equal(rules.clear(first.id), 1);
    assert.deepEqual(rules.take({ model: 'gpt-4', path }), {});
    assert.equal(rules.clear(), 1);
    assert.throws(() => rules.add({ fault: { status: 500 }, times: 0 }), /'times'/);
    assert.throws(() => rules.add({ fault: { nope: 1 } }), /Unknown simulator directive/);
  });
});
