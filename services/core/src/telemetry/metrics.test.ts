import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Metrics, type MetricsSnapshot } from './metrics.ts';
import type { MetricDefinition } from './names.ts';
import { mergeSnapshots, renderMerged, withoutGauges } from './prometheus.ts';

const SECONDS: MetricDefinition = {
  name: 'test.duration',
  kind: 'histogram',
  unit: 's',
  help: 'A duration.',
  labels: ['gen_ai.request.model'],
  boundaries: [0.1, 1, 10],
};
const COUNT: MetricDefinition = {
  name: 'test.things',
  kind: 'counter',
  unit: '{thing}',
  help: 'Things with a \\ and a\nnew line.',
  labels: ['route', 'error.type'],
};

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A reader of the text format, strict about what it takes, written from its description and not from our writer. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.ok(!types.has(type[1] ?? ''), `two TYPE lines for ${type[1]}`);
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    if (/^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* ./.test(line)) continue;
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    const labels: Record<string, string> = {};
    const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;
    const all = sample[2] ?? '';
    while (pair.lastIndex < all.length) {
      const found = pair.exec(all);
      assert.ok(found, `labels: ${all}`);
      const escapes = { '\\n': '\n', '\\"': '"', '\\\\': '\\' } as const;
      labels[found[1] ?? ''] = (found[2] ?? '').replace(/\\["\\n]/g, (two) => escapes[two as keyof typeof escapes]);
    }
    samples.push({ name: sample[1] ?? '', labels, value: Number(sample[3]) });
  }
  assert.ok(text.endsWith('\n'));
  return { samples, types };
}

describe('Prometheus text', () => {
  test('a histogram has cumulative buckets up to +Inf, a sum and a count', () => {
    const metrics = new Metrics({ process: '1' });
    const series = metrics.histogram(SECONDS).series('m');
    for (const value of [0.05, 0.1, 0.5, 10, 11, Number.NaN, -1]) series.record(value);
    const { samples, types } = parse(metrics.renderPrometheus());
    assert.equal(types.get('test_duration_seconds'), 'histogram');
    const buckets = samples.filter((sample) => sample.name === 'test_duration_seconds_bucket');
    assert.deepEqual(
      buckets.map((bucket) => [bucket.labels.le, bucket.value]),
      [
        ['0.1', 2],
        ['1', 3],
        ['10', 4],
        ['+Inf', 5],
      ],
    );
    assert.deepEqual(buckets[0]?.labels, { gen_ai_request_model: 'm', le: '0.1' });
    assert.equal(samples.find((sample) => sample.name === 'test_duration_seconds_count')?.value, 5);
    assert.equal(samples.find((sample) => sample.name === 'test_duration_seconds_sum')?.value, 21.65);
  });

  test('any label value survives, and an empty one is left out', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }), (value) => {
        const metrics = new Metrics({ process: '1' });
        metrics.counter(COUNT).series(value, '').add(2);
        const { samples } = parse(metrics.renderPrometheus());
        const expected = { name: 'test_things_total', labels: { route: value.toWellFormed() }, value: 2 };
        assert.deepEqual(samples, [expected]);
      }),
    );
  });

  test('label values have no line that is not theirs', () => {
    const metrics = new Metrics({ process: '1' });
    metrics.counter(COUNT).series('a\nfake_metric 1\r\n', 'x').add(1);
    assert.equal(parse(metrics.renderPrometheus()).samples.length, 1);
  });

  test('gauges are read when asked; one that throws or gives no number is left out', () => {
    const metrics = new Metrics({ process: '7' });
    let value = 1;
    metrics.gauge('headgate.redis.up', 'Redis.', () => value);
    metrics.gauge('a.broken', 'Broken.', () => {
      throw new Error('no');
    });
    metrics.gauge('a.nan', 'NaN.', () => Number.NaN);
    value = 0;
    assert.deepEqual(parse(metrics.renderPrometheus()).samples, [
      { name: 'headgate_redis_up', labels: { process: '7' }, value: 0 },
    ]);
  });

  test('a name is registered once', () => {
    const metrics = new Metrics();
    metrics.counter(COUNT);
    assert.throws(() => metrics.gauge('test.things', 'Again.', () => 1), /test\.things is registered twice/);
  });
});

