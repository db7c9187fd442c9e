import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { Metrics } from '@headgate/core/telemetry';
import type { ToWorker } from './messages.ts';
import { type MeasuredWorker, MetricsGatherer } from './metrics-gatherer.ts';

/** A worker at the other end of a channel: answers when it is told to. */
class Remote implements MeasuredWorker {
  readonly id: number;
  readonly metrics = new Metrics();
  asked: number | null = null;

  constructor(id: number) {
    this.id = id;
    this.metrics.gauge(`depth`, 'Depth.', () => id, { across: 'sum' });
  }

  send(message: ToWorker, callback: (error: Error | null) => void): boolean {
    if (message.type === 'measure') this.asked = message.id;
    callback(null);
    return true;
  }

  answer(gatherer: MetricsGatherer): void {
    assert.ok(this.asked !== null);
    gatherer.measured(this, this.asked, this.metrics.serialise());
  }
}

const depth = (text: string): string | undefined => /^depth(?:{[^}]*})? (\S+)$/m.exec(text)?.[1];

describe('MetricsGatherer', () => {
  it('answers for all processes', async () => {
    const gatherer = new MetricsGatherer();
    const workers = [new Remote(1), new Remote(2), new Remote(4)];
    const text = gatherer.gather(workers);
    for (const worker of workers) worker.answer(gatherer);
    assert.equal(depth(await text), '7');
  });

  it('does not wait for a worker that dies, nor for none', async () => {
    const gatherer = new MetricsGatherer();
    const [alive, dying] = [new Remote(1), new Remote(2)];
    const text = gatherer.gather([alive, dying]);
    alive.answer(gatherer);
    gatherer.workerGone(dying);
    assert.equal(depth(await text), '1');
    assert.equal(typeof (await new MetricsGatherer().gather([])), 'string');
  });

  it('takes the last numbers of a worker that does not answer in time', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const gatherer = new MetricsGatherer();
      const [quick, slow] = [new Remote(1), new Remote(2)];
      const first = gatherer.gather([quick, slow]);
      quick.answer(gatherer);
      slow.answer(gatherer);
      assert.equal(depth(await first), '3');
      const second = gatherer.gather([quick, slow]);
      quick.answer(gatherer);
      mock.timers.tick(1_000);
      assert.equal(depth(await second), '3');
      slow.answer(gatherer);
    } finally {
      mock.timers.reset();
    }
  });

  it('keeps what a dead worker counted, but not what it gauged', async () => {
    const gatherer = new MetricsGatherer();
    const counted = (id: number, value: number) => ({
      process: String(id),
      families: [
        { name: 'requests', kind: 'counter' as const, unit: '', help: 'Requests.', series: [{ labels: {}, value }] },
        {
          name: 'depth',
          kind: 'gauge' as const,
          unit: '',
          help: 'Depth.',
          across: 'sum' as const,
          series: [{ labels: {}, value }],
        },
      ],
    });
    const workers = [new Remote(1), new Remote(2), new Remote(3)];
    for (const [i, worker] of workers.entries()) gatherer.measured(worker, 0, counted(worker.id, 10 ** i));
    for (const worker of workers.slice(0, 2)) gatherer.workerGone(worker);
    const text = await gatherer.gather([]);
    assert.match(text, /^requests(_total)? 111$/m);
    assert.equal(depth(text), '100');
  });
});
