import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LineWriter } from './line-writer.ts';
import { createLogger, type LoggerOptions } from './logger.ts';

function capture(options: Omit<LoggerOptions, 'destination' | 'service'> = { level: 'debug' }) {
  const lines: string[] = [];
  const logger = createLogger({ service: 'test', destination: { write: (line) => lines.push(line) }, ...options });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** Runs code that may use `createLogger` in a process of its own. */
function run(code: string, env: Readonly<Record<string, string>> = {}) {
  const door = new URL('./logger.ts', import.meta.url).href;
  const script = `import { createLogger } from ${JSON.stringify(door)};\n${code}`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
}

describe('lines', () => {
  test('are one JSON object each, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.json(), (msg, text, json) => {
        const { logger, lines, parsed } = capture();
        const value: unknown = JSON.parse(json);
        logger.child({ kept: text }).info(msg, { text, value });
        const [line = ''] = lines;
        assert.ok(line.endsWith('\n') && !line.slice(0, -1).includes('\n'));
        const [object] = parsed();
        assert.equal(object?.level, 'info');
        assert.equal(object?.service, 'test');
        assert.equal(object?.pid, process.pid);
      }),
    );
  });

  test('keep text exactly, also lone surrogates, quotes and control characters', () => {
    const { logger, parsed } = capture();
    const text = 'a"b\\c\n\u0000\u2028\u{1F600} \ud800 end';
    logger.warn(text, { text });
    assert.equal(parsed()[0]?.msg, text);
    assert.equal(parsed()[0]?.text, text);
  });

  test('take the fields of the child, the call wins, and reserved names are moved', () => {
    const { logger, lines, parsed } = capture();
    logger.child({ trace_id: 't', part: 'a' }).child({ span_id: 's' }).info('m', { part: 'b', time: 1, msg: 'other' });
    const [object] = parsed();
    assert.deepEqual(
      [object?.trace_id, object?.span_id, object?.part, object?.time_, object?.msg_, object?.msg],
      ['t', 's', 'b', 1, 'other', 'm'],
    );
    assert.equal(lines[0]?.split('"part"').length, 2, 'no name twice in one object');
  });

  test('hold no secret, in fields, child fields, message or error', () => {
    const { logger, lines } = capture();
    const secret = 'hunter2hunter2hunter2';
    logger
      .child({ headers: { 'x-api-key': secret } })
      .error(`cannot reach redis://:${secret}@h`, { error: new Error(`?token=${secret}`), apiKey: secret });
    assert.ok(!lines.join('').includes(secret));
    assert.equal(lines.length, 1);
  });

  test('survive a value that cannot be read', () => {
    const { logger, parsed } = capture();
    logger.info('m', {
      bad: {
        get x() {
          throw new Error('no');
        },
      },
      good: 1,
    });
    assert.equal(parsed()[0]?.bad, '[unreadable]');
    assert.equal(parsed()[0]?.good, 1);
  });
});

describe('levels', () => {
  test('below the chosen one write nothing', () => {
    const { logger, parsed } = capture({ level: 'warn' });
    logger.debug('d');
    logger.info('i');
    logger.raw('info', 'r', '');
    logger.warn('w');
    logger.error('e');
    assert.deepEqual(
      parsed().map((line) => line.msg),
      ['w', 'e'],
    );
    assert.ok(!logger.enabled('info') && logger.enabled('error'));
  });

  test('come from HEADGATE_LOG_LEVEL, and a wrong one is said', () => {
    const code = `const l = createLogger({ service: 's' }); l.debug('d'); l.info('i'); l.error('e');`;
    const messages = (level: string) => run(code, { HEADGATE_LOG_LEVEL: level }).stdout.match(/"msg":"[^"]*"/g);
    assert.equal(messages('debug')?.length, 3);
    assert.equal(messages('error')?.length, 1);
    assert.equal(messages('silent'), null);
    assert.match(String(messages('loud')?.[0]), /must be debug, info, warn, error or silent/);
  });
});

describe('writing', () => {
  test('loses nothing at the end of a process, however it ends', () => {
    for (const end of ['', 'process.exit(3);', "setTimeout(() => { throw new Error('x'); }, 1);"]) {
      const { stdout } = run(
        `const l = createLogger({ service: 's' });
         for (let i = 0; i < 3000; i++) l.info('line', { i, text: 'x'.repeat(100) });
         ${end}`,
      );
      const numbers = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { i: number }).i);
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        Array.from({ length: 3000 }, (_, i) => i),
        `after "${end}"`,
      );
    }
  });

  test('keeps the order over many flushes, and text beyond ASCII', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-log-'));
    const file = join(folder, 'log');
    const fd = openSync(file, 'w');
    try {
      const writer = new LineWriter(fd);
      let expected = '';
      for (let i = 0; i < 5000; i++) {
        const line = `${i} äöü \u{1F600} ${'x'.repeat(i % 200)}\n`;
        expected += line;
        writer.append(line);
        if (i % 500 === 0) await new Promise(setImmediate);
      }
      writer.append(`${'ß'.repeat(300_000)}\n`);
      await writer.flush();
      assert.equal(readFileSync(file, 'utf8'), `${expected}${'ß'.repeat(300_000)}\n`);
    } finally {
      closeSync(fd);
      rmSync(folder, { recursive: true });
    }
  });

  test('a reader that has gone does not end the process', () => {
    const script = `import { writeSync } from 'node:fs';
      import { createLogger } from ${JSON.stringify(new URL('./logger.ts', import.meta.url).href)};
      const logger = createLogger({ service: 's' });
      for (let i = 0; i < 20; i++) { logger.info('x'.repeat(100000)); await logger.flush(); }
      writeSync(2, 'alive');`;
    const { stdout, stderr } = spawnSync('sh', ['-c', '"$NODE" --input-type=module -e "$SCRIPT" | head -c 10'], {
      env: { PATH: process.env.PATH, NODE: process.execPath, SCRIPT: script },
      encoding: 'utf8',
    });
    assert.equal(stdout, '{"time":"2');
    assert.equal(stderr, 'alive');
  });
});