describe('cardinality', () => {
  test('beyond the limit values share one overflow series and nothing is lost', () => {
    const metrics = new Metrics({ process: '1', seriesLimit: 10 });
    const family = metrics.counter(COUNT);
    for (let i = 0; i < 1000; i++) family.series(`route ${i}`, '').add(1);
    const { samples } = parse(metrics.renderPrometheus());
    assert.equal(samples.length, 11);
    assert.equal(samples.find((sample) => sample.labels.otel_metric_overflow === 'true')?.value, 990);
    assert.equal(family.series('route 3', ''), family.series('route 3', ''), 'known series stay theirs');
  });
});

describe('several processes', () => {
  function process(name: string, values: readonly number[]): MetricsSnapshot {
    const metrics = new Metrics({ process: name });
    metrics.gauge('test.open', 'Open.', () => values.length, { across: 'sum' });
    metrics.gauge('test.version', 'Version.', () => values.length);
    const histogram = metrics.histogram(SECONDS);
    const counter = metrics.counter(COUNT);
    for (const value of values) {
      histogram.series(value > 1 ? 'slow' : 'fast').record(value);
      counter.series('r', value > 1 ? 'late' : '').add(1);
    }
    // The way between processes of a cluster is JSON.
    return JSON.parse(JSON.stringify(metrics.serialise())) as MetricsSnapshot;
  }

  test('show the same counters and histograms as one that had measured everything', () => {
    const values = fc.array(fc.integer({ min: 0, max: 200 }).map((tenths) => tenths / 8));
    fc.assert(
      fc.property(values, values, (a, b) => {
        const merged = parse(renderMerged([process('1', a), process('2', b)])).samples;
        const whole = parse(renderMerged([process('1', [...a, ...b])])).samples;
        const comparable = (samples: readonly Sample[]) =>
          samples
            .filter((sample) => sample.name !== 'test_version')
            .map((sample) => JSON.stringify([sample.name, Object.entries(sample.labels).sort(), sample.value]))
            .sort();
        assert.deepEqual(comparable(merged), comparable(whole));
      }),
    );
  });

  test('keep gauges apart unless they add up', () => {
    const { samples } = parse(renderMerged([process('1', [1]), process('2', [1, 2])]));
    assert.deepEqual(
      samples.filter((sample) => sample.name === 'test_version'),
      [
        { name: 'test_version', labels: { process: '1' }, value: 1 },
        { name: 'test_version', labels: { process: '2' }, value: 2 },
      ],
    );
    assert.deepEqual(
      samples.filter((sample) => sample.name === 'test_open'),
      [{ name: 'test_open', labels: {}, value: 3 }],
    );
  });

  test('that have ended go on counting without their gauges', () => {
    const gone = withoutGauges(mergeSnapshots([process('1', [1, 2]), process('2', [3])]));
    const { samples, types } = parse(renderMerged([gone, process('3', [4])]));
    const total = samples.filter((sample) => sample.name === 'test_things_total');
    assert.equal(
      total.reduce((sum, sample) => sum + sample.value, 0),
      4,
    );
    assert.equal(samples.find((sample) => sample.name === 'test_open')?.value, 1);
    assert.ok(types.has('test_duration_seconds'));
  });

  test('of two versions with other buckets do not mix them', () => {
    const other = new Metrics({ process: '2' });
    other
      .histogram({ ...SECONDS, boundaries: [1, 2] })
      .series('fast')
      .record(1);
    const { samples } = parse(renderMerged([process('1', [0.5]), other.serialise()]));
    const infinite = samples.find((sample) => sample.labels.le === '+Inf');
    assert.equal(infinite?.value, 1);
  });
});
