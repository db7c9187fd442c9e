import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consoleText } from './log-echo.mjs';

test('warnings and errors are told in a few words, by name or by pino’s number', () => {
  assert.equal(
    consoleText('{"time":1,"level":"warn","service":"control","pid":7,"msg":"Redis is away"}'),
    'warn: Redis is away',
  );
  assert.equal(consoleText('{"level":50,"msg":"failed","code":"E1"}'), 'error: failed {"code":"E1"}');
  assert.equal(consoleText('{"level":60,"msg":"over"}'), 'fatal: over');
});

test('all else that is a log record stays in the log', () => {
  for (const level of ['"info"', '"debug"', '30', '20', 'null']) {
    assert.equal(consoleText(`{"level":${level},"msg":"m"}`), undefined);
  }
  assert.equal(consoleText('{"listening":"http://127.0.0.1:1"}'), undefined);
  assert.equal(consoleText('  '), undefined);
});

test('what is not a log record is told as it is', () => {
  for (const line of ['Error: no', '    at main (file.ts:1:1)', '{ not json']) assert.equal(consoleText(line), line);
});
